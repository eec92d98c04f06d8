//! `awskms:` names a key of AWS KMS. It is read here, so that both programs share one grammar, and
//! opened by a crate that has network.

use std::fmt;

use super::query;
use crate::UriError;

/// A key of AWS KMS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsKmsUri {
    /// A key id, `alias/NAME`, or the ARN of either.
    pub key: String,
    /// The region; taken from an ARN, if none is given.
    pub region: Option<String>,
    /// The URL of an endpoint other than the region's: a VPC endpoint or a double for tests.
    pub endpoint: Option<String>,
    /// The profile in the AWS configuration files that has the credentials.
    pub profile: Option<String>,
}

const PARAMETERS: &[&str] = &["region", "endpoint", "profile"];
/// Longest key name KMS takes (API reference, `KeyId`).
const MAX_KEY: usize = 2048;

impl AwsKmsUri {
    pub(super) fn parse(rest: &str) -> Result<Self, UriError> {
        let (key, query) = query::Query::split("awskms", rest, PARAMETERS)?;
        // Others write `awskms:///KEY`.
        let key = key.strip_prefix("///").unwrap_or(key);
        if !is_key(key) {
            return Err(UriError::KmsKey);
        }
        Ok(Self {
            region: query
                .one("region", is_region)?
                .or_else(|| arn_region(key).map(str::to_owned)),
            key: key.to_owned(),
            endpoint: query.one("endpoint", is_endpoint)?,
            profile: query.one("profile", |profile| !profile.is_empty())?,
        })
    }
}

fn is_key(key: &str) -> bool {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    let resource = match key.strip_prefix("arn:") {
        // arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE
        Some(arn) => match arn.split(':').collect::<Vec<_>>()[..] {
            [_, "kms", region, _, resource] if is_region(region) => {
                match resource.strip_prefix("key/") {
                    Some(id) if is_id(id) => return key.len() <= MAX_KEY,
                    Some(_) => return false,
                    None => resource,
                }
            }
            _ => return false,
        },
        None if is_id(key) => return key.len() <= MAX_KEY,
        None => key,
    };
    key.len() <= MAX_KEY
        && key.bytes().all(alphabet)
        && resource
            .strip_prefix("alias/")
            .is_some_and(|name| !name.is_empty())
}

/// A UUID, or `mrk-` and hex digits.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_endpoint(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    })
}

fn arn_region(key: &str) -> Option<&str> {
    key.strip_prefix("arn:")?.split(':').nth(2)
}

impl fmt::Display for AwsKmsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A region that stands in the ARN already is not repeated.
        let region = self.region.as_deref();
        let region = region.filter(|region| arn_region(&self.key) != Some(*region));
        let pairs = [
            ("region", region),
            ("endpoint", self.endpoint.as_deref()),
            ("profile", self.profile.as_deref()),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        write!(f, "{}{}", self.key, query::write(given))
    }
}
