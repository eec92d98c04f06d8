//! What the tests share: a double, credentials for it, and limits that do not keep a test waiting.

use std::path::PathBuf;
use std::time::Duration;

use countersign_keys_kms::{KmsError, KmsLimits, KmsOptions, KmsSigner};
use keys::{AwsKmsUri, KeyUri};
use kms_double::{KeySpec, KmsDouble, REGION};
use tempfile::TempDir;

/// A double and somebody who holds its credentials.
pub(crate) struct Stand {
    pub(crate) double: KmsDouble,
    pub(crate) options: KmsOptions,
    home: TempDir,
}

impl Stand {
    pub(crate) fn new() -> Self {
        let double = KmsDouble::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let options = KmsOptions {
            credentials_file: Some(home.path().join("credentials")),
            limits: fast(),
        };
        let stand = Self {
            double,
            options,
            home,
        };
        stand.write_credentials(&stand.double.credentials_file());
        stand
    }

    pub(crate) fn write_credentials(&self, text: &str) {
        std::fs::write(self.path("credentials"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The URI of a key by any of its names.
    pub(crate) fn uri(&self, key: &str) -> AwsKmsUri {
        awskms(&format!(
            "awskms:{key}?region={REGION}&endpoint={}",
            self.double.endpoint()
        ))
    }

    pub(crate) fn open(&self, key: &str) -> Result<KmsSigner, KmsError> {
        KmsSigner::open(&self.uri(key), &self.options)
    }

    /// Makes a key and opens it; returns its id too.
    pub(crate) fn signer(&self, spec: KeySpec) -> (KmsSigner, String) {
        let id = self.double.create_key(spec);
        (self.open(&id).unwrap(), id)
    }
}

pub(crate) fn awskms(text: &str) -> AwsKmsUri {
    match text.parse() {
        Ok(KeyUri::AwsKms(uri)) => uri,
        other => panic!("{other:?}"),
    }
}

/// The usual number of tries, without the usual pauses.
pub(crate) fn fast() -> KmsLimits {
    KmsLimits {
        first_backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(20),
        ..KmsLimits::default()
    }
}
