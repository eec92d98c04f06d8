//! What the generated units, crontabs and manifests have in common: names that are put into templates.

use std::path::{Component, Path, PathBuf};

/// Names for the templates.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct UnitArgs {
    /// Folder of the index
    #[arg(long, value_name = "DIR", default_value = "/var/lib/countersign")]
    #[arg(env = "COUNTERSIGN_DATA_DIR", value_parser = plain_path)]
    data_dir: String,

    /// This program
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/local/bin/countersign"
    )]
    #[arg(env = "COUNTERSIGN_PROGRAM", value_parser = plain_path)]
    program: String,

    /// System user that owns the folder
    #[arg(long, value_name = "NAME", default_value = "countersign")]
    #[arg(env = "COUNTERSIGN_USER", value_parser = plain_name)]
    user: String,

    /// File with the passphrase of the online key, for root's eyes only
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/countersign/online.passphrase"
    )]
    #[arg(env = "COUNTERSIGN_CREDENTIAL", value_parser = plain_path)]
    credential: String,
}

impl UnitArgs {
    /// The template with the names put in.
    pub(super) fn fill(&self, template: &str) -> String {
        template
            .replace("@HARDENED@", HARDENED)
            .replace("@DATA_DIR@", &self.data_dir)
            .replace("@PROGRAM@", &self.program)
            .replace("@USER@", &self.user)
            .replace("@PASSPHRASE@", &self.credential)
    }
}

/// What every service may not do.
const HARDENED: &str = include_str!("templates/hardened.txt");

/// An absolute path that means the same to systemd, cron, a shell and YAML: nothing to quote.
pub(super) fn plain_path(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte);
    let path = PathBuf::from(text);
    let goes_up = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || goes_up(&path) {
        return Err("not an absolute path");
    }
    if !text.bytes().all(is_plain) {
        return Err("a unit file can only name letters, digits and . _ + - / without quotes");
    }
    Ok(text.to_owned())
}

fn plain_name(text: &str) -> Result<String, &'static str> {
    let first = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if first && text.len() <= 32 && text.bytes().all(rest) {
        return Ok(text.to_owned());
    }
    Err("not the name of a user: lower-case letters, digits, _ and -")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_no_quotes_are_taken() {
        for good in ["/srv/index", "/opt/c+s/1.0_b/x-y"] {
            assert!(plain_path(good).is_ok(), "{good}");
        }
        for bad in [
            "index",
            "/srv/../etc",
            "/srv/a b",
            "/srv/%h",
            "/srv/$x",
            "/srv/a\nb",
            "/srv/'",
            "/srv/{}",
            "/srv/@USER@",
        ] {
            assert!(plain_path(bad).is_err(), "{bad}");
        }
        assert!(plain_name("index-signer").is_ok());
        for bad in ["", "0", "a b", "root\n", "Root", "%u"] {
            assert!(plain_name(bad).is_err(), "{bad}");
        }
    }
}
