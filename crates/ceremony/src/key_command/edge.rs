//! From the command line and the environment to an open key. The libraries below read neither.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use keys::{
    ChildLog, ExecCommand, ExecUri, KeyError, KeyUri, KeyWarning, LoadOptions, OpenedSigner,
    Opener, Pkcs11Key, Pkcs11Options, Signer, TokenInfo, UriError,
};
use policy::SignerLimits;

use super::Source;

/// Where help lists these options.
const REACH: &str = "Reaching keys";

/// What a program brings to opening keys.
#[derive(Clone, Copy)]
pub struct Edge<'a> {
    /// Openers of keys that only this program can reach.
    pub openers: &'a [&'a dyn Opener],
    /// Where stderr of external signers goes.
    pub child_log: Option<ChildLog>,
    /// Shows what deserves attention about a key that works.
    pub warn: &'a dyn Fn(&KeyWarning),
}

/// How keys outside files are reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReachArgs {
    /// PKCS#11 module for `pkcs11:` keys that name none; an absolute path
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PKCS11_MODULE")]
    #[arg(help_heading = REACH)]
    #[arg(value_parser = absolute)]
    pkcs11_module: Option<PathBuf>,

    /// What `exec:NAME` starts, as `NAME=exec:/PROGRAM?arg=…&env=…`
    #[arg(long, value_name = "NAME=URI", env = "COUNTERSIGN_SIGNER")]
    #[arg(help_heading = REACH)]
    signer: Vec<NamedSigner>,

    /// Longest wait in seconds for an answer of an ssh-agent or external signer, in place of the
    /// policy's (60)
    #[arg(long, value_name = "SECONDS", env = "COUNTERSIGN_KEY_TIMEOUT")]
    #[arg(help_heading = REACH)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3600))]
    key_timeout: Option<u16>,

    /// Send a PIN even if a wrong one would lock the token
    #[arg(long, env = "COUNTERSIGN_LAST_PIN_ATTEMPT")]
    #[arg(help_heading = REACH)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    last_pin_attempt: bool,
}

/// A module is code: which file it is must not depend on where a command is started.
fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    path.is_absolute().then_some(path).ok_or("not absolute")
}

/// A name for a program that signs.
#[derive(Clone, Debug)]
struct NamedSigner(String, ExecCommand);

impl FromStr for NamedSigner {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (name, uri) = text.split_once('=').ok_or(UriError::ExecProgram)?;
        match (format!("exec:{name}").parse()?, uri.parse()?) {
            (KeyUri::Exec(ExecUri::Named(name)), KeyUri::Exec(ExecUri::Command(command))) => {
                Ok(Self(name, command))
            }
            _ => Err(UriError::ExecProgram),
        }
    }
}

/// Everything beside the URI that opening a key may take, as this process has it.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    agent_socket: Option<PathBuf>,
    commands: Vec<(String, ExecCommand)>,
    environment: Vec<(OsString, OsString)>,
    module: Option<PathBuf>,
    force_last_attempt: bool,
    timeout: Option<Duration>,
}

impl ReachArgs {
    /// Adds what the environment says: the agent's socket, and the variables that an external
    /// signer may ask for by name. Settings of this program are not among them.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let commands = self.signer.iter();
        Reach {
            commands: commands.map(|one| (one.0.clone(), one.1.clone())).collect(),
            module: self.pkcs11_module.clone(),
            force_last_attempt: self.last_pin_attempt,
            timeout: self.key_timeout.map(u64::from).map(Duration::from_secs),
            ..Reach::of_process()
        }
    }
}

impl Reach {
    /// What the environment says.
    #[must_use]
    pub fn of_process() -> Self {
        let ours = |name: &OsString| name.to_string_lossy().starts_with("COUNTERSIGN_");
        Self {
            agent_socket: std::env::var_os("SSH_AUTH_SOCK")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            environment: std::env::vars_os()
                .filter(|(name, _)| !ours(name))
                .collect(),
            ..Self::default()
        }
    }

    /// The same, waiting as the policy of an index says where nothing else was given.
    #[must_use]
    pub fn within(mut self, limits: &SignerLimits) -> Self {
        self.timeout = self.timeout.or(Some(limits.answer_timeout));
        self
    }

    /// The key with the module or command that it names by default here, so that it means the same
    /// elsewhere.
    #[must_use]
    pub fn in_full(&self, uri: &KeyUri) -> KeyUri {
        match (uri, &self.module) {
            (KeyUri::Pkcs11(key), Some(module)) if key.module_path.is_none() => {
                let mut key = key.clone();
                key.module_path = Some(module.clone());
                KeyUri::Pkcs11(key)
            }
            (KeyUri::Exec(ExecUri::Named(name)), _) => {
                let mut commands = self.commands.iter();
                let named = commands.find(|(known, _)| known == name);
                named.map_or_else(
                    || uri.clone(),
                    |(_, command)| KeyUri::Exec(ExecUri::Command(command.clone())),
                )
            }
            _ => uri.clone(),
        }
    }

    /// As the library wants it.
    #[must_use]
    pub fn options<'a>(&'a self, edge: &Edge<'a>) -> LoadOptions<'a> {
        let default = LoadOptions::default();
        LoadOptions {
            agent_socket: self.agent_socket.as_deref(),
            exec_commands: &self.commands,
            environment: &self.environment,
            child_log: edge.child_log,
            timeout: self.timeout.unwrap_or(default.timeout),
            pkcs11: Pkcs11Options {
                module: self.module.as_deref(),
                force_last_attempt: self.force_last_attempt,
            },
            openers: edge.openers,
            ..default
        }
    }

    /// Opens a key and passes on what deserves attention about it.
    pub fn open(&self, uri: &KeyUri, source: &Source, edge: &Edge<'_>) -> Result<Opened, KeyError> {
        let options = self.options(edge);
        if let KeyUri::Pkcs11(named) = uri {
            let key = Pkcs11Key::open(named, source, options.pkcs11)?;
            let open = match &named.pin_source {
                Some(path) => KeyWarning::about_file(path),
                None => source.warning(),
            };
            open.iter().for_each(edge.warn);
            return Ok(Opened::on_token(key));
        }
        let OpenedSigner { signer, warnings } = uri.open(source, options)?;
        warnings.iter().chain(&source.warning()).for_each(edge.warn);
        let token = None;
        Ok(Opened { signer, token })
    }
}

/// A key that is ready to sign.
pub struct Opened {
    /// The key.
    pub signer: Box<dyn Signer>,
    /// The token that holds it, if one does.
    pub token: Option<TokenInfo>,
}

impl Opened {
    pub(super) fn on_token(key: Pkcs11Key) -> Self {
        Self {
            token: Some(key.token().clone()),
            signer: Box::new(key),
        }
    }
}

/// A key as people name it on a command line: a key URI, or the path of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(pub KeyUri);

impl FromStr for KeyName {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        match text.parse() {
            Err(UriError::NoScheme { .. }) if !text.is_empty() => {
                Ok(Self(KeyUri::File(PathBuf::from(text))))
            }
            parsed => parsed.map(Self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris_name_keys() {
        let name = |text: &str| text.parse::<KeyName>().map(|name| name.0.to_string());
        assert_eq!(name("keys/a:b.pem").unwrap(), "file:keys/a:b.pem");
        assert_eq!(name("file:a.pem").unwrap(), "file:a.pem");
        assert_eq!(name("ssh-agent:me").unwrap(), "ssh-agent:me");
        assert!(matches!(
            name("gpg:me"),
            Err(UriError::UnknownScheme { .. })
        ));
        assert!(matches!(name(""), Err(UriError::NoScheme { .. })));
    }

    #[test]
    fn signers_have_plain_names_and_programs() {
        let read = |text: &str| text.parse::<NamedSigner>();
        let NamedSigner(name, command) = read("cloud=exec:/opt/signer?arg=a=b").unwrap();
        assert_eq!((name.as_str(), &*command.args[0]), ("cloud", "a=b"));
        for wrong in [
            "cloud",
            "cloud=exec:other",
            "/a=exec:/opt/signer",
            "a=file:b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
