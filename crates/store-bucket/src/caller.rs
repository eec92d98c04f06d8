//! Credentials for each request: from the sources that keys in AWS KMS use, kept while they last.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use keys_kms::AwsCaller;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

/// Temporary credentials are fetched anew when they last no longer than this: a request may be tried again
/// with them for minutes.
const LASTS: Duration = Duration::from_mins(5);

/// Who asks.
#[derive(Debug)]
pub(crate) struct Caller {
    source: SharedCredentialsProvider,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    credential: Arc<AwsCredential>,
    until: Option<SystemTime>,
}

impl Caller {
    pub(crate) fn new(caller: &AwsCaller) -> Self {
        Self {
            source: caller.credentials.clone(),
            known: Mutex::new(None),
        }
    }
}

#[async_trait]
impl CredentialProvider for Caller {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // Held while they are fetched: one of many requests asks, the others wait for it.
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && known
                .until
                .is_none_or(|until| SystemTime::now() + LASTS < until)
        {
            return Ok(Arc::clone(&known.credential));
        }
        let fetched = self.source.provide_credentials().await;
        let fetched = fetched.map_err(|error| object_store::Error::Unauthenticated {
            path: "credentials".to_owned(),
            source: Box::new(error),
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: fetched.access_key_id().to_owned(),
            secret_key: fetched.secret_access_key().to_owned(),
            token: fetched.session_token().map(ToOwned::to_owned),
        });
        *known = Some(Known {
            credential: Arc::clone(&credential),
            until: fetched.expiry(),
        });
        Ok(credential)
    }
}
