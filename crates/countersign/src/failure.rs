//! Why a command ends early. What the libraries say is passed on; what only this program knows is
//! added here.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ceremony::CeremonyError;
use ceremony::key_command::KeyCommandError;
use client::ClientError;
use index::ProjectName;
use keys::{KeyError, KeyFlaw};
use metadata::{MetadataError, Role, Sha256, Version};
use policy::PolicyError;
use repository::{ReceiveError, RepositoryError};
use store_bucket::{BucketError, BucketPlace};

use crate::certificate::CertificateError;
use crate::commands::{DeliveryError, ExecError};
use crate::config::ConfigError;
use crate::installed::EnvironmentError;
use crate::trusted::TrustError;

/// A command's failure; `exit_code.rs` and `hint.rs` say what it means to the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The repository refused or failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A bucket cannot be used.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The store is not a folder that could be served.
    #[error("the store is {place}, which serves itself")]
    ServedElsewhere {
        /// The bucket.
        place: BucketPlace,
    },
    /// Something was not verified, or could not be.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A ceremony refused or failed.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The settings cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokens of the intake cannot be used, or not be changed so.
    #[error(transparent)]
    Tokens(#[from] intake::TokenFileError),
    /// The intake does not start.
    #[error(transparent)]
    Intake(#[from] intake::StartError),
    /// An archive could not be handed in.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The certificate of a server cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Tokens would pass in the clear.
    #[error("on {address} tokens would pass over the network in the clear")]
    TokensInTheClear {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// A policy that is none.
    #[error("policy `{name}` was refused")]
    Policy {
        /// Its name or file.
        name: String,
        /// Why.
        source: PolicyError,
    },
    /// The address of a database cannot be used.
    #[error(transparent)]
    Database(#[from] state_postgres::AddressError),
    /// The password of a database could not be had.
    #[error("the password of {address} could not be had")]
    DatabasePassword {
        /// The database.
        address: String,
        /// Why.
        source: keys::PassphraseError,
    },
    /// A policy that is neither shipped nor a file.
    #[error("there is no policy `{name}`")]
    UnknownPolicy {
        /// The name given.
        name: String,
    },
    /// A target path that is none.
    #[error(transparent)]
    Target(#[from] MetadataError),
    /// A file or folder failed.
    #[error("could not {doing} {path}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that should be new holds something.
    #[error("{path} already holds something; nothing is ever overwritten", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// No key that signs online is known.
    #[error("no online key is set for {path}", path = path.display())]
    NoOnlineKey {
        /// The index.
        path: PathBuf,
    },
    /// The proxy's own certificates failed.
    #[error("could not vouch for the index's own URLs on this machine")]
    Authority(#[source] Box<proxy::AuthorityError>),
    /// A file of rules that is none.
    #[error("{path} does not say whose each project is", path = path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Why.
        source: proxy::RulesError,
    },
    /// A step of a project was refused or failed.
    #[error(transparent)]
    Project(#[from] developer::ProjectError),
    /// A file that is no public key.
    #[error("{path} is no public key", path = path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyFlaw,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// A `key` command was refused or failed.
    #[error(transparent)]
    KeyCommand(#[from] KeyCommandError),
    /// A file that is no root, or one that does not sign itself.
    #[error("{path} is no root that can be trusted", path = path.display())]
    NotARoot {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<ClientError>,
    },
    /// A file of a project that is not on the index.
    #[error("`{filename}` is not signed: there is no project `{project}` on this index")]
    UnknownProject {
        /// The file asked for.
        filename: String,
        /// Its project.
        project: ProjectName,
    },
    /// Neither a folder nor a URL.
    #[error("`{repo}` is neither a folder nor a URL")]
    NotARepository {
        /// What was given.
        repo: String,
    },
    /// A root with another digest than the one asked for.
    #[error("{path} has the digest {found}, not {expected}", path = path.display())]
    RootDigest {
        /// The file.
        path: PathBuf,
        /// The digest asked for.
        expected: Sha256,
        /// The digest found.
        found: Sha256,
    },
    /// Some of many were refused; each was named.
    #[error("{refused} of {total} {what} refused{}", if refused < total { ", the rest went on" } else { "" })]
    PartlyRefused {
        /// How many.
        refused: usize,
        /// Of how many.
        total: usize,
        /// Files, targets, changes: and their verb.
        what: &'static str,
    },
    /// No distribution in a folder.
    #[error("{path} holds no wheel and no source distribution", path = path.display())]
    NothingToAdd {
        /// The folder.
        path: PathBuf,
    },
    /// Not one of the distributions was sound.
    #[error("none of the {refused} files could be taken in; {path} holds an index without any", path = path.display())]
    NothingTakenIn {
        /// The index.
        path: PathBuf,
        /// How many files were refused.
        refused: usize,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A server stopped by itself.
    #[error("the {what} failed")]
    Server {
        /// Which.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A task of this program died; a defect.
    #[error("the {what} died")]
    Worker {
        /// Which.
        what: &'static str,
        /// How.
        source: tokio::task::JoinError,
    },
    /// The system gave no threads, timers or signals.
    #[error("the runtime could not be started")]
    Runtime(#[source] io::Error),
    /// Stdout took nothing more.
    #[error("could not write to stdout")]
    Output(#[from] io::Error),
    /// Options that clap alone cannot tell apart.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// An audit could not be held.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// An audit found something.
    #[error("the repository is not as it has to be")]
    Findings {
        /// The exit code of the first finding.
        code: u8,
    },
    /// Files that others promised, or that lie here, are not what is signed; each was named.
    #[error("{broken} of {total} files are not what the index signs")]
    Broken {
        /// How many.
        broken: usize,
        /// Of how many.
        total: usize,
        /// The exit code of the first.
        code: u8,
    },
    /// A file that is no lock file, by its name or its text.
    #[error("{path} is no lock file that can be checked", path = path.display())]
    NotALock {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text; nothing if its name says nothing.
        source: Option<locks::LockError>,
    },
    /// A mirror of nothing.
    #[error("no project is named, and {dir} holds none yet", dir = dir.display())]
    NothingToMirror {
        /// The mirror.
        dir: PathBuf,
    },
    /// An environment that cannot be found.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// An environment that is not what is signed.
    #[error("{deviating} distributions or files of this environment are not what the index signs")]
    Deviates {
        /// How many.
        deviating: usize,
    },
    /// A word that is neither a requirement nor anything else that can be downloaded.
    #[error("`{found}` is nothing that can be looked up")]
    NotARequirement {
        /// What was given.
        found: String,
        /// Why it is no requirement.
        source: locks::LockError,
    },
    /// A requirement that names its own source.
    #[error("{project} is asked for from {place}, for which no index speaks")]
    NotFromIndex {
        /// The project.
        project: ProjectName,
        /// The source.
        place: String,
    },
    /// A project without a file that fits.
    #[error("{project} has no file that fits{}", if *only_digests { " the digests promised" } else { specifiers })]
    NothingFits {
        /// The project.
        project: ProjectName,
        /// The versions asked for, with a blank before them.
        specifiers: String,
        /// Whether files of such versions are there, and have other digests.
        only_digests: bool,
    },
    /// A file that is no wheel and no source distribution, by its name.
    #[error("{path} cannot be looked up", path = path.display())]
    NotADistribution {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        source: index::FilenameError,
    },
    /// The client under test of the conformance suite failed, in whatever way.
    #[error(transparent)]
    Conformance(Box<dyn Error + Send + Sync>),
    /// Nobody published the changes in time.
    #[error("{changes} changes are still queued after {seconds} s")]
    StillQueued {
        /// How many changes.
        changes: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// Nothing of what was sent is published yet.
    #[error("what was sent of {project} is not published after {seconds} s")]
    NotPublished {
        /// The project.
        project: ProjectName,
        /// How long was waited.
        seconds: u64,
    },
    /// Another file is published under the version that was sent.
    #[error("{role} v{version} is published, and it is not what was sent")]
    OthersPublished {
        /// The role.
        role: Role,
        /// The version.
        version: Version,
    },
    /// An index on this machine has refused what developers sent.
    #[error("the index refused it (code `{}`)", .0.code())]
    Receive(#[source] Box<ReceiveError>),
    /// An index that needs attention, as `--check` asks.
    #[error("{what}")]
    Attention {
        /// What needs it.
        what: String,
        /// Whether clients refuse the index already.
        expired: bool,
    },
    /// An index cannot be trusted, or is not.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// `exec` itself failed; the command was not run.
    #[error(transparent)]
    Exec(Box<ExecError>),
    /// A command of the user's ended so; it has said itself what there is to say.
    #[error("the command ended with code {0}")]
    Ended(u8),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// Options that do not fit together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    /// As many sources of passphrases as keys, or one for all.
    #[error("{keys} keys, but {sources} sources of passphrases: give one for all, or one for each")]
    Passphrases {
        /// How many keys.
        keys: usize,
        /// How many sources.
        sources: usize,
    },
    /// Neither an index nor its URL.
    #[error("no index is trusted yet, and no --metadata-url says where a repository is")]
    NoPlace,
    /// A move that names its goal in the wrong way.
    #[error("--store and --uploads say where the index is; --to says where it shall be")]
    MovesByTo,
    /// The same of a state.
    #[error("--state says where the state is; --state-to says where it shall be")]
    MovesByStateTo,
    /// A manifest for several machines with a part that they do not share.
    #[error(
        "several machines share a state in PostgreSQL, a store and uploads in buckets: name all three"
    )]
    SharesNothing,
    /// A move to where the index is.
    #[error("the index is there already")]
    MovesNowhere,
    /// Nobody to sign.
    #[error("no key is named")]
    NoKeys,
    /// A port with no room above it for the proxy's.
    #[error("port {port} leaves no port above it for the proxy")]
    Port {
        /// The port.
        port: u16,
    },
}
