//! Key URIs: one way to name a key in both programs and all configuration.

mod agent;
mod aws_kms;
mod exec;
pub(crate) mod percent;
mod query;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use agent::AgentKey;
pub(crate) use agent::fingerprint_text;
pub use aws_kms::AwsKmsUri;
pub(crate) use exec::is_program;
pub use exec::{ExecCommand, ExecUri};

use crate::{Pkcs11Uri, UriError};

/// Schemes that are read.
const SCHEMES: &[&str] = &["file", "pkcs11", "ssh-agent", "exec", "awskms"];

/// The name of a key: where it lives, not what it is. Comes from the operator's configuration or
/// command line, never from metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyUri {
    /// `file:PATH`: PKCS#8 in PEM, an OpenSSH or a sigstore key. The path is taken verbatim (no
    /// percent-decoding) and may be relative; `file:///PATH` is read too (RFC 8089).
    File(PathBuf),
    /// `pkcs11:token=…;object=…?module-path=/…` (RFC 7512).
    Pkcs11(Pkcs11Uri),
    /// `ssh-agent:SHA256:…` or `ssh-agent:COMMENT`, taken verbatim.
    SshAgent(AgentKey),
    /// `exec:/PROGRAM?arg=…&env=…` or `exec:NAME`: an external signer.
    Exec(ExecUri),
    /// `awskms:KEY?region=…&endpoint=…&profile=…`, for programs with network.
    AwsKms(AwsKmsUri),
}

impl FromStr for KeyUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text
            .split_once(':')
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or(UriError::NoScheme { known: SCHEMES })?;
        match scheme {
            "file" => file_path(rest).map(Self::File),
            "pkcs11" => Pkcs11Uri::parse(rest).map(Self::Pkcs11),
            "ssh-agent" => AgentKey::parse(rest).map(Self::SshAgent),
            "exec" => ExecUri::parse(rest).map(Self::Exec),
            "awskms" => AwsKmsUri::parse(rest).map(Self::AwsKms),
            _ => Err(UriError::UnknownScheme {
                scheme: scheme.chars().take(32).collect(),
                known: SCHEMES,
            }),
        }
    }
}

/// RFC 3986 3.1, lower case only.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn file_path(rest: &str) -> Result<PathBuf, UriError> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(path) if path.starts_with('/') => path,
        Some(authority) => {
            let host = authority.split('/').next().unwrap_or_default();
            return Err(UriError::Host {
                host: host.chars().take(64).collect(),
            });
        }
    };
    if path.is_empty() || path.contains('\0') {
        return Err(UriError::Path);
    }
    Ok(PathBuf::from(path))
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without an authority, a path must not begin with two slashes (RFC 3986 3).
            Self::File(path) if path.to_string_lossy().starts_with("//") => {
                write!(f, "file://{}", path.display())
            }
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Pkcs11(key) => write!(f, "pkcs11:{key}"),
            Self::SshAgent(key) => write!(f, "ssh-agent:{key}"),
            Self::Exec(exec) => write!(f, "exec:{exec}"),
            Self::AwsKms(key) => write!(f, "awskms:{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_file_uris() {
        for (text, path) in [
            ("file:online.pem", "online.pem"),
            ("file:keys/a b%20c.pem", "keys/a b%20c.pem"),
            ("file:/etc/keys/root.pem", "/etc/keys/root.pem"),
            ("file:///etc/keys/root.pem", "/etc/keys/root.pem"),
        ] {
            let uri: KeyUri = text.parse().unwrap();
            assert_eq!(uri, KeyUri::File(PathBuf::from(path)));
            assert_eq!(uri.to_string(), format!("file:{path}"));
        }
        let uri: KeyUri = "file:////share/root.pem".parse().unwrap();
        assert_eq!(uri, KeyUri::File(PathBuf::from("//share/root.pem")));
        assert_eq!(uri.to_string(), "file:////share/root.pem");
    }

    #[test]
    fn reads_agent_keys_as_ssh_add_prints_them() {
        let text = "ssh-agent:SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let KeyUri::SshAgent(AgentKey::Fingerprint(digest)) = text.parse().unwrap() else {
            panic!("a fingerprint");
        };
        assert_eq!(digest[..4], [0xe3, 0xb0, 0xc4, 0x42]);
        assert_eq!(
            KeyUri::SshAgent(AgentKey::Fingerprint(digest)).to_string(),
            text
        );
        let uri: KeyUri = "ssh-agent:a. holder @ 100%".parse().unwrap();
        let comment = AgentKey::Comment("a. holder @ 100%".to_owned());
        assert_eq!(uri, KeyUri::SshAgent(comment));
        for wrong in [
            "ssh-agent:",
            "ssh-agent:a\nb",
            "ssh-agent:SHA256:",
            "ssh-agent:SHA256:47DEQpj8HBSa",
            "ssh-agent:SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert_eq!(wrong.parse::<KeyUri>(), Err(UriError::AgentKey), "{wrong}");
        }
    }

    #[test]
    fn reads_programs_and_names_of_programs() {
        let text = "exec:/opt/sign%20er?arg=--key&arg=a%26b=%C3%BC&env=HOME";
        let KeyUri::Exec(ExecUri::Command(command)) = text.parse().unwrap() else {
            panic!("a command");
        };
        assert_eq!(command.program, PathBuf::from("/opt/sign er"));
        assert_eq!(command.args, ["--key", "a&b=ü"]);
        assert_eq!(command.env, ["HOME"]);
        let named = KeyUri::Exec(ExecUri::Named("cloud-1".to_owned()));
        assert_eq!("exec:cloud-1".parse(), Ok(named));
        for (wrong, error) in [
            ("exec:", UriError::ExecProgram),
            ("exec:bin/signer", UriError::ExecProgram),
            ("exec:../signer", UriError::ExecProgram),
            ("exec:/", UriError::ExecProgram),
            ("exec:a;b", UriError::ExecProgram),
            ("exec:/opt/%zz", UriError::ExecProgram),
            (
                "exec:a?arg=b",
                UriError::ExecParameters {
                    name: "a".to_owned(),
                },
            ),
            (
                "exec:/a?env=A=B",
                UriError::ParameterValue {
                    scheme: "exec",
                    parameter: "env",
                },
            ),
            (
                "exec:/a?shell=1",
                UriError::UnknownParameter {
                    scheme: "exec",
                    parameter: "shell".to_owned(),
                    known: &["arg", "env"],
                },
            ),
        ] {
            assert_eq!(wrong.parse::<KeyUri>(), Err(error), "{wrong}");
        }
    }

    #[test]
    fn reads_kms_keys() {
        let read = |text: &str| match text.parse() {
            Ok(KeyUri::AwsKms(key)) => Ok(key),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let key = read(&format!("awskms:{arn}")).unwrap();
        assert_eq!(
            (key.key.as_str(), key.region.as_deref()),
            (arn, Some("eu-central-1"))
        );
        assert_eq!(key.to_string(), arn);
        let text = "alias/index/online?region=us-east-1&endpoint=http://127.0.0.1:4566&profile=ci";
        let key = read(&format!("awskms:{text}")).unwrap();
        assert_eq!(key.key, "alias/index/online");
        assert_eq!(key.endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(key.to_string(), text);
        assert_eq!(read("awskms:///mrk-12ab").unwrap().key, "mrk-12ab");
        for wrong in [
            "",
            "alias/",
            "a b",
            "arn:aws:s3:::bucket",
            "arn:aws:kms:r:1:role/x",
            "//h/k",
        ] {
            assert_eq!(
                read(&format!("awskms:{wrong}")),
                Err(UriError::KmsKey),
                "{wrong}"
            );
        }
        let twice = UriError::RepeatedParameter {
            scheme: "awskms",
            parameter: "region",
        };
        assert_eq!(read("awskms:k?region=a&region=b"), Err(twice));
        let endpoint = UriError::ParameterValue {
            scheme: "awskms",
            parameter: "endpoint",
        };
        assert_eq!(read("awskms:k?endpoint=ftp://h"), Err(endpoint));
    }

    #[test]
    fn says_what_is_wrong_with_others() {
        let parse = |text: &str| text.parse::<KeyUri>().unwrap_err();
        let no_scheme = UriError::NoScheme { known: SCHEMES };
        for text in ["", "online.pem", "/etc/a:b", "A:b", ":x", "keys/a:b"] {
            assert_eq!(parse(text), no_scheme, "{text}");
        }
        let UriError::UnknownScheme { scheme, known } = parse("gpg:0xabc") else {
            panic!("gpg: is no scheme");
        };
        assert_eq!((scheme.as_str(), known), ("gpg", SCHEMES));
        assert_eq!(parse("file:"), UriError::Path);
        assert_eq!(parse("file:a\0b"), UriError::Path);
        let host = "index.example".to_owned();
        assert_eq!(parse("file://index.example/k.pem"), UriError::Host { host });
    }

    proptest! {
        #[test]
        fn display_parses_back(
            text in "file:[^\\PC]{0,3}\\PC{0,30}|\\PC{0,20}\
                |ssh-agent:(SHA256:[A-Za-z0-9+/]{43}|\\PC{0,20})\
                |exec:/?[a-z%0-9./]{0,9}(\\?(arg|env)=[^\\PC&]{0,9}(&(arg|env)=[A-Z%0-9]{0,5})?)?\
                |awskms:(alias/)?[a-z0-9-]{0,9}(\\?(region|profile)=[a-z%0-9]{0,6})?"
        ) {
            if let Ok(uri) = text.parse::<KeyUri>() {
                prop_assert_eq!(uri.to_string().parse::<KeyUri>().unwrap(), uri);
            }
        }
    }
}
