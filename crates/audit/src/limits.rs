//! What an audit is held to, beyond the limits of every client. Each value says where it comes from.

/// Delegations followed in one audit. The largest repository of ours has 16,384 bins and, by the
/// snapshot's 2,000,000 bytes at 132 bytes a role, fewer than 15,000 project roles.
pub const ROLES: u64 = 100_000;

/// Findings kept; more are counted. Enough to see what is wrong, and no more memory than this
/// however many targets a hostile repository misplaces.
pub const FINDINGS: usize = 10_000;

/// Files asked for at the same time, as pip and uv do.
pub(crate) const AT_ONCE: usize = 8;

/// Paths looked up as a client does, beside the arithmetic that is done for all.
pub(crate) const LOOKUPS: usize = 256;

/// Bins up to which tough is asked (DESIGN §11): it fetches every role before it answers, and tests
/// every prefix for every target.
pub const SECOND_OPINION_BINS: usize = 1_024;

/// Targets up to which tough is asked. It holds them all, at 1.04 GB for a million measured.
pub const SECOND_OPINION_TARGETS: usize = 250_000;

/// Prefix tests (targets times hash prefixes) up to which tough is asked. It was measured to take
/// 52 s for a million targets in 256 bins, and 0.14 to 0.2 µs for one test: about a minute.
pub const SECOND_OPINION_PREFIX_TESTS: u64 = 300_000_000;

/// Minutes by which the time of an audit may differ from the machine's clock, which is the only one
/// that tough knows.
pub const SECOND_OPINION_CLOCK_MINUTES: i64 = 5;

/// Target files also read through tough.
pub const SECOND_OPINION_READS: usize = 8;
