//! Whose bucket a store or the uploads are in, and who asks for it. Never a secret: credentials come from
//! where AWS's own tools find them, or from a file.

use std::path::{Path, PathBuf};

use keys_kms::AwsSources;
use serde::Deserialize;
use store_bucket::{BucketError, Endpoint};

/// Where help lists these options.
const STORAGE: &str = "Storage";

/// What is said of a bucket. What is not said is as AWS has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BucketOptions {
    /// Endpoint of the bucket's service, if it is not AWS
    #[arg(
        long = "store-endpoint",
        value_name = "URL",
        env = "COUNTERSIGN_STORE_ENDPOINT"
    )]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) endpoint: Option<String>,

    /// Region of the bucket [default: as AWS's own tools have it]
    #[arg(
        long = "store-region",
        value_name = "REGION",
        env = "COUNTERSIGN_STORE_REGION"
    )]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) region: Option<String>,

    /// Profile of AWS's own files that may use the bucket
    #[arg(
        long = "store-profile",
        value_name = "NAME",
        env = "COUNTERSIGN_STORE_PROFILE"
    )]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) profile: Option<String>,

    /// File with credentials for the bucket, in the format of ~/.aws/credentials
    #[arg(long = "store-credentials-file", value_name = "FILE")]
    #[arg(env = "COUNTERSIGN_STORE_CREDENTIALS_FILE")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) credentials_file: Option<PathBuf>,

    /// Put the bucket's name into the path of URLs, not into the host
    #[arg(long = "store-path-style", value_name = "true|false")]
    #[arg(env = "COUNTERSIGN_STORE_PATH_STYLE")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) path_style: Option<bool>,

    /// Speak plain HTTP to the endpoint, over a network that nobody else reads
    #[arg(long = "store-plain-http", value_name = "true|false")]
    #[arg(env = "COUNTERSIGN_STORE_PLAIN_HTTP")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = STORAGE, hide_short_help = true)]
    pub(crate) plain_http: Option<bool>,
}

impl BucketOptions {
    /// These, and where they say nothing, those of `file`, whose paths are relative to `folder`.
    pub(crate) fn or(self, file: &Self, folder: &Path) -> Self {
        let credentials = file.credentials_file.as_ref();
        Self {
            endpoint: self.endpoint.or_else(|| file.endpoint.clone()),
            region: self.region.or_else(|| file.region.clone()),
            profile: self.profile.or_else(|| file.profile.clone()),
            credentials_file: self
                .credentials_file
                .or_else(|| credentials.map(|path| folder.join(path))),
            path_style: self.path_style.or(file.path_style),
            plain_http: self.plain_http.or(file.plain_http),
        }
    }

    /// The endpoint they come to.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BucketError> {
        let sources = AwsSources {
            region: self.region.clone(),
            profile: self.profile.clone(),
            credentials_file: self.credentials_file.clone(),
        };
        let is = |flag: Option<bool>| flag.unwrap_or(false);
        let (path_style, plain) = (is(self.path_style), is(self.plain_http));
        Endpoint::new(self.endpoint.as_deref(), path_style, plain, sources)
    }

    /// What each is called in the settings, and what it is, as far as it is said.
    pub(crate) fn lines(&self) -> [(&'static str, Option<String>); 6] {
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
        let file = self.credentials_file.as_ref();
        [
            ("endpoint", self.endpoint.clone()),
            ("region", self.region.clone()),
            ("profile", self.profile.clone()),
            (
                "credentials-file",
                file.map(|path| path.display().to_string()),
            ),
            ("path-style", flag(self.path_style)),
            ("plain-http", flag(self.plain_http)),
        ]
    }
}
