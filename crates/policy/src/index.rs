//! What becomes a target and how targets are spread over bins, with the sizes that follow.

use crate::PolicyError;
use crate::reader::Section;

/// Most bins an index may have: twice as many take more than half of the snapshot that clients
/// read, four times as many all of it.
pub const MAX_BINS: u32 = 16_384;

/// Bins up to which `encoding = "auto"` takes path hash prefixes: 1,024 of them make a role of
/// about 0.2 MB, which every client reads in a moment.
const MAX_AUTO_PREFIX_BINS: u32 = 1_024;

/// Bytes of a signed targets role that lists nothing, measured.
const EMPTY_ROLE: u64 = 345;
/// Bytes of one bin in snapshot, version only, measured (34.0 to 34.9).
const SNAPSHOT_ENTRY: u64 = 35;
/// Bytes of one bin in a role that lists bins one by one, with up to eight prefixes.
const LISTED_BIN: u64 = 205;
/// Packages that a typical client updates at once; what `bins = "auto"` is best for.
const PACKAGES_PER_UPDATE: u64 = 5;

/// The keys of the table `index`.
pub(crate) const KEYS: &[&str] = &["target_profile", "bins", "encoding", "expected_targets"];

/// Shape of the signed index, fixed when the index is made; its bins until a rebin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexPolicy {
    /// What becomes a target.
    pub profile: TargetProfile,
    /// How many bins there are.
    pub bins: Bins,
    /// How `bins` names the bins.
    pub encoding: EncodingChoice,
    /// How many targets the index is expected to grow to; `bins = "auto"` goes by it.
    pub expected_targets: u64,
}

/// What becomes a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetProfile {
    /// One target per project: its page, which binds size and digest of every file.
    Pages,
    /// Pages, files and their metadata files, each a target, as PEP 458 has it.
    PagesAndFiles,
}

/// How the number of bins is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bins {
    /// Chosen from [`IndexPolicy::expected_targets`].
    Auto,
    /// A power of two from 2 to [`MAX_BINS`].
    Count(u32),
}

/// How the way of naming bins is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingChoice {
    /// Path hash prefixes up to 1,024 bins, succinct above.
    Auto,
    /// As said.
    Fixed(Encoding),
}

/// How the role `bins` names its delegations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One role entry per bin, with `path_hash_prefixes` (TUF 4.5).
    PathHashPrefixes,
    /// One `succinct_roles` entry for all bins (TAP 15).
    Succinct,
}

impl IndexPolicy {
    /// The same for another number of bins.
    #[must_use]
    pub fn with_bins(self, count: u32) -> Self {
        let bins = Bins::Count(count);
        Self { bins, ..self }
    }

    /// Number of bins: as said, or the power of two nearest to the cheapest for clients.
    ///
    /// A client that updates k packages, each found in n bins, fetches `s·b` bytes of snapshot and
    /// `n·k·T·t/b` bytes of bins; `b² = n·k·T·t/s` makes the sum least.
    #[must_use]
    pub fn bin_count(&self) -> u32 {
        match self.bins {
            Bins::Count(count) => count,
            Bins::Auto => {
                let per_update = PACKAGES_PER_UPDATE * self.profile.bins_per_package();
                let square = u128::from(self.expected_targets)
                    * u128::from(per_update * self.profile.target_bytes())
                    / u128::from(SNAPSHOT_ENTRY);
                // In halves of an exponent: floor((log2(b²) + 1) / 2) rounds log2(b).
                let exponent = square.checked_ilog2().map_or(0, |log| log.div_ceil(2));
                1 << exponent.min(MAX_BINS.ilog2())
            }
        }
    }

    /// How the bins are named: as said, or as their number wants it.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match self.encoding {
            EncodingChoice::Fixed(encoding) => encoding,
            EncodingChoice::Auto if self.bin_count() <= MAX_AUTO_PREFIX_BINS => {
                Encoding::PathHashPrefixes
            }
            EncodingChoice::Auto => Encoding::Succinct,
        }
    }

    /// Expected bytes of the role `bins`.
    #[must_use]
    pub fn bins_role_bytes(&self) -> u64 {
        match self.encoding() {
            Encoding::PathHashPrefixes => EMPTY_ROLE + LISTED_BIN * u64::from(self.bin_count()),
            // The measured 715 bytes for any number of bins.
            Encoding::Succinct => 2 * EMPTY_ROLE + 25,
        }
    }

    /// Expected bytes of one bin when the index has grown as expected.
    #[must_use]
    pub fn bin_bytes(&self) -> u64 {
        let per_bin = self.expected_targets.div_ceil(u64::from(self.bin_count()));
        EMPTY_ROLE.saturating_add(per_bin.saturating_mul(self.profile.target_bytes()))
    }

    /// Expected bytes that the bins take up in snapshot.
    #[must_use]
    pub fn snapshot_bytes(&self) -> u64 {
        EMPTY_ROLE + SNAPSHOT_ENTRY * u64::from(self.bin_count())
    }

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            profile: section.choice(
                "target_profile",
                &[
                    ("pages", TargetProfile::Pages),
                    ("pages+files", TargetProfile::PagesAndFiles),
                ],
            )?,
            bins: section
                .auto_or_count("bins", 2..=MAX_BINS)?
                .map_or(Bins::Auto, Bins::Count),
            encoding: section.choice(
                "encoding",
                &[
                    ("auto", EncodingChoice::Auto),
                    (
                        "path-hash-prefixes",
                        EncodingChoice::Fixed(Encoding::PathHashPrefixes),
                    ),
                    ("succinct", EncodingChoice::Fixed(Encoding::Succinct)),
                ],
            )?,
            expected_targets: section.integer("expected_targets", 1..=1_000_000_000)?,
        })
    }
}

impl TargetProfile {
    /// Mean bytes of one target in a bin, measured.
    fn target_bytes(self) -> u64 {
        match self {
            Self::Pages => 143,
            Self::PagesAndFiles => 230,
        }
    }

    /// Bins in which what is needed of one package is found: its page, and its file.
    fn bins_per_package(self) -> u64 {
        match self {
            Self::Pages => 1,
            Self::PagesAndFiles => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(bins: Bins, expected_targets: u64) -> IndexPolicy {
        IndexPolicy {
            profile: TargetProfile::PagesAndFiles,
            bins,
            encoding: EncodingChoice::Auto,
            expected_targets,
        }
    }

    #[test]
    fn auto_bins_follow_the_measured_optimum() {
        for (targets, bins) in [
            (1, 8),
            (1_000, 256),
            (10_000, 1_024),
            (100_000, 2_048),
            (1_000_000, 8_192),
        ] {
            assert_eq!(
                with(Bins::Auto, targets).bin_count(),
                bins,
                "{targets} targets"
            );
        }
        assert_eq!(with(Bins::Auto, 1_000_000_000).bin_count(), MAX_BINS);
    }

    #[test]
    fn auto_encoding_changes_above_1024_bins() {
        assert_eq!(
            with(Bins::Count(1_024), 1).encoding(),
            Encoding::PathHashPrefixes
        );
        assert_eq!(with(Bins::Count(2_048), 1).encoding(), Encoding::Succinct);
    }

    #[test]
    fn sizes_are_those_measured_within_a_tenth() {
        let mut index = with(Bins::Count(16_384), 139 * 16_384);
        assert_eq!(index.bins_role_bytes(), 715);
        index.encoding = EncodingChoice::Fixed(Encoding::PathHashPrefixes);
        for (estimate, measured) in [
            (index.bins_role_bytes(), 2_998_850),
            (index.snapshot_bytes(), 572_053),
            (index.bin_bytes(), 29_963),
        ] {
            let tenths = (estimate * 10).div_ceil(measured);
            assert!((10..=12).contains(&tenths), "{estimate} against {measured}");
        }
    }
}
