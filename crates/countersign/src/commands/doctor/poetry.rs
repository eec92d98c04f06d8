//! What a project tells poetry, which has no variable for its index: under `exec` its other sources are
//! refused, not replaced.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use super::{Findings, Level};
use crate::trusted::Entry;

const CHECK: &str = "poetry";

/// Largest file that is looked into, in bytes.
const MOST_BYTES: u64 = 1_000_000;

impl Findings {
    /// The sources of the project that this folder is in, if poetry has one.
    pub(super) fn poetry(&mut self, entries: &[Entry]) {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let Some((file, sources)) = project(&folder) else {
            return;
        };
        let known: Vec<Url> = entries.iter().flat_map(urls).collect();
        let file = file.display();
        let Some(first) = known.first() else {
            return;
        };
        let add = format!(
            "name the trusted index there: `poetry source add --priority primary main {first}`"
        );
        if sources.is_empty() {
            let found = format!(
                "{file} names no source, so poetry asks its default index, which `exec` refuses"
            );
            self.add((CHECK, None), Level::Warning, found, Some(add));
            return;
        }
        let mut is_well = true;
        for source in sources {
            let is_known = source
                .parse::<Url>()
                .is_ok_and(|url| known.contains(&with_slash(url)));
            if !is_known {
                is_well = false;
                let shown: String = source
                    .chars()
                    .filter(|it| !it.is_control())
                    .take(200)
                    .collect();
                let found =
                    format!("{file} names {shown}, which is no trusted index: `exec` refuses it");
                self.add((CHECK, None), Level::Warning, found, Some(add.clone()));
            }
        }
        if is_well {
            self.ok(CHECK, None, format!("{file} names trusted indexes alone"));
        }
    }
}

/// The URLs under which `exec` answers for an index.
fn urls(entry: &Entry) -> Vec<Url> {
    let canonical = entry.anchor().canonical().ok().flatten();
    let own = canonical.map(|it| it.index().clone());
    let proxy = format!("http://{}/simple/", entry.address()).parse().ok();
    own.into_iter().chain(proxy).collect()
}

fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// The nearest project of poetry's here or above, and the sources it names.
fn project(folder: &Path) -> Option<(PathBuf, Vec<String>)> {
    folder.ancestors().find_map(|folder| {
        let file = folder.join("pyproject.toml");
        let about = fs::metadata(&file).ok()?;
        let is_small = about.is_file() && about.len() <= MOST_BYTES;
        let text = is_small.then(|| fs::read_to_string(&file).ok())??;
        Some((file, sources(&text)?))
    })
}

/// `None` if it is none of poetry's. Sources that are asked only where a requirement names them count, too.
fn sources(text: &str) -> Option<Vec<String>> {
    let table: toml::Table = text.parse().ok()?;
    let poetry = table.get("tool")?.get("poetry")?;
    let sources = poetry.get("source").and_then(toml::Value::as_array);
    let urls = sources.into_iter().flatten().map(|source| {
        let url = source.get("url").and_then(toml::Value::as_str);
        // The default index has a name and no URL.
        let name = source.get("name").and_then(toml::Value::as_str);
        url.or(name).unwrap_or_default().to_owned()
    });
    Some(urls.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_those_of_the_nearest_project() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).expect("made");
        assert_eq!(project(&below), None);
        let write = |path: &str, text: &str| {
            fs::write(folder.path().join(path), text).expect("written");
        };
        write("a/pyproject.toml", "[project]\nname = \"p\"\n");
        assert_eq!(project(&below), None);
        let text = "[[tool.poetry.source]]\nname = \"main\"\nurl = \"https://index.example/simple\"\n\
                    [[tool.poetry.source]]\nname = \"PyPI\"\npriority = \"supplemental\"\n";
        write("a/pyproject.toml", text);
        let (file, found) = project(&below).expect("poetry's");
        assert_eq!(file, folder.path().join("a/pyproject.toml"));
        assert_eq!(found, ["https://index.example/simple", "PyPI"]);
        write("a/b/pyproject.toml", "[tool.poetry]\nname = \"p\"\n");
        assert_eq!(project(&below).expect("poetry's").1, [""; 0]);
    }
}
