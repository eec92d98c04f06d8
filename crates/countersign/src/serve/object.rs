//! What a request path names: a file of the repository, how it is typed, how long it stays true.

use std::path::PathBuf;

use index::ProjectName;
use percent_encoding::percent_decode_str;
use proxy::Form;
use repository::StorePath;

/// A versioned or hashed name never means other bytes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// What is replaced: long enough to spare a crowd, short enough for fresh metadata to be seen.
pub(super) const MOMENT: &str = "public, max-age=5";

/// What to answer to a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file.
    File(Object),
    /// A project's page, in the form asked for.
    Page(ProjectName),
    /// The same under its proper name.
    Moved(String),
    /// Nothing we have.
    Nothing,
}

/// A file of the repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Below the repository's folder; never outside.
    pub(super) path: PathBuf,
    /// Its content type.
    pub(super) content_type: &'static str,
    /// Its Cache-Control.
    pub(super) cache: &'static str,
}

/// Reads a request path.
pub(super) fn wanted(path: &str) -> Wanted {
    let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8();
    let Ok(decoded) = decoded else {
        return Wanted::Nothing;
    };
    match decoded.split_once('/') {
        Some(("simple", rest)) => page(rest),
        Some(("metadata" | "targets" | "packages", _)) => file(&decoded),
        _ => Wanted::Nothing,
    }
}

/// `simple/NAME/`, under the normalized name and with the slash (PEP 503).
fn page(rest: &str) -> Wanted {
    let name = rest.strip_suffix('/').unwrap_or(rest);
    match ProjectName::parse(name) {
        Ok(project) if rest == format!("{project}/") => Wanted::Page(project),
        Ok(project) => Wanted::Moved(format!("/simple/{project}/")),
        Err(_) => Wanted::Nothing,
    }
}

fn file(path: &str) -> Wanted {
    // The same rules that kept every name inside the folder when it was written.
    let Some(stored) = StorePath::parse(path) else {
        return Wanted::Nothing;
    };
    // Writers' unfinished files begin with a dot.
    if path.split('/').any(|segment| segment.starts_with('.')) {
        return Wanted::Nothing;
    }
    let content_type = match path.rsplit_once('.') {
        _ if path.ends_with(index::PAGE_FILE) => Form::Json.content_type(),
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    };
    let cache = if path == "metadata/timestamp.json" {
        MOMENT
    } else {
        FOREVER
    };
    Wanted::File(Object {
        path: PathBuf::from(stored.as_str()),
        content_type,
        cache,
    })
}

impl Object {
    /// A project's page, as the mirror keeps it.
    pub(super) fn page(project: &ProjectName, form: Form) -> Self {
        let file = match form {
            Form::Json => "index.json",
            Form::Html | Form::PlainHtml => "index.html",
        };
        Self {
            path: ["simple", project.as_str(), file].iter().collect(),
            content_type: form.content_type(),
            cache: MOMENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn cache_of(path: &str) -> Option<&'static str> {
        match wanted(path) {
            Wanted::File(object) => Some(object.cache),
            _ => None,
        }
    }

    #[test]
    fn names_that_are_replaced_are_kept_for_a_moment_only() {
        assert_eq!(cache_of("/metadata/timestamp.json"), Some(MOMENT));
        for path in ["/metadata/1.root.json", "/targets/a/b", "/packages/x.whl"] {
            assert_eq!(cache_of(path), Some(FOREVER), "{path}");
        }
    }

    #[test]
    fn nothing_outside_is_named() {
        for path in [
            "/",
            "/state.sqlite",
            "/metadata",
            "/metadata/",
            "/metadata/../state.sqlite",
            "/metadata/%2e%2e/state.sqlite",
            "/targets/..%2f..%2fstate.sqlite",
            "/targets//etc/passwd",
            "/targets/a\\b",
            "/targets/%00",
            "/targets/%ff",
            "/metadata/.tmp1",
            "/simple/",
            "/simple/../state",
            "/simple/a/index.html",
            "/simple/a%2f..%2fb/",
        ] {
            assert_eq!(wanted(path), Wanted::Nothing, "{path}");
        }
    }

    #[test]
    fn pages_have_one_name() {
        let project = ProjectName::parse("my-project").expect("a name");
        assert_eq!(wanted("/simple/my-project/"), Wanted::Page(project));
        for other in [
            "/simple/my-project",
            "/simple/My_Project/",
            "/simple/my.project",
        ] {
            assert_eq!(
                wanted(other),
                Wanted::Moved("/simple/my-project/".to_owned())
            );
        }
    }

    proptest! {
        #[test]
        fn no_request_leaves_the_folder(path in "/(metadata|targets|packages|simple)?[\\PC/.%]{0,40}") {
            if let Wanted::File(object) = wanted(&path) {
                let inside = |part| matches!(part, Component::Normal(_));
                prop_assert!(Path::new(&object.path).components().all(inside));
            }
        }
    }
}
