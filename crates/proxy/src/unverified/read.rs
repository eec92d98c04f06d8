//! Reads a page that nobody has vouched for, HTML (PEP 503) or JSON (PEP 691). What is no distribution
//! of the project, or lies where the proxy would not fetch it, is left out.

use std::collections::BTreeMap;

use html5gum::{HtmlString, StartTag, Token, Tokenizer};
use index::{DistributionFilename, PageLimits, ProjectName, Yanked};
use metadata::Sha256;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::digests::Digests;
use super::page::{UnverifiedFile, UnverifiedPage};

/// Why a page cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnverifiedPageError {
    /// It is not text.
    #[error("the page is not UTF-8")]
    Text,
    /// It is not JSON of this form.
    #[error("the page is no JSON of PEP 691: {why}")]
    Json { why: String },
    /// Another major version of the API than 1 (PEP 629: readers must stop).
    #[error("the page follows another version of the simple API than 1")]
    ApiVersion,
    /// More files than allowed.
    #[error("the page lists more than {limit} files")]
    TooManyFiles { limit: usize },
}

/// What a page says of a file.
#[derive(Default)]
struct Entry {
    filename: String,
    link: String,
    hashes: Vec<(String, String)>,
    size: Option<u64>,
    requires_python: Option<String>,
    upload_time: Option<String>,
    yanked: Yanked,
    core_metadata: Option<String>,
}

/// Reads a page of `project` that came from `url`; `may_link_to` says where its files may lie.
pub(crate) fn read(
    bytes: &[u8],
    project: &ProjectName,
    url: &Url,
    may_link_to: impl Fn(&Url) -> bool,
) -> Result<UnverifiedPage, UnverifiedPageError> {
    let text = std::str::from_utf8(bytes).map_err(|_| UnverifiedPageError::Text)?;
    // By what it is: some servers name no content type, or one for all that they have.
    let (base, entries) = if text.trim_start().starts_with('{') {
        (url.clone(), json(text)?)
    } else {
        html(text, url)
    };
    let limit = PageLimits::default().files;
    if entries.len() > limit {
        return Err(UnverifiedPageError::TooManyFiles { limit });
    }
    let mut files = BTreeMap::new();
    for entry in entries {
        let Some(file) = entry
            .usable(project, &base)
            .filter(|it| may_link_to(&it.url))
        else {
            continue;
        };
        files.entry(file.filename.to_string()).or_insert(file);
    }
    Ok(UnverifiedPage {
        project: project.clone(),
        files,
    })
}

impl Entry {
    fn usable(self, project: &ProjectName, base: &Url) -> Option<UnverifiedFile> {
        let filename = DistributionFilename::parse_for(&self.filename, project).ok()?;
        let mut url = base.join(&self.link).ok()?;
        url.set_fragment(None);
        let hashes = self.hashes.iter().map(|(name, value)| (&**name, &**value));
        let is_specifier = |text: &String| {
            !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic() || it == b' ')
        };
        let is_plain = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
        Some(UnverifiedFile {
            filename,
            url,
            digests: Digests::read(hashes)?,
            size: self.size,
            requires_python: self.requires_python.filter(is_specifier),
            upload_time: self.upload_time.filter(is_specifier),
            yanked: match self.yanked {
                Yanked::Because(reason) if !is_plain(&reason) => Yanked::Yes,
                yanked => yanked,
            },
            // Without a hash nothing would tell the metadata from any other.
            core_metadata: self.core_metadata.and_then(|it| Sha256::parse(&it).ok()),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PageText {
    #[serde(default)]
    meta: Value,
    files: Vec<FileText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FileText {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    size: Option<u64>,
    requires_python: Option<String>,
    upload_time: Option<String>,
    #[serde(default)]
    yanked: Value,
    #[serde(default)]
    core_metadata: Value,
}

fn json(text: &str) -> Result<Vec<Entry>, UnverifiedPageError> {
    let page: PageText = serde_json::from_str(text).map_err(|error| UnverifiedPageError::Json {
        why: error.to_string(),
    })?;
    let version = page.meta.get("api-version").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("1.")) {
        return Err(UnverifiedPageError::ApiVersion);
    }
    let entry = |file: FileText| Entry {
        filename: file.filename,
        link: file.url,
        hashes: file.hashes.into_iter().collect(),
        size: file.size,
        requires_python: file.requires_python,
        upload_time: file.upload_time,
        yanked: match file.yanked {
            Value::Bool(true) => Yanked::Yes,
            Value::String(reason) => Yanked::Because(reason),
            _ => Yanked::No,
        },
        core_metadata: file
            .core_metadata
            .get("sha256")
            .and_then(|it| Some(it.as_str()?.to_owned())),
    };
    Ok(page.files.into_iter().map(entry).collect())
}

/// The links of a page, and what they are relative to. A file's name is the last part of its URL, as
/// installers take it.
fn html(text: &str, url: &Url) -> (Url, Vec<Entry>) {
    let mut base = None;
    let mut entries = Vec::new();
    for Ok(token) in Tokenizer::new(text) {
        let Token::StartTag(tag) = token else {
            continue;
        };
        if tag.name == b"base" {
            let named = attribute(&tag, "href").and_then(|link| url.join(&link).ok());
            base = base.or(named);
        } else if tag.name == b"a" {
            entries.extend(anchor(&tag));
        }
    }
    (base.unwrap_or_else(|| url.clone()), entries)
}

fn anchor(tag: &StartTag<()>) -> Option<Entry> {
    let link = attribute(tag, "href")?;
    let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
    let last = path.split('?').next()?.rsplit('/').next()?;
    let filename = percent_decode_str(last).decode_utf8().ok()?.into_owned();
    let hashes = fragment.split('&').filter_map(|part| part.split_once('='));
    let hashes = hashes
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let yanked = match attribute(tag, "data-yanked") {
        None => Yanked::No,
        Some(reason) if reason.is_empty() => Yanked::Yes,
        Some(reason) => Yanked::Because(reason),
    };
    let metadata = attribute(tag, "data-core-metadata");
    let metadata = metadata.or_else(|| attribute(tag, "data-dist-info-metadata"));
    Some(Entry {
        filename,
        hashes,
        requires_python: attribute(tag, "data-requires-python"),
        yanked,
        core_metadata: metadata.and_then(|it| Some(it.strip_prefix("sha256=")?.to_owned())),
        link,
        ..Entry::default()
    })
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value: &HtmlString = &tag.attributes.get(name.as_bytes())?.value;
    String::from_utf8(value.0.clone()).ok()
}

#[cfg(test)]
mod tests;
