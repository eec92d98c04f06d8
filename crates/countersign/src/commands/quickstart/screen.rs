//! What quickstart says while it works.

use std::net::SocketAddr;
use std::path::Path;

use policy::Encoding;
use repository::{Intake, Settings, TickReport};

use super::genesis::Genesis;
use super::inputs::Inputs;
use crate::commands::client::Downloaded;
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::installers;

pub(super) fn begin(console: &Console, data_dir: &DataDir, inputs: &Inputs) -> Result<(), Failure> {
    let (from, to) = (inputs.describe(), data_dir.path().display());
    console.say(format!("An index signed with TUF, from {from}, in {to}\n"))
}

pub(super) fn ceremony(
    console: &Console,
    data_dir: &DataDir,
    genesis: &Genesis,
) -> Result<(), Failure> {
    let (root_keys, signed) = genesis.root_keys;
    let (folder, keys) = (data_dir.keys(), genesis.keys);
    let made = format!("{keys} made, each encrypted, in {}", folder.display());
    step(console, "keys", &made)?;
    let folder = data_dir.ceremony();
    let held = format!(
        "root v1 signed by {signed} of its {root_keys} keys, targets v1, bins v1; see {}",
        folder.display()
    );
    step(console, "ceremony", &held)
}

pub(super) fn index(console: &Console, settings: &Settings) -> Result<(), Failure> {
    let bins = settings.layout.count.get();
    let encoding = match settings.layout.encoding {
        Encoding::PathHashPrefixes => "by path hash prefixes",
        Encoding::Succinct => "succinct, TAP 15",
    };
    let policy = &settings.policy.name;
    step(
        console,
        "index",
        &format!("policy {policy}, {bins} bins {encoding}"),
    )
}

pub(super) fn added(console: &Console, intake: &Intake) -> Result<(), Failure> {
    let mut label = "added";
    for one in &intake.accepted {
        step(console, label, one.filename.as_str())?;
        label = "";
    }
    Ok(())
}

pub(super) fn published(console: &Console, report: &TickReport) -> Result<(), Failure> {
    let mut parts = vec![format!("{} bins", report.bins)];
    parts.extend(
        report
            .snapshot
            .map(|version| format!("snapshot v{version}")),
    );
    parts.extend(
        report
            .timestamp
            .map(|version| format!("timestamp v{version}")),
    );
    step(console, "published", &parts.join(", "))
}

pub(super) fn verified(console: &Console, one: &Downloaded) -> Result<(), Failure> {
    let name = one.file.file_name().unwrap_or_default().to_string_lossy();
    let role = &one.role;
    let text = format!("{name}, as {role} signed it, from nothing but the root");
    step(console, "verified", &text)
}

/// What nobody may copy from here.
pub(super) fn keep_apart(console: &Console, data_dir: &DataDir) -> Result<(), Failure> {
    let (offline, online) = (data_dir.offline_keys(), data_dir.online_keys());
    console.say(format!(
        "\nBefore anybody relies on this index:\n\
         \x20 * {} holds the keys of root, targets and bins. They belong offline, on\n\
         \x20   separate media, with different people. Running the index needs none of them.\n\
         \x20 * {} holds the one key that signs every day. It stays online.\n\
         \x20 * A .passphrase file beside its key is a convenience of this quickstart that no\n\
         \x20   production index may copy: whoever copies the folder has the keys.",
        offline.display(),
        online.display()
    ))
}

/// How to install from it.
pub(super) fn install(
    console: &Console,
    repository: SocketAddr,
    proxy: SocketAddr,
    project: &str,
) -> Result<(), Failure> {
    console.say(format!(
        "\nThe repository is at http://{repository}/, the verifying proxy at http://{proxy}/simple/\n\
         \n\
         Install, verified (only what is on this index is found):\n{}\n",
        installers::command_lines(proxy, project)
    ))?;
    installers::warn_of_leaks();
    Ok(())
}

/// The last words of `--once`, or the first of serving on.
pub(super) fn end(
    console: &Console,
    once: bool,
    refused: usize,
    data_dir: &DataDir,
    repository: SocketAddr,
    root: &Path,
) -> Result<(), Failure> {
    if refused > 0 {
        console.say(format!("{refused} files were refused, see above."))?;
    }
    if once {
        let (dir, root) = (data_dir.path().display(), root.display());
        return console.say(format!(
            "Done. To go on, each in a terminal of its own:\n\
             \x20 countersign serve --data-dir {dir}\n\
             \x20 countersign online run --data-dir {dir}\n\
             \x20 countersign proxy --metadata-url http://{repository}/metadata/ \\\n\
             \x20     --root {root}"
        ));
    }
    console.say("Serving, and signing what becomes due. Ctrl-C ends it.")
}

fn step(console: &Console, label: &str, text: &str) -> Result<(), Failure> {
    console.say(format!("{label:<10} {text}"))
}
