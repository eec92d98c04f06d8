//! Puts documents and signatures together into the files for the index.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use draft::{DraftDocument, Linted, SignedFile};
use trust::Authority;

use crate::event::{LintedEvent, Voucher};
use crate::transcript::Done;
use crate::{CeremonyError, Event, FileDigest, Step, sign};

/// Folder of the result.
pub(crate) const FOLDER: &str = "publish-set";

/// The files for the index, nothing secret in them.
#[derive(Clone, Debug)]
pub struct PublishSet {
    /// The folder they are in.
    pub folder: PathBuf,
    /// Root, targets and bins, as far as the ceremony makes them.
    pub files: Vec<SignedFile>,
}

impl Event {
    /// Seals every payload once its thresholds are met and writes `publish-set/`. Repeating it is
    /// harmless; once written, later signatures change nothing any more (one version, one byte
    /// string: TUF 4.4).
    pub fn combine(&self, now: DateTime<Utc>) -> Result<PublishSet, CeremonyError> {
        let files = self.sealed(self.lint(now)?)?;
        let transcript = self.check_recorded(&[sign::FOLDER])?;
        self.check_clock(now)?;
        for file in &files {
            self.folder
                .create_file(&format!("{FOLDER}/{}", file.file_name()), file.bytes())?;
        }
        let made = |file: &SignedFile| FileDigest {
            name: format!("{FOLDER}/{}", file.file_name()),
            sha256: file.sha256().to_string(),
        };
        let outputs: Vec<FileDigest> = files.iter().map(made).collect();
        if !outputs.iter().all(|file| transcript.records(file)) {
            let done = Done {
                step: Step::Combined,
                inputs: Vec::new(),
                outputs,
                note: String::new(),
            };
            self.record(&self.actor, now, done, None)?;
        }
        let folder = self.publish_set_path();
        Ok(PublishSet { folder, files })
    }

    /// Where the files for the index are once the event is combined.
    #[must_use]
    pub fn publish_set_path(&self) -> PathBuf {
        Path::join(self.path(), FOLDER)
    }

    /// The signed files as the signatures of the event make them.
    pub(crate) fn sealed(&self, linted: LintedEvent) -> Result<Vec<SignedFile>, CeremonyError> {
        self.check_no_stray_signatures()?;
        let mut files = Vec::new();
        if let Some(root) = linted.root {
            files.push(self.seal(root)?);
        }
        for role in [linted.targets, linted.bins].into_iter().flatten() {
            files.push(self.seal(role)?);
        }
        Ok(files)
    }

    fn seal<R: DraftDocument>(&self, linted: Linted<R>) -> Result<SignedFile, CeremonyError> {
        let signatures = self.signatures(linted.role(), linted.canonical())?;
        let role = linted.role().clone();
        let vouchers = self.vouchers(&role)?;
        let authorities: Vec<Authority<'_>> = vouchers.iter().map(Voucher::authority).collect();
        Ok(linted.seal(&signatures, &authorities)?.into_file())
    }
}
