//! Where passphrases and PINs come from. Programs add the terminal; none comes from the command line
//! or from a variable, which others can read.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::{MAX_PASSPHRASE, Passphrase, PassphraseError};

/// Gives the passphrase of a key when one turns out to be needed. Programs pass a closure that asks
/// on the terminal.
pub trait PassphraseSource {
    /// Returns the passphrase of `key`, which is named as [`crate::Signer::describe`] names it.
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError>;
}

impl<F: Fn(&str) -> Result<Passphrase, PassphraseError>> PassphraseSource for F {
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError> {
        self(key)
    }
}

/// Where no passphrase is to be had: encrypted keys fail with [`PassphraseError::NotGiven`].
#[derive(Clone, Copy, Debug)]
pub struct NoPassphrase;

impl PassphraseSource for NoPassphrase {
    fn passphrase(&self, _key: &str) -> Result<Passphrase, PassphraseError> {
        Err(PassphraseError::NotGiven)
    }
}

/// Takes the passphrase from the first line of a file; see [`Passphrase::from_file`].
#[derive(Clone, Debug)]
pub struct PassphraseFile(pub PathBuf);

impl PassphraseSource for PassphraseFile {
    fn passphrase(&self, _key: &str) -> Result<Passphrase, PassphraseError> {
        Passphrase::from_file(&self.0)
    }
}

/// Takes the passphrase from a descriptor this process inherited, such as 3 in
/// `countersign … 3< <(pass show index)`. Of a pipe, every passphrase asked for is the next line; of
/// a file, always the first.
#[derive(Clone, Copy, Debug)]
pub struct PassphraseFd(pub u16);

impl PassphraseSource for PassphraseFd {
    fn passphrase(&self, _key: &str) -> Result<Passphrase, PassphraseError> {
        let number = self.0;
        let failed = |source| PassphraseError::Descriptor { number, source };
        let mut descriptor = File::open(format!("/dev/fd/{number}")).map_err(failed)?;
        let line = read_one_line(&mut descriptor).map_err(failed)?;
        Passphrase::from_line(&line).map_err(|_| PassphraseError::DescriptorLine { number })
    }
}

/// Reads up to a line end and not a byte more: the rest is for whoever asks next.
fn read_one_line(source: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_PASSPHRASE + 2));
    let mut byte = Zeroizing::new([0]);
    while line.len() < line.capacity() {
        match source.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if byte[0] == b'\n' {
            break;
        }
    }
    Ok(line)
}

/// Takes the passphrase from a systemd credential (`LoadCredential=` and its like).
#[derive(Clone, Debug)]
pub struct PassphraseCredential {
    /// `$CREDENTIALS_DIRECTORY`, if the service manager set it.
    pub directory: Option<PathBuf>,
    /// The name of the credential.
    pub name: String,
}

impl PassphraseSource for PassphraseCredential {
    fn passphrase(&self, _key: &str) -> Result<Passphrase, PassphraseError> {
        let Self { directory, name } = self;
        // The name comes from the operator, but a path it is not (systemd.exec(5)).
        if name.is_empty()
            || name.len() > 255
            || name.starts_with('.')
            || name.contains(['/', '\0'])
        {
            let name = name.chars().take(64).collect();
            return Err(PassphraseError::CredentialName { name });
        }
        let directory = directory.as_ref().ok_or(PassphraseError::NoCredentials)?;
        Passphrase::from_file(&directory.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn descriptors_give_line_after_line() {
        use std::os::fd::AsRawFd;

        let (reader, mut writer) = io::pipe().unwrap();
        let long = "x".repeat(MAX_PASSPHRASE);
        writer
            .write_all(format!("one\r\n{long}\n\nlast").as_bytes())
            .unwrap();
        drop(writer);
        let source = PassphraseFd(reader.as_raw_fd().try_into().unwrap());
        let next = || source.passphrase("key");
        assert_eq!(next().unwrap().expose(), b"one");
        assert_eq!(next().unwrap().expose(), long.as_bytes());
        assert!(matches!(
            next(),
            Err(PassphraseError::DescriptorLine { .. })
        ));
        assert_eq!(next().unwrap().expose(), b"last");
        assert!(matches!(
            next(),
            Err(PassphraseError::DescriptorLine { .. })
        ));
        drop(reader);
        assert!(matches!(
            PassphraseFd(u16::MAX).passphrase("key"),
            Err(PassphraseError::Descriptor {
                number: u16::MAX,
                ..
            })
        ));
    }

    #[test]
    fn credentials_are_names_and_not_paths() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.pin"), "open sesame\n").unwrap();
        let read = |directory: Option<PathBuf>, name: &str| {
            let name = name.to_owned();
            PassphraseCredential { directory, name }.passphrase("key")
        };
        let directory = || Some(folder.path().to_owned());
        assert_eq!(
            read(directory(), "index.pin").unwrap().expose(),
            b"open sesame"
        );
        for name in [
            "",
            ".",
            "..",
            "../secret",
            "a/b",
            "/etc/passwd",
            ".hidden",
            "a\0",
        ] {
            let error = read(directory(), name).unwrap_err();
            assert!(
                matches!(error, PassphraseError::CredentialName { .. }),
                "{name}"
            );
        }
        assert!(matches!(
            read(None, "a"),
            Err(PassphraseError::NoCredentials)
        ));
        assert!(matches!(
            read(directory(), "none"),
            Err(PassphraseError::File { .. })
        ));
    }

    #[test]
    fn files_give_their_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        for _ in 0..2 {
            let passphrase = PassphraseFile(path.clone()).passphrase("key").unwrap();
            assert_eq!(passphrase.expose(), b"one");
        }
    }
}
