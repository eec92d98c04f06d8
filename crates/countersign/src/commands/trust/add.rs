//! `countersign trust add`: from now on everything on an index is held to a root that came by a safe
//! way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ArgGroup;
use clap::builder::FalseyValueParser;
use url::Url;

use super::report::Report;
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::client::Place;
use crate::console::{Console, in_one_line};
use crate::failure::Failure;
use crate::runtime;
use crate::trusted::{Anchor, Fingerprint, HomeArgs, TrustError, fetch_root};

/// Trust an index: its root is given, or named by its fingerprint
///
/// The root, or the fingerprint, has to come by a way that the index's server has no hand in. With a
/// fingerprint the root is fetched and must have it. What is trusted once stays trusted through every
/// later root that it signs, and nothing else is. The password of a private index is taken from the
/// netrc file, for the host it names, or from the keyring, for the user whom the URL names
/// (`https://USER@…`), and sent over TLS only.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("origin").required(true))]
pub(crate) struct Args {
    /// What to call it
    name: String,

    /// URL of the index; `metadata/` and `targets/` lie below it
    #[arg(required_unless_present = "anchor")]
    url: Option<Url>,

    /// File of the root, such as 1.root.json
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ROOT", group = "origin")]
    root: Option<PathBuf>,

    /// SHA-256 of the root, as sha256: and 64 hex digits
    #[arg(
        long,
        value_name = "DIGEST",
        env = "COUNTERSIGN_ROOT_DIGEST",
        group = "origin"
    )]
    root_digest: Option<String>,

    /// The root's sixteen words, as somebody read them to you
    #[arg(
        long,
        value_name = "WORDS",
        env = "COUNTERSIGN_WORDS",
        group = "origin"
    )]
    words: Option<String>,

    /// File that `trust export` wrote: URL, root and least versions
    #[arg(
        long,
        value_name = "FILE",
        env = "COUNTERSIGN_ANCHOR",
        group = "origin"
    )]
    anchor: Option<PathBuf>,

    /// Trust whatever root the index serves now: whoever stands in between today stays trusted
    #[arg(long, env = "COUNTERSIGN_TRUST_ON_FIRST_USE", group = "origin")]
    #[arg(value_parser = FalseyValueParser::new())]
    trust_on_first_use: bool,

    /// URL of the target files, where they do not lie below the index's
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_TARGETS_URL")]
    targets_url: Option<Url>,

    /// URL of the index as installers and lock files name it [default: `simple/` below the index's]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_CANONICAL_URL")]
    canonical_url: Option<Url>,

    /// URL below which lock files name its files, where it is on another host than the index
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_FILES_URL")]
    files_url: Option<Url>,

    /// Least version of a role; below it nothing is believed
    #[arg(
        long,
        value_name = "ROLE=VERSION",
        value_delimiter = ',',
        env = "COUNTERSIGN_MINIMUM"
    )]
    #[arg(value_parser = minimum)]
    minimum: Vec<(String, u64)>,

    /// Accept metadata as other programs write it, not only the strict form this one writes
    #[arg(long, env = "COUNTERSIGN_LENIENT", value_parser = FalseyValueParser::new())]
    lenient: bool,

    /// Port of this machine on which installers find the index [default: the first free from 8440]
    #[arg(long, value_name = "PORT", env = "COUNTERSIGN_PROXY_PORT")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    proxy_port: Option<u16>,

    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    json: JsonArgs,
}

fn minimum(text: &str) -> Result<(String, u64), String> {
    let (role, version) = text.split_once('=').ok_or("it is not ROLE=VERSION")?;
    let role = metadata::Role::parse(role).map_err(|error| error.to_string())?;
    let version: u64 = version.parse().map_err(|_| "the version is no number")?;
    let version = metadata::Version::new(version).map_err(|error| error.to_string())?;
    Ok((role.name().to_owned(), version.get()))
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let home = args.home.open()?;
    let (entry, refreshed) = runtime::run(async {
        let anchor = args.anchor().await?;
        let entry = home.add(&args.name, anchor).await?;
        let updater = entry.place()?.updater()?;
        Ok((entry, updater.refresh(clock::now()).await))
    })?;
    // Trusted it is; whether it can be used now, the user wants to know, too.
    if let Err(error) = &refreshed {
        tracing::warn!("nothing could be verified yet: {}", in_one_line(error));
    }
    if args.trust_on_first_use {
        tracing::warn!(
            "nobody vouches for this root: compare its words with somebody who knows them, \
             or whoever served it decides what you install"
        );
    }
    let report = runtime::run(async { Report::of(&entry, clock::now()).await })?;
    console.report(args.json.json, &report, || {
        format!(
            "{}\nInstall from it: countersign exec --index {} -- pip install NAME",
            report.text(),
            report.name
        )
    })
}

impl Args {
    async fn anchor(&self) -> Result<Anchor, Failure> {
        let urls = [&self.url, &self.targets_url];
        if urls.into_iter().flatten().any(|it| it.password().is_some()) {
            return Err(TrustError::Password.into());
        }
        if let Some(path) = &self.anchor {
            let mut anchor = Anchor::parse(&text_of(path)?, path)?;
            if let Some(url) = &self.url {
                url.as_str().clone_into(&mut anchor.url);
            }
            let text = |url: &Url| Some(url.to_string());
            anchor.canonical_url = self
                .canonical_url
                .as_ref()
                .map_or(anchor.canonical_url, text);
            anchor.files_url = self.files_url.as_ref().map_or(anchor.files_url, text);
            anchor.minimum.extend(self.minimum.iter().cloned());
            anchor.port = self.proxy_port;
            return Ok(anchor);
        }
        // clap asks for it.
        let url = self.url.as_ref().map(Url::to_string).unwrap_or_default();
        let mut anchor = Anchor {
            url,
            targets_url: self.targets_url.as_ref().map(Url::to_string),
            canonical_url: self.canonical_url.as_ref().map(Url::to_string),
            files_url: self.files_url.as_ref().map(Url::to_string),
            lenient: self.lenient,
            port: self.proxy_port,
            root: String::new(),
            minimum: BTreeMap::from_iter(self.minimum.clone()),
        };
        anchor.canonical()?;
        anchor.root = match &self.root {
            Some(path) => text_of(path)?,
            None => self.fetched(&anchor).await?,
        };
        Ok(anchor)
    }

    async fn fetched(&self, anchor: &Anchor) -> Result<String, Failure> {
        let fingerprint = match (&self.root_digest, &self.words) {
            (Some(digest), _) => digest.parse()?,
            (None, Some(words)) => Fingerprint::words(words)?,
            (None, None) => Fingerprint::Nothing,
        };
        let place = Place {
            keyring: self.home.keyring_provider,
            ..anchor.place(Path::new(""))?
        };
        let root = fetch_root(&place, &fingerprint).await?;
        String::from_utf8(root).map_err(|_| not_text(Path::new("the root served")).into())
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| not_text(path).into())
}

fn not_text(path: &Path) -> TrustError {
    TrustError::Anchor {
        path: path.to_owned(),
        why: "it is no text".to_owned(),
    }
}
