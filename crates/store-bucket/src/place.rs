//! Where a bucket is: `s3://BUCKET/PREFIX`, at AWS or at an endpoint of another vendor.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use keys_kms::AwsSources;
use object_store::path::Path;
use repository::StorePath;
use url::{Host, Url};

use crate::BucketError;

/// A bucket, and the prefix below which the repository lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPlace {
    bucket: String,
    prefix: Path,
}

impl BucketPlace {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Below which all objects lie; without slashes at its ends, empty for the whole bucket.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.prefix.as_ref()
    }

    /// Refuses a place for uploads that readers of a store could see, or that the store lies in.
    pub fn is_apart_from(&self, store: &Self) -> Result<(), BucketError> {
        let lies_in = |inner: &Self, outer: &Self| {
            let rest = inner.prefix().strip_prefix(outer.prefix());
            let is_below =
                |rest: &str| outer.prefix().is_empty() || rest.is_empty() || rest.starts_with('/');
            inner.bucket == outer.bucket && rest.is_some_and(is_below)
        };
        if lies_in(self, store) || lies_in(store, self) {
            return Err(BucketError::Place {
                given: self.to_string(),
                why: "what is taken in would lie where the store is, for everybody to read",
            });
        }
        Ok(())
    }

    /// The same prefix in another bucket.
    pub(crate) fn in_bucket(&self, bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: self.prefix.clone(),
        }
    }

    /// The key of an object.
    pub(crate) fn key(&self, path: &StorePath) -> Path {
        self.below(path.as_str())
    }

    /// The key of anything else below the prefix.
    pub(crate) fn below(&self, name: &str) -> Path {
        let key = format!("{}/{name}", self.prefix);
        // As it is; escaped only where that is no key, which the names of a repository never need.
        Path::parse(&key).unwrap_or_else(|_| Path::from(key))
    }

    /// The object that a key is, if its name could be ours.
    pub(crate) fn object(&self, key: &Path) -> Option<StorePath> {
        let key = key.as_ref();
        let name = if self.prefix().is_empty() {
            key
        } else {
            key.strip_prefix(self.prefix())?.strip_prefix('/')?
        };
        // What else lies below the prefix is none of the repository's.
        let (folder, file) = name.split_once('/')?;
        let is_ours = FOLDERS.contains(&folder) && !file.starts_with('.');
        is_ours.then(|| StorePath::parse(name)).flatten()
    }
}

/// The folders of a repository.
const FOLDERS: &[&str] = &["metadata", "packages", "simple", "targets"];

impl FromStr for BucketPlace {
    type Err = BucketError;

    fn from_str(given: &str) -> Result<Self, BucketError> {
        let wrong = |why| BucketError::Place {
            given: given.to_owned(),
            why,
        };
        let rest = given
            .strip_prefix("s3://")
            .ok_or(wrong("it does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |name: &str| {
            let letters = name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
            });
            letters && (3..=63).contains(&name.len()) && !name.starts_with(['-', '.'])
        };
        if !is_name(bucket) {
            return Err(wrong(
                "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens",
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        // A key may begin with a slash or have two in a row; a path below it could not.
        let is_path = prefix.is_empty() || StorePath::parse(prefix).is_some();
        if !is_path || !prefix.bytes().all(is_plain) {
            return Err(wrong("a prefix has letters, digits, `-`, `.`, `_` and `/`"));
        }
        let prefix = Path::parse(prefix).map_err(|_| wrong("the prefix is no key"))?;
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix,
        })
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix().is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// Whose bucket it is, in which region, and who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    url: Option<String>,
    path_style: bool,
    sources: AwsSources,
}

impl Endpoint {
    /// The endpoint of a vendor or, without a URL, of AWS. Plain HTTP is for this machine alone, unless
    /// `insecure` says that the network between is trusted. `path_style` puts the bucket's name into the
    /// path, which most servers of one's own want; without a URL it is never needed.
    pub fn new(
        url: Option<&str>,
        path_style: bool,
        insecure: bool,
        sources: AwsSources,
    ) -> Result<Self, BucketError> {
        if let Some(given) = url {
            let wrong = |why| BucketError::Endpoint {
                given: given.to_owned(),
                why,
            };
            let parsed = Url::parse(given).map_err(|_| wrong("it is no URL"))?;
            let has_user = !parsed.username().is_empty() || parsed.password().is_some();
            let host = parsed.host().ok_or(wrong("it names no host"))?;
            match parsed.scheme() {
                _ if has_user || parsed.query().is_some() || parsed.fragment().is_some() => {
                    return Err(wrong(
                        "it has more than a scheme, a host, a port and a path",
                    ));
                }
                "https" => {}
                "http" if insecure || is_this_machine(&host) => {}
                "http" => return Err(wrong("plain HTTP would show everybody what is read")),
                _ => return Err(wrong("only https and http are spoken")),
            }
        }
        Ok(Self {
            url: url.map(|url| url.trim_end_matches('/').to_owned()),
            path_style,
            sources,
        })
    }

    /// The URL for requests to `bucket`, if it is not one of AWS.
    pub(crate) fn url_for(&self, bucket: &str) -> Option<String> {
        let url = self.url.as_ref()?;
        if self.path_style {
            return Some(url.clone());
        }
        let (scheme, rest) = url.split_once("://")?;
        Some(format!("{scheme}://{bucket}.{rest}"))
    }

    pub(crate) fn sources(&self) -> &AwsSources {
        &self.sources
    }

    pub(crate) fn is_of_aws(&self) -> bool {
        self.url.is_none()
    }

    pub(crate) fn is_path_style(&self) -> bool {
        self.path_style && self.url.is_some()
    }

    pub(crate) fn is_plain_http(&self) -> bool {
        self.url
            .as_ref()
            .is_some_and(|url| url.starts_with("http://"))
    }
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether a host is this machine or on its link, where instances and containers find their credentials:
/// nothing a proxy should see.
pub(crate) fn is_near(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2::254 and fd00:ec2::23 are the instance and container endpoints.
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        for (given, bucket, prefix, shown) in [
            ("s3://index-store", "index-store", "", "s3://index-store"),
            ("s3://index-store/", "index-store", "", "s3://index-store"),
            ("s3://abc/a/b/", "abc", "a/b", "s3://abc/a/b"),
        ] {
            let place: BucketPlace = given.parse().unwrap();
            assert_eq!((place.bucket(), place.prefix()), (bucket, prefix));
            assert_eq!(place.to_string(), shown);
            let path = StorePath::parse("packages/ca/a/a-1.0~rc+1.whl").unwrap();
            let key = place.key(&path);
            assert!(key.as_ref().ends_with(path.as_str()), "{key}");
            assert_eq!(place.object(&key), Some(path));
        }
        for wrong in [
            "index-store",
            "s3://",
            "s3://ab",
            "s3://Index",
            "s3://-ab",
            "s3://abc/../x",
            "s3://abc//x",
            "s3://abc/x y",
            "https://index.example/",
            "s3://user@abc/x",
        ] {
            assert!(wrong.parse::<BucketPlace>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn uploads_lie_apart_from_what_is_public() {
        let place = |text: &str| text.parse::<BucketPlace>().unwrap();
        for (uploads, store) in [
            ("s3://abc/new", "s3://abc/public"),
            ("s3://abc/publicity", "s3://abc/public"),
            ("s3://abd", "s3://abc"),
        ] {
            place(uploads).is_apart_from(&place(store)).unwrap();
            place(store).is_apart_from(&place(uploads)).unwrap();
        }
        for (uploads, store) in [
            ("s3://abc/new", "s3://abc"),
            ("s3://abc/public/new", "s3://abc/public"),
            ("s3://abc/public", "s3://abc/public"),
        ] {
            place(uploads).is_apart_from(&place(store)).unwrap_err();
            place(store).is_apart_from(&place(uploads)).unwrap_err();
        }
    }

    #[test]
    fn keys_of_others_are_not_ours() {
        let place: BucketPlace = "s3://abc/ours".parse().unwrap();
        for key in [
            "theirs/x",
            "oursx/y",
            "ours",
            "x/ours/y",
            "ours/.incoming/x",
            "ours/metadata/.x",
        ] {
            assert_eq!(place.object(&Path::parse(key).unwrap()), None, "{key}");
        }
        assert!(
            place
                .object(&Path::parse("ours/simple/x").unwrap())
                .is_some()
        );
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_said() {
        let endpoint =
            |url, insecure| Endpoint::new(Some(url), true, insecure, AwsSources::default());
        for near in [
            "http://127.0.0.1:9000",
            "http://localhost:9000/",
            "http://[::1]:9000",
        ] {
            endpoint(near, false).unwrap();
        }
        for far in [
            "http://store.index.example",
            "http://127.0.0.1.index.example",
            "http://localhost:1@index.example/",
            "http://10.0.0.1:9000",
        ] {
            endpoint(far, false).unwrap_err();
        }
        endpoint("http://10.0.0.1:9000", true).unwrap();
        endpoint("https://store.index.example/base", false).unwrap();
        for wrong in [
            "https://u:p@store.index.example",
            "https://x.example/?a",
            "ftp://x.example",
            "x",
        ] {
            endpoint(wrong, true).unwrap_err();
        }
    }

    #[test]
    fn the_bucket_stands_in_the_host_or_in_the_path() {
        let url = Some("https://store.index.example");
        let hosted = Endpoint::new(url, false, false, AwsSources::default()).unwrap();
        let expected = "https://abc.store.index.example";
        assert_eq!(hosted.url_for("abc").as_deref(), Some(expected));
        let in_path = Endpoint::new(url, true, false, AwsSources::default()).unwrap();
        assert_eq!(in_path.url_for("abc").as_deref(), url);
        assert_eq!(Endpoint::default().url_for("abc"), None);
    }

    #[test]
    fn tells_this_machine_from_others() {
        for near in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "169.254.169.254",
            "[fd00:ec2::254]",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "10.0.0.1",
            "index.example",
            "localhost.index.example",
            "fd00::1",
            "",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }
}
