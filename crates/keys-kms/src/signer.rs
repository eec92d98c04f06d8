//! Keys of AWS KMS behind the trait that every back end implements.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use keys::{AwsKmsUri, KeyError, KeyUri, OpenedSigner, Opener, PassphraseSource, Signer};
use metadata::{KeyId, PublicKey, Signature, UnverifiedSignature};

use crate::worker::Worker;
use crate::{KmsError, KmsKey, KmsOptions};

/// A key in AWS KMS. Callers block until the service has answered, at most
/// [`crate::KmsLimits::call`] for each document; the waiting is done by a thread of the signer's own,
/// so calls from inside an async runtime cannot deadlock (they hold up their own thread only).
pub struct KmsSigner {
    key: Arc<KmsKey>,
    worker: Worker,
}

impl KmsSigner {
    /// Reads the public key and checks that it is one for signing metadata, and the one expected.
    pub fn open(uri: &AwsKmsUri, options: &KmsOptions) -> Result<Self, KmsError> {
        let worker = Worker::start()?;
        let (uri, options) = (uri.clone(), options.clone());
        let key = worker.run(async move { KmsKey::open(&uri, &options).await })??;
        Ok(Self {
            key: Arc::new(key),
            worker,
        })
    }

    /// Signs many documents, several at once ([`crate::KmsLimits::concurrency`]). The signatures
    /// have been verified and come in the order of the documents; the first failure ends it all.
    pub fn sign_many(&self, messages: &[&[u8]]) -> Result<Vec<Signature>, KmsError> {
        let requests = messages.iter().map(|message| self.key.request(message));
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        let key = Arc::clone(&self.key);
        let answers: Vec<Vec<u8>> = self.worker.run(async move {
            let concurrency = key.concurrency();
            let asked = requests.into_iter().map(|request| key.ask(request));
            stream::iter(asked)
                .buffered(concurrency)
                .try_collect()
                .await
        })??;
        let pairs = messages.iter().zip(answers);
        pairs
            .map(|(message, bytes)| self.key.accept(message, bytes))
            .collect()
    }

    fn sign_one(&self, message: &[u8]) -> Result<Signature, KmsError> {
        let request = self.key.request(message)?;
        let key = Arc::clone(&self.key);
        let bytes = self.worker.run(async move { key.ask(request).await })??;
        self.key.accept(message, bytes)
    }
}

impl Signer for KmsSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn key_id(&self) -> &KeyId {
        self.key.key_id()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        self.sign_one(message)
            .map_err(|error| named(self.key.uri(), error))
    }

    fn sign_many(&self, messages: &[&[u8]]) -> Result<Vec<UnverifiedSignature>, KeyError> {
        let signatures = Self::sign_many(self, messages);
        let signatures = signatures.map_err(|error| named(self.key.uri(), error))?;
        Ok(signatures.into_iter().map(Into::into).collect())
    }

    fn describe(&self) -> String {
        self.key.uri().to_owned()
    }
}

/// Opens `awskms:` keys for [`KeyUri::open`]. A program with network puts it among its openers.
#[derive(Clone, Debug, Default)]
pub struct KmsOpener {
    /// What opening takes beside the URI.
    pub options: KmsOptions,
}

impl Opener for KmsOpener {
    fn open(
        &self,
        uri: &KeyUri,
        _: &dyn PassphraseSource,
    ) -> Option<Result<OpenedSigner, KeyError>> {
        let KeyUri::AwsKms(key) = uri else {
            return None;
        };
        let opened = KmsSigner::open(key, &self.options).map(|signer| OpenedSigner {
            signer: Box::new(signer),
            warnings: Vec::new(),
        });
        Some(opened.map_err(|error| named(&uri.to_string(), error)))
    }
}

/// Says which key it was. What every back end has in common keeps its own variant.
fn named(key: &str, error: KmsError) -> KeyError {
    let key = key.to_owned();
    match error {
        KmsError::BadSignature { keyid } => KeyError::BadSignature { key, keyid },
        KmsError::PublicKey { flaw } => KeyError::Unusable { key, flaw },
        error => KeyError::Other {
            key,
            source: Box::new(error),
        },
    }
}
