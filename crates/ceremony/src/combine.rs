//! Puts documents and signatures together into the files for the index.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use draft::{DraftDocument, Linted, SignedFile};
use trust::Authority;

use crate::event::LintedEvent;
use crate::sign::signature_file;
use crate::transcript::Done;
use crate::voucher::Voucher;
use crate::{CeremonyError, Event, FileDigest, Step, sign};

/// Folder of the result.
pub(crate) const FOLDER: &str = "publish-set";

/// The files for the index, nothing secret in them.
#[derive(Clone, Debug)]
pub struct PublishSet {
    /// The folder they are in.
    pub folder: PathBuf,
    /// Root, targets, bins, `claimed` and its shards, as far as the ceremony makes them.
    pub files: Vec<SignedFile>,
}

impl Event {
    /// Seals every payload once its thresholds are met and writes `publish-set/`. Repeating it is
    /// harmless; once written, signatures that a merge brings in change nothing any more (one
    /// version, one byte string: TUF 4.4).
    pub fn combine(&self, now: DateTime<Utc>) -> Result<PublishSet, CeremonyError> {
        let linted = self.lint(now)?;
        self.status()?;
        let transcript = self.check_recorded(&[sign::FOLDER])?;
        self.check_clock(now)?;
        let used = match transcript.combined_from() {
            Some(used) => used,
            None => self.all_signatures()?,
        };
        let files = self.sealed(linted, &used)?;
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
                inputs: used.into_iter().collect(),
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

    /// The signed files as these signatures make them.
    pub(crate) fn sealed(
        &self,
        linted: LintedEvent,
        used: &BTreeSet<FileDigest>,
    ) -> Result<Vec<SignedFile>, CeremonyError> {
        self.check_no_stray_signatures()?;
        let mut files = Vec::new();
        if let Some(root) = linted.root {
            files.push(self.seal(root, used)?);
        }
        let roles = linted.targets.into_iter().chain(linted.bins);
        for role in roles.chain(linted.claimed) {
            files.push(self.seal(role, used)?);
        }
        Ok(files)
    }

    /// Every signature there is, as it is.
    fn all_signatures(&self) -> Result<BTreeSet<FileDigest>, CeremonyError> {
        let mut found = BTreeSet::new();
        for name in self.folder.list(sign::FOLDER)? {
            let name = format!("{}/{name}", sign::FOLDER);
            let bytes = self.folder.read(&name)?;
            found.insert(FileDigest::of(name, &bytes));
        }
        Ok(found)
    }

    /// Nothing is signed any more once the files for the index were made.
    pub(crate) fn check_not_combined(&self) -> Result<(), CeremonyError> {
        if self.folder.list(FOLDER)?.is_empty() {
            return Ok(());
        }
        let path = self.publish_set_path();
        Err(CeremonyError::Combined { path })
    }

    fn seal<R: DraftDocument>(
        &self,
        linted: Linted<R>,
        used: &BTreeSet<FileDigest>,
    ) -> Result<SignedFile, CeremonyError> {
        let role = linted.role().clone();
        let mut signatures = self.signatures(&role, linted.canonical())?;
        signatures.retain(|one| {
            let name = signature_file(&role, &one.keyid);
            used.iter().any(|file| file.name == name)
        });
        let vouchers = self.vouchers(&role)?;
        let authorities: Vec<Authority<'_>> = vouchers.iter().map(Voucher::authority).collect();
        let sealed = linted.seal(&signatures, &authorities);
        let signed = sealed.map_err(|unsigned| self.too_few(unsigned))?;
        Ok(signed.into_file())
    }
}
