//! A project page of an index that signs nothing, as far as it can be served: links to this proxy, and
//! the hashes that the page gives.

use std::collections::BTreeMap;
use std::fmt::Write;

use index::{DistributionFilename, ProjectName, Yanked};
use metadata::Sha256;
use serde_json::{Map, Value, json};
use url::Url;

use super::digests::Digests;

/// The version of the simple API that such a page follows: 1.1 would ask for sizes (PEP 700).
const API_VERSION: &str = "1.0";

/// A page.
#[derive(Debug)]
pub(crate) struct UnverifiedPage {
    pub(crate) project: ProjectName,
    /// By name.
    pub(crate) files: BTreeMap<String, UnverifiedFile>,
}

/// A file of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnverifiedFile {
    pub(crate) filename: DistributionFilename,
    /// Where the index says it is.
    pub(crate) url: Url,
    pub(crate) digests: Digests,
    pub(crate) size: Option<u64>,
    pub(crate) requires_python: Option<String>,
    pub(crate) upload_time: Option<String>,
    pub(crate) yanked: Yanked,
    pub(crate) core_metadata: Option<Sha256>,
}

impl UnverifiedPage {
    /// The page as JSON (PEP 691).
    pub(crate) fn render_json(&self, url: impl Fn(&UnverifiedFile) -> String) -> Vec<u8> {
        let files: Vec<Value> = self
            .files
            .values()
            .map(|file| file.to_json(url(file)))
            .collect();
        let page = json!({
            "meta": { "api-version": API_VERSION },
            "name": self.project.as_str(),
            "files": files,
        });
        page.to_string().into_bytes()
    }

    /// The page as HTML (PEP 503).
    pub(crate) fn render_html(&self, url: impl Fn(&UnverifiedFile) -> String) -> Vec<u8> {
        let mut out = format!(
            "<!DOCTYPE html>\n<html>\n  <head>\n    \
             <meta name=\"pypi:repository-version\" content=\"{API_VERSION}\">\n    \
             <title>Links for {0}</title>\n  </head>\n  <body>\n    <h1>Links for {0}</h1>\n",
            self.project
        );
        for file in self.files.values() {
            file.add_anchor(&mut out, &url(file));
        }
        out.push_str("  </body>\n</html>\n");
        out.into_bytes()
    }
}

impl UnverifiedFile {
    fn to_json(&self, url: String) -> Value {
        let mut file = Map::new();
        file.insert("filename".to_owned(), self.filename.as_str().into());
        file.insert("url".to_owned(), url.into());
        file.insert("hashes".to_owned(), json!(self.digests.all()));
        if let Some(specifier) = &self.requires_python {
            file.insert("requires-python".to_owned(), specifier.as_str().into());
        }
        if let Some(size) = self.size {
            file.insert("size".to_owned(), size.into());
        }
        if let Some(time) = &self.upload_time {
            file.insert("upload-time".to_owned(), time.as_str().into());
        }
        match &self.yanked {
            Yanked::No => {}
            Yanked::Yes => drop(file.insert("yanked".to_owned(), true.into())),
            Yanked::Because(reason) => {
                file.insert("yanked".to_owned(), reason.as_str().into());
            }
        }
        if let Some(sha256) = &self.core_metadata {
            let hashes = json!({ "sha256": sha256.to_string() });
            file.insert("core-metadata".to_owned(), hashes);
        }
        Value::Object(file)
    }

    fn add_anchor(&self, out: &mut String, url: &str) {
        let mut attribute = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = write!(out, " {name}=\"{}\"", escaped(value));
        };
        let fragment = self.digests.fragment();
        attribute("<a href", &format!("{url}{fragment}"));
        if let Some(specifier) = &self.requires_python {
            attribute("data-requires-python", specifier);
        }
        match &self.yanked {
            Yanked::No => {}
            Yanked::Yes => attribute("data-yanked", ""),
            Yanked::Because(reason) => attribute("data-yanked", reason),
        }
        if let Some(sha256) = &self.core_metadata {
            // pip before 23.2 knows only the name that PEP 658 gave and PEP 714 replaced.
            for name in ["data-core-metadata", "data-dist-info-metadata"] {
                attribute(name, &format!("sha256={sha256}"));
            }
        }
        let _ = writeln!(out, ">{}</a><br>", escaped(self.filename.as_str()));
    }
}

/// Text as it may stand in an element or between double quotes in a tag.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            other => out.push(other),
        }
    }
    out
}
