//! Changes of `countersign.toml` that leave alone what somebody has written there, comments included.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::{ConfigFile, Storage, quoted, render_bucket, state_values};
use crate::bucket_options::BucketOptions;
use crate::config::ConfigError;
use crate::failure::Failure;
use crate::places::{StorageArgs, StorePlace};
use crate::replace_file::replace_file;

/// Names another store in the settings, with what is said of its bucket, and leaves the rest as it was
/// written. A file that is not there is made.
pub(crate) fn keep_store(
    path: &Path,
    store: &StorePlace,
    bucket: &BucketOptions,
) -> Result<(), Failure> {
    let named = Some(store.to_string());
    edit(path, &[("store", named.clone())], Some(bucket), |storage| {
        storage.store = named;
        storage.bucket = (*bucket != BucketOptions::default()).then(|| bucket.clone());
    })
}

/// Names another state in the settings, with what is said of its database; likewise. Paths have to be
/// [`crate::config::portable`].
pub(crate) fn keep_state(path: &Path, given: &StorageArgs) -> Result<(), Failure> {
    let values = state_values(given);
    edit(path, &values, None, |storage| {
        storage.state = given.state.as_ref().map(ToString::to_string);
        storage
            .state_password_file
            .clone_from(&given.state_password_file);
        storage
            .state_password_credential
            .clone_from(&given.state_password_credential);
        storage
            .state_authorities
            .clone_from(&given.state_authorities);
    })
}

/// Writes values below `[storage]` in place of those there, or takes them away, and with `bucket` the table
/// below it; refuses a file that does not say what `expected` makes of it then.
fn edit(
    path: &Path,
    values: &[(&'static str, Option<String>)],
    bucket: Option<&BucketOptions>,
    expected: impl FnOnce(&mut Storage),
) -> Result<(), Failure> {
    let text = match fs::read_to_string(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let path = path.to_owned();
            return Err(ConfigError::Read { path, source }.into());
        }
        text => text.unwrap_or_default(),
    };
    let lines = values.iter().filter_map(|(key, value)| {
        let value = value.as_ref()?;
        Some(format!("{key} = {}\n", quoted(value)))
    });
    let named: String = lines.collect();
    let (mut table, mut is_named, mut kept) = (String::new(), false, String::new());
    for line in text.lines() {
        let words = line.trim();
        if words.starts_with('[') {
            words.clone_into(&mut table);
        }
        let key = words.split('=').next().unwrap_or_default().trim();
        let is_replaced = values.iter().any(|(name, _)| *name == key);
        if (bucket.is_some() && table.starts_with("[storage.bucket]"))
            || (table.starts_with("[storage]") && is_replaced)
        {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
        if words.starts_with("[storage]") {
            kept.push_str(&named);
            is_named = true;
        }
    }
    kept.truncate(kept.trim_end().len());
    kept.push('\n');
    if !is_named && !named.is_empty() {
        let _ = write!(kept, "\n[storage]\n{named}");
    }
    kept.push_str(&bucket.map(render_bucket).unwrap_or_default());
    // Written in a way that lines do not show, it would say something else now.
    let (mut before, after) = (
        ConfigFile::parse(path, &text)?,
        ConfigFile::parse(path, &kept)?,
    );
    expected(&mut before.storage);
    if before != after {
        let (path, key) = (path.to_owned(), values[0].0);
        return Err(ConfigError::Unedited { path, key }.into());
    }
    replace_file(path, kept.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_store_is_named_and_the_rest_is_left_as_it_was() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("countersign.toml");
        let bucket = BucketOptions {
            region: Some("eu-central-1".to_owned()),
            path_style: Some(true),
            ..BucketOptions::default()
        };
        let first = "# ours\n[online]\nkeys = [\"file:a.pem\"]  # the one\n";
        fs::write(&path, first).unwrap();
        let store = |text: &str| text.parse::<StorePlace>().unwrap();
        keep_store(&path, &store("s3://abc/public"), &bucket).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(first), "{text}");
        let added = text.replace(
            "[storage]\n",
            "[storage]\nuploads = \"s3://intake\"  # here\n",
        );
        fs::write(&path, added).unwrap();
        keep_store(&path, &store("/srv/index"), &BucketOptions::default()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let last = "\n[storage]\nstore = \"/srv/index\"\nuploads = \"s3://intake\"  # here\n";
        assert_eq!(text, format!("{first}{last}"));
        // Nothing is guessed at.
        for unseen in ["storage = { store = \"x\" }\n", "storage.store = \"x\"\n"] {
            fs::write(&path, unseen).unwrap();
            assert!(keep_store(&path, &store("/srv/index"), &bucket).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), unseen);
        }
    }

    #[test]
    fn another_state_is_named_and_what_was_said_of_the_old_one_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("countersign.toml");
        let first = "[online]\nkeys = []\n\n[storage]\nstore = \"s3://abc\"\n\n\
                     [storage.bucket]\nregion = \"x\"\n";
        fs::write(&path, first).unwrap();
        let database = StorageArgs {
            state: "postgres://index@db.example/index".parse().ok(),
            state_password_file: Some("keys/database".into()),
            ..StorageArgs::default()
        };
        keep_state(&path, &database).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let added = "[storage]\nstate = \"postgres://index@db.example/index\"\n\
                     state-password-file = \"keys/database\"\n";
        assert_eq!(text, first.replace("[storage]\n", added));
        keep_state(&path, &StorageArgs::default()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        // In a table of its own where there is none.
        fs::write(&path, "[online]\nkeys = []\n").unwrap();
        keep_state(&path, &database).unwrap();
        let read = ConfigFile::read(&path).expect("what was written");
        let state = read
            .state_in(Path::new("/data"), &path)
            .expect("an address");
        assert_eq!(state, database.state);
    }
}
