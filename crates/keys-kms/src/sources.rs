//! Where credentials of AWS come from, for everything of this program that asks AWS.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::http;

/// What is said of the caller; what is not said comes from the environment, profile files, web identity
/// (EKS), container (ECS, EKS) and instance (EC2), in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSources {
    /// The region.
    pub region: Option<String>,
    /// A profile of the profile files, in place of all other sources.
    pub profile: Option<String>,
    /// A file in the format of `~/.aws/credentials`, such as a systemd credential, in place of all
    /// other sources.
    pub credentials_file: Option<PathBuf>,
}

/// Who the caller is, and where.
#[derive(Clone, Debug)]
pub struct AwsCaller {
    /// Gives credentials, temporary ones anew each time: whoever asks keeps them while they last.
    pub credentials: SharedCredentialsProvider,
    /// The region, if anything names one.
    pub region: Option<String>,
}

impl AwsSources {
    /// Finds the sources. Asks the network for nothing but, without any other source, the region of the
    /// instance it runs on.
    ///
    /// # Errors
    ///
    /// If the credentials file cannot be opened.
    pub async fn find(&self) -> io::Result<AwsCaller> {
        let http = SharedHttpClient::new(http::Client::default());
        let mut loader =
            aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        let region = shared.region().cloned();
        let one = self.only(http, region.clone())?;
        let credentials = one.map(SharedCredentialsProvider::new);
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no credentials of AWS");
        Ok(AwsCaller {
            credentials: credentials
                .or_else(|| shared.credentials_provider())
                .ok_or_else(missing)?,
            region: region.map(|region| region.to_string()),
        })
    }

    /// The one source, where a file or a profile is named: the SDK's chain would let variables of the
    /// environment win over both. A profile may name further sources itself (`role_arn`,
    /// `web_identity_token_file`, `credential_process`).
    pub(crate) fn only(
        &self,
        http: SharedHttpClient,
        region: Option<Region>,
    ) -> io::Result<Option<ProfileFileCredentialsProvider>> {
        let config = ProviderConfig::without_region()
            .with_http_client(http)
            .with_region(region);
        let mut provider = ProfileFileCredentialsProvider::builder().configure(&config);
        if let Some(path) = &self.credentials_file {
            // The SDK reads it later and would only say that there are no credentials.
            File::open(path)?;
            let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, path);
            provider = provider.profile_files(files.build());
        } else if self.profile.is_none() {
            return Ok(None);
        }
        if let Some(profile) = &self.profile {
            provider = provider.profile_name(profile);
        }
        Ok(Some(provider.build()))
    }
}
