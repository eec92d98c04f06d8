//! The papers of a ceremony: scripts to follow and forms to fill in, made from the plan, so that
//! what people read is what the program does. `keys-ceremony/` holds the same with blanks.

mod claims;
mod emergencies;
mod forms;
mod online;
mod script;
mod scripts;

use std::collections::BTreeMap;

use crate::{CeremonyError, Event, Kind};

pub(crate) use script::Script;

/// Folder of the papers.
pub(crate) const FOLDER: &str = "papers";

/// One paper, in Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Its name, such as `scripts/genesis.md`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What scripts and forms are filled in with.
pub(crate) struct Facts {
    /// The event's folder, as it is called.
    pub(crate) event: String,
    /// What forms call the event, which may lie apart from its folder.
    pub(crate) title: String,
    /// The policy's name.
    pub(crate) policy: String,
    /// Who signs which documents, such as `root v2`.
    pub(crate) signers: BTreeMap<String, Vec<String>>,
    /// One line per threshold.
    pub(crate) thresholds: Vec<String>,
}

impl Facts {
    /// Blanks to fill in by hand.
    fn blank() -> Self {
        Self {
            event: "EVENT".to_owned(),
            title: "EVENT".to_owned(),
            policy: "POLICY".to_owned(),
            signers: BTreeMap::new(),
            thresholds: Vec::new(),
        }
    }

    fn of(event: &Event) -> Result<Self, CeremonyError> {
        let mut signers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut thresholds = Vec::new();
        for (role, _) in event.payloads() {
            let document = format!("{role} v{}", event.version(role)?);
            for voucher in event.vouchers(role)? {
                let keys = &voucher.role_keys;
                let mut names: Vec<String> =
                    keys.keyids.iter().map(|id| event.holder(id)).collect();
                names.sort_unstable();
                thresholds.push(format!(
                    "{document}, keys of {}: {} of {}",
                    voucher.name,
                    keys.threshold,
                    plain(&names.join(", "))
                ));
                for name in names {
                    let given = signers.entry(plain(&name)).or_default();
                    if !given.contains(&document) {
                        given.push(document.clone());
                    }
                }
            }
        }
        let name = event.path().file_name();
        let name = name.map_or_else(|| "EVENT".to_owned(), |one| plain(&one.to_string_lossy()));
        let (kind, day) = (event.kind().as_str(), event.planned.date_naive());
        Ok(Self {
            title: format!("`{name}` ({kind}, planned on {day})"),
            event: name,
            policy: plain(&event.policy.name),
            signers,
            thresholds,
        })
    }
}

/// A name without what Markdown or a shell would read as something else.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || " .,-_'".contains(c);
    text.chars().filter(|c| keep(*c)).collect()
}

/// Every script and form with blanks, as `keys-ceremony/` has them.
#[must_use]
pub fn blank_papers() -> Vec<Paper> {
    let facts = Facts::blank();
    let scripts = Script::ALL.iter().map(|one| Paper {
        name: format!("scripts/{}.md", one.name()),
        text: one.render(&facts),
    });
    scripts.chain(forms::all(&facts)).collect()
}

impl Event {
    /// The papers of this event: the script of its kind and every form filled in, and all other
    /// scripts with blanks, for one leads to another when something goes wrong.
    pub(crate) fn papers(&self) -> Result<Vec<Paper>, CeremonyError> {
        let facts = Facts::of(self)?;
        let own = match self.description.kind {
            Kind::Genesis => Script::Genesis,
            Kind::Renew => Script::Renewal,
            Kind::RotateRoot => Script::Rotation,
            Kind::RotateOnline => Script::OnlineRotation,
            Kind::Rebin => Script::Rebin,
            Kind::Claim => Script::DeveloperClaims,
            Kind::AddHolder | Kind::ReplaceHolder | Kind::RemoveHolder => Script::HolderChange,
        };
        let blank = Facts::blank();
        let scripts = Script::ALL.into_iter().map(|one| Paper {
            name: format!("scripts/{}.md", one.name()),
            text: one.render(if one == own { &facts } else { &blank }),
        });
        Ok(scripts.chain(forms::all(&facts)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../keys-ceremony")
    }

    #[test]
    fn blanks_in_the_repository_are_what_the_program_writes() {
        let mut names = BTreeSet::new();
        for paper in blank_papers() {
            let path = folder().join(&paper.name);
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                there == paper.text,
                "{} has drifted: run `countersign-ceremony generate papers keys-ceremony`",
                paper.name
            );
            names.insert(paper.name);
        }
        for kind in ["scripts", "forms"] {
            for entry in fs::read_dir(folder().join(kind)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(names.contains(&format!("{kind}/{name}")), "{kind}/{name}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let all = blank_papers();
        for paper in &all {
            for word in paper.text.split(['`', ' ', '|']) {
                if word.strip_suffix(".md").is_some() {
                    let there = |one: &Paper| one.name.ends_with(&format!("/{word}"));
                    assert!(all.iter().any(there), "{}: {word}", paper.name);
                }
            }
            assert!(
                !paper.text.contains('@'),
                "{}: a step is missing",
                paper.name
            );
        }
    }

    #[test]
    fn names_cannot_change_a_command() {
        assert_eq!(plain("Ada`; rm -rf /|"), "Ada rm -rf ");
        assert_eq!(plain("Zoë O'Neil, PhD"), "Zoë O'Neil, PhD");
    }
}
