//! What a web server is told about an object: its media type, and how long caches may keep it.

use object_store::{Attribute, Attributes};
use repository::StorePath;

/// For objects that never change: a year, the longest that RFC 9111 caches honour in practice.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Media type and cache lifetime of an object, by its path alone; pointers live for `pointer_seconds`.
pub(crate) fn of(path: &StorePath, pointer_seconds: u64) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, media_type(path.as_str()).into());
    let cache = if path.is_pointer() {
        format!("public, max-age={pointer_seconds}")
    } else {
        FOR_EVER.to_owned()
    };
    attributes.insert(Attribute::CacheControl, cache.into());
    attributes
}

/// As `countersign serve` answers for a folder. No `.gz` is called compressed: caches would undo it.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        _ if path.ends_with(index::PAGE_FILE) => "application/vnd.pypi.simple.v1+json",
        Some((rest, "json")) if rest.starts_with("simple/") => {
            "application/vnd.pypi.simple.v1+json"
        }
        Some((_, "json")) if path.starts_with("metadata/") => "application/json",
        Some((rest, "html")) if rest.starts_with("simple/") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_object_says_what_it_is_and_how_long_it_lives() {
        let json = "application/vnd.pypi.simple.v1+json";
        let seconds = "public, max-age=9";
        for (path, media, cache) in [
            ("metadata/timestamp.json", "application/json", seconds),
            ("metadata/7.root.json", "application/json", FOR_EVER),
            ("simple/a/index.html", "text/html; charset=utf-8", seconds),
            ("simple/a/index.json", json, seconds),
            (
                "targets/simple/ca/a/0a.vnd.pypi.simple.v1.json",
                json,
                FOR_EVER,
            ),
            (
                "packages/ca/a/a-1.tar.gz",
                "application/octet-stream",
                FOR_EVER,
            ),
            ("packages/ca/a/a.json", "application/octet-stream", FOR_EVER),
        ] {
            let found = of(&StorePath::parse(path).unwrap(), 9);
            assert_eq!(
                found.get(&Attribute::ContentType),
                Some(&media.into()),
                "{path}"
            );
            assert_eq!(
                found.get(&Attribute::CacheControl),
                Some(&cache.into()),
                "{path}"
            );
        }
    }
}
