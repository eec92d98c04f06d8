//! From a key URI to a client of the region's key service: region, endpoint, credentials, limits.

use std::path::PathBuf;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_kms::config::{SharedCredentialsProvider, SharedHttpClient};
use keys::AwsKmsUri;

use crate::http;
use crate::{AwsSources, KmsError, KmsLimits};

/// What opening a key takes beside its URI.
#[derive(Clone, Debug, Default)]
pub struct KmsOptions {
    /// A file in the format of `~/.aws/credentials`, such as a systemd credential, in place of all
    /// other sources. Without it and without a profile in the URI, the sources are, in this order:
    /// environment, profile files, web identity (EKS), container (ECS, EKS), instance (EC2). A file
    /// is read once; temporary credentials come from the other sources, which are asked again in
    /// time. Profiles of IAM Identity Center (SSO) are not read: they want a person at a browser.
    pub credentials_file: Option<PathBuf>,
    /// Time-outs, retries, concurrency.
    pub limits: KmsLimits,
}

/// A client, and what errors say about where it leads.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) region: String,
    /// The endpoint as given, or the region's.
    pub(crate) endpoint: String,
    pub(crate) limits: KmsLimits,
}

impl Connection {
    pub(crate) async fn open(uri: &AwsKmsUri, options: &KmsOptions) -> Result<Self, KmsError> {
        check(uri)?;
        let http = SharedHttpClient::new(http::Client::default());
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .retry_config(retries(&options.limits))
            .timeout_config(timeouts(&options.limits));
        if let Some(region) = &uri.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &uri.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        let region = shared.region().ok_or(KmsError::NoRegion)?.clone();
        let mut config = aws_sdk_kms::config::Builder::from(&shared);
        // The SDK's own bucket is shared by all clients of a region in the process and empty after about
        // 100 faults; from then on nothing would be tried again. Tries and concurrency have limits here.
        let tries = RetryPartition::custom("countersign").token_bucket(TokenBucket::unlimited());
        config.set_retry_partition(Some(tries.build()));
        if let Some(endpoint) = &uri.endpoint {
            config.set_endpoint_url(Some(endpoint.clone()));
        }
        let sources = AwsSources {
            region: None,
            profile: uri.profile.clone(),
            credentials_file: options.credentials_file.clone(),
        };
        let only = sources.only(http, Some(region.clone()));
        let unreadable = |source| KmsError::CredentialsFile {
            path: options.credentials_file.clone().unwrap_or_default(),
            source,
        };
        if let Some(provider) = only.map_err(unreadable)? {
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(provider)));
        }
        let endpoint = uri.endpoint.clone();
        Ok(Self {
            client: Client::from_conf(config.build()),
            endpoint: endpoint.unwrap_or_else(|| format!("AWS KMS in {region}")),
            region: region.to_string(),
            limits: options.limits,
        })
    }
}

/// What the grammar of key URIs leaves open.
fn check(uri: &AwsKmsUri) -> Result<(), KmsError> {
    // arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE
    let arn = uri.key.strip_prefix("arn:");
    let arn_region = arn.and_then(|rest| rest.split(':').nth(2));
    if let (Some(arn), Some(given)) = (arn_region, &uri.region)
        && arn != given
    {
        return Err(KmsError::RegionMismatch {
            arn: arn.to_owned(),
            given: given.clone(),
        });
    }
    match &uri.endpoint {
        Some(endpoint) if !endpoint.starts_with("https://") && !http::is_near(endpoint) => {
            Err(KmsError::Endpoint {
                endpoint: endpoint.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn retries(limits: &KmsLimits) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(limits.attempts)
        .with_initial_backoff(limits.first_backoff)
        .with_max_backoff(limits.longest_backoff)
}

fn timeouts(limits: &KmsLimits) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.call)
        .build()
}

#[cfg(test)]
mod tests {
    use keys::KeyUri;

    use super::*;

    fn checked(text: &str) -> Result<(), KmsError> {
        match text.parse() {
            Ok(KeyUri::AwsKms(uri)) => check(&uri),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_region_beside_an_arn_must_agree() {
        let arn = "awskms:arn:aws:kms:eu-central-1:111122223333:alias/online";
        checked(arn).unwrap();
        checked(&format!("{arn}?region=eu-central-1")).unwrap();
        let error = checked(&format!("{arn}?region=us-east-1")).unwrap_err();
        let KmsError::RegionMismatch { arn, given } = error else {
            panic!("{error}");
        };
        assert_eq!(
            (arn.as_str(), given.as_str()),
            ("eu-central-1", "us-east-1")
        );
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        checked("awskms:k?endpoint=http://127.0.0.1:4566").unwrap();
        checked("awskms:k?endpoint=https://kms.index.example").unwrap();
        let error = checked("awskms:k?endpoint=http://kms.index.example").unwrap_err();
        assert!(matches!(error, KmsError::Endpoint { .. }), "{error}");
    }
}
