//! One role of an event on the disk: the document to be signed and the one it follows, each held to
//! what `ceremony.toml` says of it.

use chrono::{DateTime, Utc};
use draft::{Draft, DraftDocument, FormerKeys, Linted, Setting};
use metadata::canonical::{is_canonical, to_json};
use metadata::{Document, Role, Root, Sha256, Version, Wire};

use crate::description::{self, Description, PayloadPart};
use crate::folder::Folder;
use crate::{CeremonyError, Event, EventFlaw};

/// One role of the event: what is to be signed, and what is published.
#[derive(Debug)]
pub(crate) struct Slot<R> {
    pub(crate) role: Role,
    pub(crate) new: Option<Payload<R>>,
    pub(crate) previous: Option<Payload<R>>,
}

/// A document with its file.
#[derive(Clone, Debug)]
pub(crate) struct Payload<R> {
    pub(crate) document: R,
    /// The bytes to sign; of a published document, the whole file.
    pub(crate) bytes: Vec<u8>,
}

impl<R> Slot<R> {
    /// Whether it is one of a shard of `claimed`, which lists the keys of developers.
    pub(crate) fn is_shard(&self) -> bool {
        draft::is_claimed_shard(self.role.name())
    }
}

impl<R: DraftDocument + Clone> Slot<R> {
    /// A slot of an event that is being planned.
    pub(crate) fn planned(role: Role, new: Option<R>, previous: Option<Payload<R>>) -> Self {
        let new = new.map(|document| {
            let bytes = document.to_canonical();
            Payload { document, bytes }
        });
        Self {
            role,
            new,
            previous,
        }
    }

    pub(crate) fn read(
        folder: &Folder,
        description: &Description,
        role: Role,
    ) -> Result<Self, CeremonyError> {
        let find = |parts: &'_ [PayloadPart]| {
            let part = parts.iter().find(|part| part.role == role.name());
            part.cloned()
        };
        let read = |name: &'static str, part: Option<PayloadPart>| {
            part.map(|part| read_document::<R>(folder, name, &role, &part))
                .transpose()
        };
        let new = read("payload", find(&description.payload))?;
        let previous = read("previous", find(&description.previous))?;
        Ok(Self {
            role,
            new,
            previous,
        })
    }

    /// The document in force once the event is published.
    pub(crate) fn current(&self) -> Result<&R, CeremonyError> {
        let current = self.new.as_ref().or(self.previous.as_ref());
        current.map(|one| &one.document).ok_or_else(|| {
            let role = self.role.clone();
            EventFlaw::Missing { role }.at(description::FILE)
        })
    }

    pub(crate) fn payload(&self) -> Option<(&Role, &[u8])> {
        self.new
            .as_ref()
            .map(|new| (&self.role, new.bytes.as_slice()))
    }

    pub(crate) fn lint(
        &self,
        event: &Event,
        now: DateTime<Utc>,
        root: Option<&Root>,
    ) -> Result<Option<Linted<R>>, CeremonyError> {
        let Some(new) = &self.new else {
            return Ok(None);
        };
        let setting = Setting {
            now,
            policy: &event.policy,
            root,
        };
        let previous = self.previous.as_ref().map(|one| &one.document);
        let former = event.root.previous.as_ref();
        let former = former.map(|old| FormerKeys::of([&old.document]));
        let draft = Draft::new(self.role.clone(), new.document.clone())
            .in_layout(event.layout)
            .after(former.as_ref());
        Ok(Some(draft.lint(&setting, previous)?))
    }
}

/// Reads a document whose role, version, expiry and digest the description gives.
fn read_document<R: Document>(
    folder: &Folder,
    name: &str,
    role: &Role,
    part: &PayloadPart,
) -> Result<Payload<R>, CeremonyError> {
    let version = Version::new(part.version)?;
    let name_of_file = format!("{name}/{}", role.versioned_file_name(version));
    let (path, bytes) = (folder.file(&name_of_file), folder.read(&name_of_file)?);
    let found = Sha256::of(&bytes);
    let expected = Sha256::parse(&part.sha256).map_err(|error| EventFlaw::from(error).at(&path))?;
    if found != expected {
        return Err(EventFlaw::Digest { expected, found }.at(path));
    }
    let document: R = if name == "payload" {
        parse_payload(&bytes)
    } else {
        parse_published(&bytes)
    }
    .map_err(|flaw| flaw.at(&path))?;
    for (what, found, expected) in [
        (
            "version",
            document.version().to_string(),
            version.to_string(),
        ),
        (
            "expiry",
            document.expires().to_string(),
            part.expires.clone(),
        ),
    ] {
        if found != expected {
            let role = role.clone();
            let flaw = EventFlaw::Differs {
                role,
                what,
                found,
                expected,
            };
            return Err(flaw.at(path));
        }
    }
    Ok(Payload { document, bytes })
}

/// A payload is canonical, and this program writes the same bytes again.
fn parse_payload<R: Document>(bytes: &[u8]) -> Result<R, EventFlaw> {
    if !is_canonical(bytes) {
        return Err(EventFlaw::NotCanonical);
    }
    let document = R::parse(&to_json(bytes))?;
    if document.to_canonical() != bytes {
        return Err(EventFlaw::NotCanonical);
    }
    Ok(document)
}

/// A published document is a whole file; its signatures are counted by `verify`.
pub(crate) fn parse_published<R: Document>(file: &[u8]) -> Result<R, EventFlaw> {
    let most = trust::Limits::default().signatures;
    let wire = Wire::parse(file, most)?;
    Ok(R::parse(wire.signed)?)
}
