//! From a place and an endpoint to a client of the bucket.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut, S3CopyIfNotExists};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use policy::StoreLimits;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::caller::Caller;
use crate::error::Fault;
use crate::transport::Connector;
use crate::{BucketError, BucketPlace, Endpoint};

/// The first pause before a request is repeated; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A client of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) place: BucketPlace,
    pub(crate) client: AmazonS3,
    endpoint: Endpoint,
    /// What the client was made from, with its source of credentials.
    builder: AmazonS3Builder,
}

impl Connection {
    /// `overwrite` lets an upload in parts replace what is there.
    pub(crate) async fn open(
        place: BucketPlace,
        endpoint: &Endpoint,
        limits: &StoreLimits,
        overwrite: bool,
    ) -> Result<Self, BucketError> {
        let failed = |error: &dyn std::error::Error| BucketError::Connection {
            bucket: place.to_string(),
            source: Fault::new(error),
        };
        let connector = Connector::new(limits, overwrite).map_err(|error| failed(&error))?;
        let caller = endpoint.sources().find().await;
        let caller = caller.map_err(|source| BucketError::Credentials { source })?;
        let mut builder = AmazonS3Builder::new().with_credentials(Arc::new(Caller::new(&caller)));
        match caller.region {
            Some(region) => builder = builder.with_region(region),
            // Other vendors take any.
            None if endpoint.is_of_aws() => return Err(BucketError::NoRegion),
            None => {}
        }
        // A name with dots fits no certificate of AWS.
        let in_path = endpoint.is_path_style() || place.bucket().contains('.');
        if let Some(url) = endpoint.url_for(place.bucket()) {
            builder = builder.with_endpoint(url);
        }
        let builder = builder
            .with_bucket_name(place.bucket())
            .with_virtual_hosted_style_request(!in_path)
            .with_allow_http(endpoint.is_plain_http())
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_copy_if_not_exists(S3CopyIfNotExists::Header(
                "if-none-match".to_owned(),
                "*".to_owned(),
            ))
            .with_http_connector(connector)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: FIRST_PAUSE.min(limits.longest_pause),
                    max_backoff: limits.longest_pause,
                    base: 2.0,
                },
                max_retries: usize::MAX,
                retry_timeout: limits.retry_for,
            });
        let client = builder.clone().build().map_err(|error| failed(&error))?;
        Ok(Self {
            place,
            client,
            endpoint: endpoint.clone(),
            builder,
        })
    }

    /// A client of another bucket of the same service.
    pub(crate) fn for_bucket(&self, bucket: &str) -> object_store::Result<Self> {
        if bucket == self.place.bucket() {
            return Ok(self.clone());
        }
        let mut builder = self.builder.clone().with_bucket_name(bucket);
        if let Some(url) = self.endpoint.url_for(bucket) {
            builder = builder.with_endpoint(url);
        }
        Ok(Self {
            place: self.place.in_bucket(bucket),
            client: builder.clone().build()?,
            endpoint: self.endpoint.clone(),
            builder,
        })
    }

    /// A client that says nothing of who it is, as readers do.
    pub(crate) fn unsigned(&self) -> object_store::Result<AmazonS3> {
        self.builder.clone().with_skip_signature(true).build()
    }

    /// The same client, whose requests carry a signed header more.
    pub(crate) fn with_header(
        &self,
        name: &'static str,
        value: &str,
    ) -> object_store::Result<AmazonS3> {
        let value = HeaderValue::from_str(value).map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
        let options = ClientOptions::new().with_default_headers(headers);
        self.builder.clone().with_client_options(options).build()
    }
}
