//! What quickstart publishes: a folder, or samples that the program carries.

use std::fs;
use std::path::{Path, PathBuf};

use index::DistributionFilename;

use crate::commands::index::{Collected, collect, show_refused};
use crate::data_dir::{DataDir, make_folder};
use crate::failure::Failure;

/// Small distributions of this project, so that the program shows something anywhere.
const SAMPLES: [(&str, &[u8]); 3] = [
    (
        "countersign_sample_cli-1.0.0.tar.gz",
        include_bytes!("../../../../../tests/samples/dist/countersign_sample_cli-1.0.0.tar.gz"),
    ),
    (
        "countersign_sample_greeter-1.0.0-py3-none-any.whl",
        include_bytes!(
            "../../../../../tests/samples/dist/countersign_sample_greeter-1.0.0-py3-none-any.whl"
        ),
    ),
    (
        "countersign_sample_words-1.0.0-py3-none-any.whl",
        include_bytes!(
            "../../../../../tests/samples/dist/countersign_sample_words-1.0.0-py3-none-any.whl"
        ),
    ),
];

/// Where the distributions come from.
pub(super) enum Inputs {
    /// The samples.
    Samples,
    /// A folder, already looked through.
    Folder(PathBuf, Collected),
}

impl Inputs {
    /// Looks through the folder. One without any distribution is refused at once.
    pub(super) fn find(folder: Option<&Path>) -> Result<Self, Failure> {
        let Some(folder) = folder else {
            return Ok(Self::Samples);
        };
        let collected = collect(&[folder.to_owned()]);
        let is_distribution = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            DistributionFilename::parse(&name).is_ok()
        };
        if collected.files.iter().any(is_distribution) {
            return Ok(Self::Folder(folder.to_owned(), collected));
        }
        show_refused(&collected.refused);
        Err(Failure::NothingToAdd {
            path: folder.to_owned(),
        })
    }

    /// What they are, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Samples => format!("{} sample distributions", SAMPLES.len()),
            Self::Folder(folder, _) => folder.display().to_string(),
        }
    }

    /// The files; samples are written out first.
    pub(super) fn collect(self, data_dir: &DataDir) -> Result<Collected, Failure> {
        let folder = match self {
            Self::Folder(_, collected) => return Ok(collected),
            Self::Samples => data_dir.samples(),
        };
        make_folder(&folder)?;
        for (name, bytes) in SAMPLES {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|source| Failure::Io {
                doing: "write",
                path,
                source,
            })?;
        }
        Ok(collect(&[folder]))
    }
}
