//! Where files lie below the two base URLs. Names from metadata are escaped byte by byte, so that
//! none of them can leave its folder or become a query.

use metadata::{Role, TargetPath, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::{ClientError, without_credentials};

/// Everything but RFC 3986 "unreserved" is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A URL under which files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(Url);

impl Base {
    /// Takes a URL with or without a final slash.
    pub(crate) fn new(url: &Url) -> Result<Self, ClientError> {
        let refused = |why| ClientError::BaseUrl {
            url: without_credentials(url).to_string(),
            why,
        };
        if url.cannot_be_a_base() {
            return Err(refused("it has no path"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it has a query or fragment"));
        }
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(base))
    }

    /// `VERSION.ROLE.json`, or `ROLE.json` where no version is given.
    pub(crate) fn role(&self, role: &Role, version: Option<Version>) -> Url {
        self.file(&version.map_or_else(|| role.file_name(), |v| role.versioned_file_name(v)))
    }

    /// `dir/HASH.file`, or `dir/file` where no prefix is given (TUF 6.2.1).
    pub(crate) fn target(&self, path: &TargetPath, prefix: Option<&str>) -> Url {
        let (dir, file) = path
            .as_str()
            .rsplit_once('/')
            .unwrap_or(("", path.as_str()));
        let mut out = String::new();
        for segment in dir.split('/').filter(|segment| !segment.is_empty()) {
            out.extend(utf8_percent_encode(segment, ESCAPED));
            out.push('/');
        }
        if let Some(prefix) = prefix {
            out.push_str(prefix);
            out.push('.');
        }
        out.extend(utf8_percent_encode(file, ESCAPED));
        self.file(&out)
    }

    /// The delta from one version of the snapshot to another.
    pub(crate) fn delta(&self, new: Version, from: Version) -> Url {
        // Two numbers and a fixed text: there is nothing to escape.
        self.file(&deltas::file_name(new, from))
    }

    /// `escaped` is escaped already; setting a path leaves escapes as they are.
    fn file(&self, escaped: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{escaped}", self.0.path()));
        url
    }
}

/// One file name for a whole target path: no two paths share it, none leaves the folder.
#[must_use]
pub fn local_name(path: &TargetPath) -> String {
    utf8_percent_encode(path.as_str(), ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::new(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn role_names_stay_in_their_folder() {
        let version = Some(Version::FIRST);
        for url in [
            "http://index.example/metadata",
            "http://index.example/metadata/",
        ] {
            let url_of = |name| {
                base(url)
                    .role(&Role::parse(name).unwrap(), version)
                    .to_string()
            };
            assert_eq!(url_of("root"), "http://index.example/metadata/1.root.json");
            assert_eq!(
                url_of("../a?/b#c%"),
                "http://index.example/metadata/1...%2Fa%3F%2Fb%23c%25.json"
            );
        }
        let unversioned = base("http://index.example/").role(&Role::Timestamp, None);
        assert_eq!(unversioned.as_str(), "http://index.example/timestamp.json");
    }

    #[test]
    fn a_digest_stands_before_the_last_segment() {
        let path = TargetPath::parse("a b/c?/d+1.whl").unwrap();
        let base = base("http://index.example");
        let url = |prefix| base.target(&path, prefix).to_string();
        assert_eq!(
            url(Some("ab")),
            "http://index.example/a%20b/c%3F/ab.d%2B1.whl"
        );
        assert_eq!(url(None), "http://index.example/a%20b/c%3F/d%2B1.whl");
        assert_eq!(local_name(&path), "a%20b%2Fc%3F%2Fd%2B1.whl");
    }

    #[test]
    fn a_base_is_a_folder() {
        for bad in [
            "data:x",
            "http://index.example/?a",
            "http://index.example/#a",
        ] {
            assert!(Base::new(&Url::parse(bad).unwrap()).is_err(), "{bad}");
        }
    }
}
