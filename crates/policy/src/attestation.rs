//! Whose word counts that a key was made in hardware.

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `attestation`.
pub(crate) const KEYS: &[&str] = &["required", "roots"];

/// What makers of tokens must say about offline keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Whether a new offline key is refused without it.
    pub required: bool,
    /// Root certificates of the makers that are believed, in PEM. The program that reads
    /// certificates parses them.
    pub roots: Vec<String>,
}

impl Attestation {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            required: section.flag("required")?,
            roots: section.texts("roots")?,
        })
    }
}
