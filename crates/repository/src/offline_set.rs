//! Sets of roles signed in a ceremony: the only way such roles reach the repository (DESIGN §5).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, Utc};
use draft::{BinLayout, Draft, DraftDocument, FormerKeys, Setting, Signed, SignedFile};
use metadata::{Document, Role, Root, Targets, Version, Wire};
use policy::Policy;
use trust::{Authority, Rules};

use crate::error::RepositoryError;

/// One file of a set, as bytes; believed only after [`OfflineSet::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineFile {
    /// The role its name says.
    pub role: Role,
    /// The version its name says.
    pub version: Version,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A set waiting for the next cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineSet {
    /// Its number in the journal.
    pub id: i64,
    /// Its files.
    pub files: Vec<OfflineFile>,
}

/// The published roles a set follows.
pub(crate) struct Published {
    pub(crate) root: Option<Root>,
    pub(crate) targets: Option<Targets>,
    pub(crate) bins: Option<Targets>,
    /// `claimed` and its shards, where a set may follow them.
    pub(crate) claimed: BTreeMap<Role, Targets>,
}

/// A set whose every file was linted and carries its threshold again.
pub(crate) struct CheckedSet {
    pub(crate) id: Option<i64>,
    /// Consecutive, the first following the published root.
    pub(crate) roots: Vec<Signed<Root>>,
    pub(crate) targets: Option<Signed<Targets>>,
    pub(crate) bins: Option<Signed<Targets>>,
    /// `claimed` first, then shards.
    pub(crate) claimed: Vec<Signed<Targets>>,
}

impl CheckedSet {
    pub(crate) fn into_files(self) -> Vec<SignedFile> {
        let roots = self.roots.into_iter().map(Signed::into_file);
        let roles = self
            .targets
            .into_iter()
            .chain(self.bins)
            .chain(self.claimed)
            .map(Signed::into_file);
        roots.chain(roles).collect()
    }
}

/// Most files a set may hold: 256 shards, the other offline roles, and a few roots.
const MAX_FILES: usize = 320;

impl OfflineSet {
    /// Reads a folder of files named `VERSION.ROLE.json`.
    pub fn read(folder: &Path, policy: &Policy) -> Result<Vec<OfflineFile>, RepositoryError> {
        let io = |doing: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| RepositoryError::Io {
                doing,
                path,
                source,
            }
        };
        let refused = |why: String| RepositoryError::Set { why };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(io("list", folder))? {
            let path = entry.map_err(io("list", folder))?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if files.len() == MAX_FILES {
                return Err(refused(format!("it holds more than {MAX_FILES} files")));
            }
            let (role, version) = parse_name(&name)
                .ok_or_else(|| refused(format!("`{name}` is not called VERSION.ROLE.json")))?;
            let limit = match role {
                Role::Root => policy.client.root_bytes,
                _ => policy.client.targets_bytes,
            };
            let mut bytes = Vec::new();
            let file = File::open(&path).map_err(io("open", &path))?;
            file.take(limit + 1)
                .read_to_end(&mut bytes)
                .map_err(io("read", &path))?;
            if bytes.len() as u64 > limit {
                return Err(refused(format!("`{name}` is larger than {limit} bytes")));
            }
            files.push(OfflineFile {
                role,
                version,
                bytes,
            });
        }
        if files.is_empty() {
            return Err(refused("it holds no metadata".to_owned()));
        }
        Ok(files)
    }

    /// Checks everything a set claims, from its bytes: the chain of roots, targets under the newest
    /// root, bins under the newest targets; each linted, each with its threshold. Bins may leave if none
    /// of the `former` online keys stays.
    pub(crate) fn check(
        &self,
        published: &Published,
        former: Option<&FormerKeys>,
        policy: &Policy,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Result<CheckedSet, RepositoryError> {
        let reader = Reader {
            set: self,
            former,
            policy,
            rules,
            now,
        };
        let roots = reader.roots(published.root.as_ref())?;
        let root = roots
            .last()
            .map(Signed::document)
            .or(published.root.as_ref())
            .ok_or_else(|| RepositoryError::Set {
                why: "it holds no root, and none is published".to_owned(),
            })?;
        let targets = reader.one(&Role::Targets, |document| {
            let authority = Authority::new("root", &root.keys, &root.targets);
            reader.seal(
                document,
                &Role::Targets,
                root,
                None,
                published.targets.as_ref(),
                &[authority],
            )
        })?;
        let bins_role = bins_role();
        let delegator = targets
            .as_ref()
            .map(Signed::document)
            .or(published.targets.as_ref());
        let bins = reader.one(&bins_role, |document| {
            let no_bins = || RepositoryError::Set {
                why: "targets does not delegate to bins".to_owned(),
            };
            let delegations = delegator
                .and_then(|targets| targets.delegations.as_ref())
                .ok_or_else(no_bins)?;
            let keys = listed_keys(delegations, &bins_role).ok_or_else(no_bins)?;
            let authority = Authority::new("targets", &delegations.keys, keys);
            let layout = BinLayout::read(&document.document);
            reader.seal(
                document,
                &bins_role,
                root,
                layout,
                published.bins.as_ref(),
                &[authority],
            )
        })?;
        let claimed = reader.claimed(root, delegator, published)?;
        Ok(CheckedSet {
            claimed,
            id: Some(self.id),
            roots,
            targets,
            bins,
        })
    }
}

/// The role `claimed`.
pub(crate) fn claimed_role() -> Role {
    // The name is a constant of printable ASCII; the fallback cannot be reached.
    Role::parse(draft::CLAIMED).unwrap_or(Role::Targets)
}

/// Whether it is `claimed` or one of its shards.
pub(crate) fn is_claimed(role: &Role) -> bool {
    matches!(role, Role::Delegated(_))
        && (role.name() == draft::CLAIMED || draft::is_claimed_shard(role.name()))
}

/// The role `bins`.
pub(crate) fn bins_role() -> Role {
    // The name is a constant of printable ASCII; the fallback cannot be reached.
    Role::parse(draft::BINS_PREFIX).unwrap_or(Role::Targets)
}

/// The keys of a role among listed delegations.
fn listed_keys<'a>(
    delegations: &'a metadata::Delegations,
    role: &Role,
) -> Option<&'a metadata::RoleKeys> {
    match &delegations.roles {
        metadata::DelegatedRoles::Listed(roles) => roles
            .iter()
            .find(|one| one.name.as_str() == role.name())
            .map(|one| &one.keys),
        metadata::DelegatedRoles::Succinct(_) => None,
    }
}

/// `VERSION.ROLE.json`, for the roles a ceremony signs.
fn parse_name(name: &str) -> Option<(Role, Version)> {
    let (version, rest) = name.strip_suffix(".json")?.split_once('.')?;
    let version = Version::new(version.parse().ok()?).ok()?;
    let role = Role::parse(rest).ok()?;
    let offline =
        matches!(&role, Role::Root | Role::Targets) || role == bins_role() || is_claimed(&role);
    offline.then_some((role, version))
}

struct Reader<'a> {
    set: &'a OfflineSet,
    former: Option<&'a FormerKeys>,
    policy: &'a Policy,
    rules: &'a Rules,
    now: DateTime<Utc>,
}

impl Reader<'_> {
    fn files(&self, role: &Role) -> Vec<&OfflineFile> {
        let mut files: Vec<_> = self
            .set
            .files
            .iter()
            .filter(|file| file.role == *role)
            .collect();
        files.sort_by_key(|file| file.version);
        files
    }

    fn roots(&self, published: Option<&Root>) -> Result<Vec<Signed<Root>>, RepositoryError> {
        let mut roots: Vec<Signed<Root>> = Vec::new();
        for file in self.files(&Role::Root) {
            let previous = roots.last().map(Signed::document).or(published);
            let document: Root = self.parse(file)?;
            let own = document.clone();
            let mut authorities = vec![Authority::new("the root itself", &own.keys, &own.root)];
            if let Some(previous) = previous {
                authorities.push(Authority::new(
                    "the previous root",
                    &previous.keys,
                    &previous.root,
                ));
            }
            let parsed = Parsed { document, file };
            let sealed = self.seal(parsed, &Role::Root, &own, None, previous, &authorities)?;
            roots.push(sealed);
        }
        Ok(roots)
    }

    /// `claimed` under the newest targets, its shards under the newest `claimed`.
    fn claimed(
        &self,
        root: &Root,
        targets: Option<&Targets>,
        published: &Published,
    ) -> Result<Vec<Signed<Targets>>, RepositoryError> {
        let files = self.set.files.iter().map(|file| &file.role);
        // `claimed` comes before `claimed-SS`.
        let roles: BTreeSet<&Role> = files.filter(|role| is_claimed(role)).collect();
        let mut sealed: Vec<Signed<Targets>> = Vec::new();
        for role in roles {
            let (name, delegator) = if *role == claimed_role() {
                ("targets", targets)
            } else {
                let new = sealed.iter().find(|one| *one.role() == claimed_role());
                let old = published.claimed.get(&claimed_role());
                (draft::CLAIMED, new.map(Signed::document).or(old))
            };
            let delegations = delegator.and_then(|delegator| delegator.delegations.as_ref());
            let keys = delegations.and_then(|list| Some((list, listed_keys(list, role)?)));
            let (list, keys) = keys.ok_or_else(|| RepositoryError::Set {
                why: format!("{name} does not delegate to {role}"),
            })?;
            let authority = Authority::new(name, &list.keys, keys);
            let signed = self.one(role, |document| {
                let previous = published.claimed.get(role);
                self.seal(document, role, root, None, previous, &[authority])
            })?;
            sealed.extend(signed);
        }
        Ok(sealed)
    }

    /// The one file of a role, if there is one.
    fn one<T>(
        &self,
        role: &Role,
        take: impl FnOnce(Parsed<'_, Targets>) -> Result<T, RepositoryError>,
    ) -> Result<Option<T>, RepositoryError> {
        let files = self.files(role);
        match files.as_slice() {
            [] => Ok(None),
            [file] => take(Parsed {
                document: self.parse(file)?,
                file,
            })
            .map(Some),
            _ => Err(RepositoryError::Set {
                why: format!("it holds {role} more than once"),
            }),
        }
    }

    fn parse<R: Document>(&self, file: &OfflineFile) -> Result<R, RepositoryError> {
        let limit = file.bytes.len() as u64;
        let envelope =
            trust::Envelope::<R>::parse(file.role.clone(), &file.bytes, limit, self.rules)
                .map_err(|source| RepositoryError::SetRejected { source })?;
        let document = envelope.peek_unverified();
        if document.version() != file.version {
            let why = format!(
                "{} says v{}, its name v{}",
                file.role,
                document.version(),
                file.version
            );
            return Err(RepositoryError::Set { why });
        }
        Ok(R::parse(&metadata::canonical::to_json(
            &document.to_canonical(),
        ))?)
    }

    /// Lints the document again and puts the file's own signatures back: what is published is what
    /// this program would have written, or nothing.
    fn seal<R: DraftDocument>(
        &self,
        parsed: Parsed<'_, R>,
        role: &Role,
        root: &Root,
        layout: Option<BinLayout>,
        previous: Option<&R>,
        authorities: &[Authority<'_>],
    ) -> Result<Signed<R>, RepositoryError> {
        let wire = Wire::parse(&parsed.file.bytes, self.rules.limits.signatures)?;
        let setting = Setting {
            now: self.now,
            policy: self.policy,
            root: Some(root),
        };
        let mut draft = Draft::new(role.clone(), parsed.document).after(self.former);
        if let Some(layout) = layout {
            draft = draft.in_layout(layout);
        }
        let linted = draft.lint(&setting, previous)?;
        if linted.canonical() != &*wire.canonical {
            let why = format!("{role} has members this program would lose");
            return Err(RepositoryError::Set { why });
        }
        Ok(linted.seal(&wire.signatures, authorities)?)
    }
}

struct Parsed<'a, R> {
    document: R,
    file: &'a OfflineFile,
}
