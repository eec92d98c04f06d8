//! One key of AWS KMS: its public key read once and pinned, its signatures asked for and verified.

use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::primitives::{Blob, DateTimeFormat};
use aws_sdk_kms::types::KeyState;
use keys::{AwsKmsUri, SignatureCheck, public_key_from_pem};
use metadata::{KeyId, PublicKey, Signature};
use spki::der::pem::{LineEnding, encode_string};
use tokio::sync::Semaphore;

use crate::KmsError;
use crate::classify::printable;
use crate::connection::{Connection, KmsOptions};
use crate::kind::{Kind, Request};

/// The names of actions in policies; errors use them.
const GET_PUBLIC_KEY: &str = "kms:GetPublicKey";
const SIGN: &str = "kms:Sign";

/// A key in AWS KMS, for callers in an async runtime. Others use [`crate::KmsSigner`].
pub struct KmsKey {
    connection: Connection,
    /// The key as the operator names it. Requests repeat that name and not the key's ARN: policies
    /// can make the name a condition (`kms:RequestAlias`).
    name: String,
    uri: String,
    /// The ARN that answered when the key was opened.
    arn: String,
    kind: Kind,
    public_key: PublicKey,
    key_id: KeyId,
    check: SignatureCheck,
    permits: Semaphore,
}

impl KmsKey {
    /// Reads the public key and checks that it is one for signing metadata.
    pub async fn open(uri: &AwsKmsUri, options: &KmsOptions) -> Result<Self, KmsError> {
        let connection = Connection::open(uri, options).await?;
        let request = connection.client.get_public_key().key_id(&uri.key);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = connection.failed(GET_PUBLIC_KEY, error);
                return Err(connection.with_state(&uri.key, error).await);
            }
        };
        let kind = Kind::of(&answer)?;
        let public_key = public_key(&answer, kind)?;
        let key_id = public_key.id();
        let check =
            SignatureCheck::new(&public_key).map_err(|flaw| KmsError::PublicKey { flaw })?;
        Ok(Self {
            permits: Semaphore::new(connection.limits.concurrency.max(1)),
            connection,
            name: uri.key.clone(),
            uri: format!("awskms:{uri}"),
            arn: answer.key_id.unwrap_or_default(),
            kind,
            public_key,
            key_id,
            check,
        })
    }

    /// The public key, as it was when the key was opened.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The id of [`Self::public_key`] (TUF 4.2.1).
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The key URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Signs canonical bytes; the signature has been verified.
    pub async fn sign(&self, message: &[u8]) -> Result<Signature, KmsError> {
        let answer = self.ask(self.request(message)?).await?;
        self.accept(message, answer)
    }

    /// Most requests under way at once.
    pub(crate) fn concurrency(&self) -> usize {
        self.connection.limits.concurrency.max(1)
    }

    /// Prepares what is sent for a document.
    pub(crate) fn request(&self, message: &[u8]) -> Result<Request, KmsError> {
        self.kind.request(message)
    }

    /// Gets a signature, not yet verified.
    pub(crate) async fn ask(&self, request: Request) -> Result<Vec<u8>, KmsError> {
        let _permit = self.permits.acquire().await.map_err(|_| KmsError::Ended)?;
        let sign = self.connection.client.sign().key_id(&self.name);
        let sent = sign
            .message(Blob::new(request.message))
            .message_type(request.message_type)
            .signing_algorithm(request.algorithm)
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                let error = self.connection.failed(SIGN, error);
                return Err(self.connection.with_state(&self.name, error).await);
            }
        };
        let found = answer.key_id.unwrap_or_default();
        if found != self.arn {
            return Err(KmsError::Repointed {
                pinned: self.arn.clone(),
                found: printable(&found),
            });
        }
        let signature = answer
            .signature
            .ok_or_else(|| wrong(SIGN, "no signature"))?;
        Ok(self.kind.padded(signature.into_inner()))
    }

    /// Verifies a signature before anybody sees it.
    pub(crate) fn accept(&self, message: &[u8], bytes: Vec<u8>) -> Result<Signature, KmsError> {
        if !self.check.verifies(message, &bytes) {
            return Err(KmsError::BadSignature {
                keyid: self.key_id.clone(),
            });
        }
        Ok(Signature {
            keyid: self.key_id.clone(),
            bytes,
        })
    }
}

impl Connection {
    /// Asks for the state of a key that is said to be in a wrong one. Without permission to ask,
    /// what the service said must do.
    async fn with_state(&self, key: &str, error: KmsError) -> KmsError {
        let KmsError::KeyState { message, .. } = error else {
            return error;
        };
        let described = self.client.describe_key().key_id(key).send().await;
        let metadata = described.ok().and_then(|answer| answer.key_metadata);
        let state = metadata
            .as_ref()
            .and_then(|metadata| metadata.key_state.clone());
        match state {
            Some(KeyState::Disabled) => KmsError::Disabled,
            Some(KeyState::PendingDeletion) => KmsError::PendingDeletion {
                date: metadata
                    .and_then(|metadata| metadata.deletion_date)
                    .and_then(|date| date.fmt(DateTimeFormat::DateTime).ok()),
            },
            Some(state) => KmsError::KeyState {
                state: printable(state.as_str()),
                message,
            },
            None if message.ends_with("is pending deletion.") => {
                KmsError::PendingDeletion { date: None }
            }
            None => KmsError::KeyState {
                state: "unknown".to_owned(),
                message,
            },
        }
    }
}

fn public_key(answer: &GetPublicKeyOutput, kind: Kind) -> Result<PublicKey, KmsError> {
    let der = answer
        .public_key
        .as_ref()
        .map(Blob::as_ref)
        .unwrap_or_default();
    let flaw = |flaw| KmsError::PublicKey { flaw };
    let pem =
        encode_string("PUBLIC KEY", LineEnding::LF, der).map_err(|_| flaw(keys::KeyFlaw::Der))?;
    let key = public_key_from_pem(&pem).map_err(flaw)?;
    if key.scheme() != kind.scheme() {
        return Err(wrong(
            GET_PUBLIC_KEY,
            "the public key is not of its key spec",
        ));
    }
    Ok(key)
}

fn wrong(action: &'static str, what: &'static str) -> KmsError {
    KmsError::Answer {
        action,
        source: what.into(),
    }
}
