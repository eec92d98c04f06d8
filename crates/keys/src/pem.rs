//! Reading PEM as people keep it: any line width and line ending, indented, with text around it.

use pkcs8::der::pem::Decoder;
use pkcs8::der::zeroize::Zeroizing;

use crate::KeyFlaw;

/// Label of an unencrypted PKCS#8 key.
pub(crate) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// Label of an encrypted PKCS#8 key.
pub(crate) const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";
/// Label of a public key as SPKI.
pub(crate) const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Label of an OpenSSH key, encrypted or not.
pub(crate) const OPENSSH_PRIVATE_KEY: &str = "OPENSSH PRIVATE KEY";
/// Label of an encrypted key of cosign since 2.0 …
pub(crate) const SIGSTORE_PRIVATE_KEY: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// … and before.
pub(crate) const COSIGN_PRIVATE_KEY: &str = "ENCRYPTED COSIGN PRIVATE KEY";

/// Labels of what is read here.
const READ: &[&str] = &[
    PRIVATE_KEY,
    ENCRYPTED_PRIVATE_KEY,
    PUBLIC_KEY,
    OPENSSH_PRIVATE_KEY,
    SIGSTORE_PRIVATE_KEY,
    COSIGN_PRIVATE_KEY,
];

/// Labels people confuse with the above; errors name them. Anything else found is not repeated,
/// since it may be part of a secret.
const OTHERS: &[&str] = &[
    "CERTIFICATE",
    "EC PARAMETERS",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
    "RSA PUBLIC KEY",
    "SSH2 PUBLIC KEY",
];

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Decodes the one PEM block in `text` and returns its label, if it is a usual one, and its
/// content, if the label is one of those read here.
pub(crate) fn decode(text: &str) -> Result<(Option<&'static str>, Zeroizing<Vec<u8>>), KeyFlaw> {
    let (_, block) = text.split_once(BEGIN).ok_or(KeyFlaw::Pem)?;
    let (label, rest) = block.split_once(DASHES).ok_or(KeyFlaw::Pem)?;
    let known = READ
        .iter()
        .chain(OTHERS)
        .copied()
        .find(|known| *known == label);
    let end = format!("-----END {label}-----");
    let (body, after) = rest.split_once(&end).ok_or(KeyFlaw::Pem)?;
    let Some(label) = known else {
        return Ok((None, Zeroizing::default()));
    };
    if !READ.contains(&label) {
        return Ok((Some(label), Zeroizing::default()));
    }
    if after.contains(BEGIN) {
        return Err(KeyFlaw::Pem);
    }
    // The strict decoder wants even lines, so it gets a single one.
    let mut strict = Zeroizing::new(String::with_capacity(text.len() + 2));
    strict.push_str(BEGIN);
    strict.push_str(label);
    strict.push_str("-----\n");
    strict.extend(body.split_ascii_whitespace());
    strict.push('\n');
    strict.push_str(&end);
    let mut decoder = Decoder::new_detect_wrap(strict.as_bytes()).map_err(|_| KeyFlaw::Pem)?;
    let mut content = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut content).map_err(|_| KeyFlaw::Pem)?;
    if !decoder.is_finished() {
        return Err(KeyFlaw::Pem);
    }
    Ok((Some(label), content))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "-----BEGIN PUBLIC KEY-----\nAAECAw==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn reads_untidy_files() {
        for text in [
            ONE.to_owned(),
            ONE.replace('\n', "\r\n"),
            ONE.trim_end().to_owned(),
            format!("Key of A. Holder\n\n{ONE}\n\nsee overleaf\n"),
            ONE.replace("AAEC", "  A\nAEC \n\n"),
        ] {
            let (label, content) = decode(&text).unwrap();
            assert_eq!(label, Some(PUBLIC_KEY), "{text}");
            assert_eq!(*content, [0, 1, 2, 3], "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_block() {
        for text in [
            String::new(),
            ONE.replace("END", "FIN"),
            ONE.replace("END PUBLIC", "END PRIVATE"),
            ONE.replace("AAECAw==", "AAECAw="),
            ONE.replace("AAECAw==", "AAEC:w=="),
            ONE.replace("AAECAw==", ""),
            [ONE, ONE].concat(),
        ] {
            let result = decode(&text).map(|(_, content)| content.to_vec());
            assert!(
                matches!(result.as_deref(), Err(KeyFlaw::Pem) | Ok([])),
                "{text}"
            );
        }
    }

    #[test]
    fn repeats_only_usual_labels() {
        let old = ONE.replace("PUBLIC KEY", "RSA PRIVATE KEY");
        assert_eq!(decode(&old).unwrap().0, Some("RSA PRIVATE KEY"));
        assert_eq!(decode(&ONE.replace("PUBLIC", "MY")).unwrap().0, None);
        let two = [&ONE.replace("PUBLIC KEY", "EC PARAMETERS"), ONE].concat();
        assert_eq!(decode(&two).unwrap().0, Some("EC PARAMETERS"));
    }

    proptest! {
        #[test]
        fn never_panics(body in "[A-Za-z0-9+/=\\n :-]{0,80}", noise in "\\PC{0,20}") {
            let _ = decode(&format!("{noise}-----BEGIN PUBLIC KEY-----{body}-----END PUBLIC KEY-----{noise}"));
            let _ = decode(&body);
        }

        #[test]
        fn reads_what_the_encoder_writes(content in prop::collection::vec(any::<u8>(), 1..200)) {
            let text = pkcs8::der::pem::encode_string(
                PRIVATE_KEY, pkcs8::LineEnding::CRLF, &content,
            ).unwrap();
            prop_assert_eq!(&*decode(&text).unwrap().1, &content);
        }
    }
}
