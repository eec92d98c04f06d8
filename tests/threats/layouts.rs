//! The two repositories that are attacked: bins alone (PEP 458), and claimed, recently claimed and
//! unclaimed projects side by side (PEP 480), every role with a key of its own.

use chrono::Duration;
use countersign_tests::{BinEncoding, Key, Simulator, files};
use index::{
    DistributionFilename, PageFile, ProjectName, SimplePage, Status, Yanked, metadata_path,
    page_path,
};
use metadata::Sha256;

/// What the attacker wants installed.
pub(crate) const EVIL: &[u8] = b"what a thief would like installed";

/// The file of a project that has just been claimed.
pub(crate) const RECENT: &str = "packages/be/gamma/gamma-1.0-py3-none-any.whl";
/// Core metadata of the claimed project's wheel: with others, other dependencies are installed.
pub(crate) const CLAIMED_METADATA: &str = "packages/8e/alpha/alpha-1.0-py3-none-any.whl.metadata";

/// A second release of the project that nobody has claimed.
pub(crate) const LATER: &str = "packages/f4/beta/beta-1.1-py3-none-any.whl";

/// Which repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Pep458,
    Pep480,
}

/// Which file an attack is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Other bytes for a published file of a claimed project.
    Claimed,
    /// A file that the claimed project has never published.
    ClaimedNew,
    /// Other core metadata for a file of a claimed project.
    ClaimedMetadata,
    /// Other bytes for a file of a project claimed a moment ago.
    Recent,
    /// Other bytes for a file of a project that nobody has claimed.
    Unclaimed,
}

impl Goal {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Claimed => files::CLAIMED,
            Self::ClaimedNew => files::CLAIMED_ABSENT,
            Self::ClaimedMetadata => CLAIMED_METADATA,
            Self::Recent => RECENT,
            Self::Unclaimed => files::PLAIN,
        }
    }

    /// The distribution that it is about, or whose core metadata.
    pub(crate) fn filename(self) -> DistributionFilename {
        let (_, name) = self.path().rsplit_once('/').unwrap();
        DistributionFilename::parse(name.strip_suffix(".metadata").unwrap_or(name)).unwrap()
    }

    /// The page of its project as the thief would have it.
    pub(crate) fn evil_page(self) -> (String, Vec<u8>) {
        let evil = Sha256::of(EVIL);
        let mut file = page_file(self.filename());
        if self == Self::ClaimedMetadata {
            file.core_metadata = Some(evil);
        } else {
            (file.sha256, file.size) = (evil, EVIL.len() as u64);
            file.core_metadata = None;
        }
        page(&project_of(self), vec![file])
    }

    /// The roles from `targets` to the one that vouches for it, in the order of delegation.
    pub(crate) fn chain(self, repository: &Simulator) -> Vec<String> {
        let mut chain = vec!["targets".to_owned()];
        match self {
            Self::Unclaimed => {
                chain.push("bins".to_owned());
                chain.push(repository.bin_of("bins", self.path()));
            }
            Self::Recent => chain.extend(["recently-claimed", "project-gamma"].map(str::to_owned)),
            _ => chain.extend(["claimed", "claimed-08", "project-alpha"].map(str::to_owned)),
        }
        chain
    }

    /// Whether the project's files are the claimed role's to vouch for.
    pub(crate) fn is_claimed(self) -> bool {
        matches!(
            self,
            Self::Claimed | Self::ClaimedNew | Self::ClaimedMetadata
        )
    }
}

impl Layout {
    pub(crate) fn goals(self) -> &'static [Goal] {
        match self {
            Self::Pep458 => &[Goal::Unclaimed],
            Self::Pep480 => &[
                Goal::Claimed,
                Goal::ClaimedNew,
                Goal::ClaimedMetadata,
                Goal::Recent,
                Goal::Unclaimed,
            ],
        }
    }

    /// The honest repository, as it was first published.
    pub(crate) fn repository(self) -> Simulator {
        let mut repository = Simulator::bare();
        for role in ["timestamp", "snapshot"] {
            let key = match self {
                Self::Pep458 => "online",
                Self::Pep480 => role,
            };
            repository.rotate(role, &[Key::ed25519(key)], 1);
        }
        if self == Self::Pep480 {
            claims(&mut repository);
        }
        let patterns = ["simple/*/*/*", "packages/*/*/*"];
        repository.delegate("targets", "bins", &[Key::ed25519("bins")], &patterns);
        let bin = match self {
            Self::Pep458 => "online",
            Self::Pep480 => "bin-n",
        };
        let encoding = BinEncoding::HashPrefixes;
        repository.delegate_bins("bins", "bin", 1, encoding, &Key::ed25519(bin));
        let bin = repository.bin_of("bins", files::PLAIN);
        repository.add_target(&bin, files::PLAIN, &files::content(files::PLAIN));
        for (goal, path) in [
            (Goal::Claimed, files::CLAIMED),
            (Goal::Recent, RECENT),
            (Goal::Unclaimed, files::PLAIN),
        ] {
            let is_signed = goal != Goal::Unclaimed;
            if self == Self::Pep458 && is_signed {
                continue;
            }
            let (_, name) = path.rsplit_once('/').unwrap();
            let file = page_file(DistributionFilename::parse(name).unwrap());
            let (path, bytes) = page(&project_of(goal), vec![file]);
            let bin = repository.bin_of("bins", &path);
            repository.add_target(&bin, &path, &bytes);
        }
        for role in ["targets", "bins", "claimed", "claimed-08"] {
            repository.set_lifetime(role, Duration::days(90));
        }
        repository.publish();
        repository
    }
}

fn claims(repository: &mut Simulator) {
    let offline = Key::ed25519("claimed");
    let everything = ["packages/*/*/*"];
    let key = std::slice::from_ref(&offline);
    repository.delegate("targets", "claimed", key, &everything);
    repository.delegate("claimed", "claimed-08", key, &["packages/8e/*/*"]);
    let alpha = ["packages/8e/alpha/*"];
    let developers = [Key::ed25519("alpha")];
    repository
        .delegate("claimed-08", "project-alpha", &developers, &alpha)
        .terminating = true;
    for path in [files::CLAIMED, CLAIMED_METADATA] {
        repository.add_target("project-alpha", path, &files::content(path));
    }
    let online = [Key::ed25519("recently-claimed")];
    repository.delegate("targets", "recently-claimed", &online, &everything);
    let gamma = ["packages/be/gamma/*"];
    repository
        .delegate(
            "recently-claimed",
            "project-gamma",
            &[Key::ed25519("gamma")],
            &gamma,
        )
        .terminating = true;
    repository.add_target("project-gamma", RECENT, &files::content(RECENT));
}

/// The project of a goal.
pub(crate) fn project_of(goal: Goal) -> ProjectName {
    goal.filename().project().clone()
}

/// What the honest page says of a file.
fn page_file(filename: DistributionFilename) -> PageFile {
    let content = files::content(index::file_path(&filename).as_str());
    let metadata = metadata_path(&filename);
    let has_metadata = metadata.as_str() == CLAIMED_METADATA;
    PageFile {
        sha256: Sha256::of(&content),
        size: content.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: has_metadata.then(|| Sha256::of(&files::content(metadata.as_str()))),
        filename,
    }
}

/// A page and its path.
fn page(project: &ProjectName, files: Vec<PageFile>) -> (String, Vec<u8>) {
    let page = SimplePage::new(project.clone(), files, Status::default()).unwrap();
    (page_path(project).to_string(), page.render_json())
}

#[test]
fn the_paths_are_those_of_an_index() {
    for path in [RECENT, files::CLAIMED] {
        let (_, name) = path.rsplit_once('/').unwrap();
        let name = index::DistributionFilename::parse(name).unwrap();
        assert_eq!(index::file_path(&name).as_str(), path);
    }
}
