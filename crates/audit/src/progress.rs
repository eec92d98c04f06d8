//! How far an audit is, for who watches.

/// What an audit is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Fetching and verifying delegated roles.
    Roles,
    /// Asking of every target who speaks for its path.
    Targets,
    /// Looking paths up as a client does.
    Lookups,
    /// Reading project pages.
    Pages,
    /// Reading target files.
    Files,
    /// Asking tough.
    SecondOpinion,
}

/// Who watches.
pub trait Progress: Send + Sync {
    /// `done` of `total` of a stage. The total of roles grows while they are read.
    fn step(&self, stage: Stage, done: u64, total: u64);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: Stage, _: u64, _: u64) {}
}
