//! A requirement (PEP 508), as far as it says which files are meant: project and versions.

use index::{ProjectName, Specifiers};

use crate::{LockError, LockedFile, excerpt, project};

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The project.
    pub project: ProjectName,
    /// Its extras as written. They add dependencies, not files.
    pub extras: Vec<String>,
    /// The versions it takes.
    pub specifiers: Specifiers,
    /// Where it comes from, if not from an index: what stands behind `@`, shortened.
    pub url: Option<String>,
    /// The environments in which it counts, as written.
    pub marker: Option<String>,
    /// The digests of which its files must have one; none where none is promised.
    pub hashes: Vec<LockedFile>,
}

impl Requirement {
    /// Parses one requirement, such as `requests[socks]>=2.31,<3; python_version >= "3.9"`.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let refused = |why| LockError::Requirement {
            found: excerpt(text),
            why,
        };
        let text = text.trim();
        let end = text.find(|it: char| !(it.is_ascii_alphanumeric() || "._-".contains(it)));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let project = project(name)?;
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| refused("has no `]`"))?,
            None => ("", rest.trim_start()),
        };
        let extras = extras.split(',').map(str::trim).filter(|it| !it.is_empty());
        let mut requirement = Self {
            project,
            extras: extras.map(str::to_owned).collect(),
            specifiers: Specifiers::default(),
            url: None,
            marker: None,
            hashes: Vec::new(),
        };
        if let Some(url) = rest.trim_start().strip_prefix('@') {
            // A URL may hold `;`: a marker begins behind white space.
            let (url, marker) = match url.find(" ;") {
                Some(at) => (&url[..at], Some(&url[at + 2..])),
                None => (url, None),
            };
            requirement.url = Some(excerpt(url.trim()));
            requirement.marker = marker.map(|it| it.trim().to_owned());
            return Ok(requirement);
        }
        let (specifiers, marker) = match rest.split_once(';') {
            Some((specifiers, marker)) => (specifiers, Some(marker.trim().to_owned())),
            None => (rest, None),
        };
        let inner = specifiers.trim();
        let inner = inner
            .strip_prefix('(')
            .map_or(Some(inner), |it| it.strip_suffix(')'))
            .ok_or_else(|| refused("has no `)`"))?;
        requirement.specifiers =
            Specifiers::parse(inner).map_err(|source| LockError::Specifiers { source })?;
        requirement.marker = marker;
        Ok(requirement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found() {
        let text = "Requests [socks, use_chardet] >= 2.8.1, == 2.8.* ; python_version < '2.7'";
        let requirement = Requirement::parse(text).unwrap();
        assert_eq!(requirement.project.as_str(), "requests");
        assert_eq!(requirement.extras, ["socks", "use_chardet"]);
        assert_eq!(requirement.specifiers.to_string(), ">=2.8.1,==2.8.*");
        assert_eq!(
            requirement.marker.as_deref(),
            Some("python_version < '2.7'")
        );
        for (text, specifiers) in [
            ("a", ""),
            ("a(>=1)", ">=1"),
            ("a==1", "==1"),
            ("a ~=1.0", "~=1.0"),
        ] {
            let found = Requirement::parse(text).unwrap();
            assert_eq!(found.specifiers.to_string(), specifiers, "{text}");
        }
        let elsewhere = Requirement::parse("a @ https://code.example/x;y.zip ; x == '1'").unwrap();
        assert_eq!(
            elsewhere.url.as_deref(),
            Some("https://code.example/x;y.zip")
        );
        assert_eq!(elsewhere.marker.as_deref(), Some("x == '1'"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "", "==1", "a b", "a[x", "a (>=1", "a>=x", "a=1", "-a", "a;", "a/b",
        ] {
            let parsed = Requirement::parse(bad);
            // An empty marker says nothing.
            assert!(parsed.is_err() || bad == "a;", "{bad:?}");
        }
    }
}
