//! Version specifiers (PEP 440 "Version specifiers"): which versions a requirement takes.

use std::fmt;

use thiserror::Error;

use super::{Key, Pre, Version440, VersionError};
use crate::excerpt;

/// Longest set of specifiers accepted, in bytes; the longest real ones exclude a few dozen versions.
pub const MAX_SPECIFIERS: usize = 4_096;

/// A set of version specifiers, all of which have to hold: `>=2.31,!=2.32.0`. The empty set takes
/// every version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specifiers(Vec<Specifier>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Specifier {
    operator: Operator,
    /// As written, without what stands around it.
    text: String,
    /// `None` for `===`, which compares texts.
    version: Option<Version440>,
    /// Numbers of the release as written: `1.0` has two, though it equals `1`.
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// `~=`
    Compatible,
    /// `==`
    Equal,
    /// `==V.*`
    EqualPrefix,
    /// `!=`
    NotEqual,
    /// `!=V.*`
    NotEqualPrefix,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `>`
    Above,
    /// `===`
    Arbitrary,
}

/// Longer ones first: `===` begins with `==`.
const OPERATORS: [(&str, Operator); 8] = [
    ("===", Operator::Arbitrary),
    ("~=", Operator::Compatible),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

/// Why a text is no set of version specifiers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecifierError {
    /// More than [`MAX_SPECIFIERS`] bytes.
    #[error("version specifiers are longer than {MAX_SPECIFIERS} bytes")]
    TooLong,
    /// None of the operators stands in front.
    #[error("`{found}` begins with none of ~= == != <= >= < > ===")]
    Operator {
        /// The specifier, shortened.
        found: String,
    },
    /// What follows the operator is no version.
    #[error("`{found}` names no version")]
    Version {
        /// The specifier, shortened.
        found: String,
        /// What is wrong with it.
        source: VersionError,
    },
    /// A form of version that this operator does not take.
    #[error("`{found}` {reason}")]
    Form {
        /// The specifier, shortened.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Specifiers {
    /// Parses specifiers between commas.
    pub fn parse(text: &str) -> Result<Self, SpecifierError> {
        if text.len() > MAX_SPECIFIERS {
            return Err(SpecifierError::TooLong);
        }
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts
            .map(Specifier::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether all hold. Whether a pre-release may be taken at all is another question: see
    /// [`Self::names_prerelease`].
    #[must_use]
    pub fn contains(&self, version: &Version440) -> bool {
        self.0.iter().all(|specifier| specifier.contains(version))
    }

    /// Whether one of them asks for a pre-release by naming one (PEP 440 "Handling of pre-releases").
    #[must_use]
    pub fn names_prerelease(&self) -> bool {
        self.0.iter().any(|specifier| {
            let is_exclusion = matches!(
                specifier.operator,
                Operator::NotEqual | Operator::NotEqualPrefix
            );
            let named = match &specifier.version {
                Some(version) => version.is_prerelease(),
                None => Version440::parse(&specifier.text).is_ok_and(|it| it.is_prerelease()),
            };
            !is_exclusion && named
        })
    }

    /// The version, as written, if exactly one can be meant: `==1.0` or `===1.0`.
    #[must_use]
    pub fn pinned(&self) -> Option<&str> {
        let exact = |it: &&Specifier| matches!(it.operator, Operator::Equal | Operator::Arbitrary);
        self.0.iter().find(exact).map(|it| it.text.as_str())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether every version is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Specifier {
    fn parse(written: &str) -> Result<Self, SpecifierError> {
        let found = || excerpt(written);
        let operator = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, written.strip_prefix(sign)?.trim())));
        let (operator, text) =
            operator.ok_or_else(|| SpecifierError::Operator { found: found() })?;
        let refused = |reason| SpecifierError::Form {
            found: found(),
            reason,
        };
        if operator == Operator::Arbitrary {
            if text.is_empty() || text.contains(|it: char| !it.is_ascii_graphic()) {
                return Err(refused("has no text to compare"));
            }
            return Ok(Self {
                operator,
                text: text.to_owned(),
                version: None,
                parts: 0,
            });
        }
        let (operator, number) = match (operator, text.strip_suffix(".*")) {
            (Operator::Equal, Some(prefix)) => (Operator::EqualPrefix, prefix),
            (Operator::NotEqual, Some(prefix)) => (Operator::NotEqualPrefix, prefix),
            _ => (operator, text),
        };
        let version = Version440::parse(number).map_err(|source| SpecifierError::Version {
            found: found(),
            source,
        })?;
        let parts = release_parts(&version);
        operator.check(&version.key, parts).map_err(refused)?;
        Ok(Self {
            operator,
            text: text.to_owned(),
            version: Some(version),
            parts,
        })
    }

    fn contains(&self, version: &Version440) -> bool {
        let Some(named) = &self.version else {
            return version.as_str().eq_ignore_ascii_case(&self.text);
        };
        let (found, named) = (&version.key, &named.key);
        match self.operator {
            Operator::Equal => found.equals(named),
            Operator::NotEqual => !found.equals(named),
            Operator::EqualPrefix => found.begins_with(named, self.parts),
            Operator::NotEqualPrefix => !found.begins_with(named, self.parts),
            Operator::Compatible => {
                found.public() >= *named && found.begins_with(named, self.parts - 1)
            }
            Operator::AtMost => found.public() <= *named,
            Operator::AtLeast => found.public() >= *named,
            Operator::Below => *found < named.first_of_it(),
            Operator::Above => {
                let is_of_it = found.same_base(named) && found.pre == named.pre;
                match (named.post, named.dev) {
                    (None, super::Dev::None) => found > named && !is_of_it,
                    _ => found.public() > *named,
                }
            }
            // Compared above.
            Operator::Arbitrary => false,
        }
    }
}

/// The numbers of a version's release, zeros at its end included.
fn release_parts(version: &Version440) -> usize {
    let text = version.as_str();
    let release = text.split_once('!').map_or(text, |(_, release)| release);
    let mut parts = 0;
    for part in release.split('.') {
        parts += usize::from(part.starts_with(|it: char| it.is_ascii_digit()));
        if !part.bytes().all(|it| it.is_ascii_digit()) {
            break;
        }
    }
    parts
}

impl Operator {
    fn check(self, key: &Key, parts: usize) -> Result<(), &'static str> {
        let is_prefix = matches!(self, Self::EqualPrefix | Self::NotEqualPrefix);
        let takes_local = matches!(self, Self::Equal | Self::NotEqual);
        if is_prefix && (key.is_prerelease() || key.post.is_some() || key.local.is_some()) {
            return Err("has `.*` behind more than a release");
        }
        if key.local.is_some() && !takes_local {
            return Err("names a local version, which only == and != take");
        }
        if self == Self::Compatible && parts < 2 {
            return Err("needs a version of two parts");
        }
        Ok(())
    }
}

impl Key {
    fn is_prerelease(&self) -> bool {
        self.pre != Pre::None || self.dev != super::Dev::None
    }

    /// Without the local part.
    fn public(&self) -> Self {
        Self {
            local: None,
            ..self.clone()
        }
    }

    /// The first version that belongs to this one: what is before a final release's pre-releases.
    fn first_of_it(&self) -> Self {
        if self.is_prerelease() {
            return self.clone();
        }
        Self {
            pre: match self.post {
                Some(_) => self.pre,
                None => Pre::DevOfFinal,
            },
            dev: super::Dev::Number(0),
            ..self.clone()
        }
    }

    fn same_base(&self, other: &Self) -> bool {
        (self.epoch, &self.release) == (other.epoch, &other.release)
    }

    /// A local part counts only where one is named.
    fn equals(&self, named: &Self) -> bool {
        match named.local {
            Some(_) => self == named,
            None => self.public() == *named,
        }
    }

    /// Whether the first `parts` numbers of the release are those of `named`.
    fn begins_with(&self, named: &Self, parts: usize) -> bool {
        let part = |release: &[u64], at: usize| release.get(at).copied().unwrap_or(0);
        let same = |at| part(&self.release, at) == part(&named.release, at);
        self.epoch == named.epoch && (0..parts).all(same)
    }
}

impl Version440 {
    /// Whether it is an alpha, beta, candidate or development release.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        self.key.is_prerelease()
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, specifier) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let sign = specifier.operator.sign();
            write!(f, "{comma}{sign}{}", specifier.text)?;
        }
        Ok(())
    }
}

impl Operator {
    fn sign(self) -> &'static str {
        let plain = match self {
            Self::EqualPrefix => Self::Equal,
            Self::NotEqualPrefix => Self::NotEqual,
            other => other,
        };
        let sign = OPERATORS.iter().find(|(_, operator)| *operator == plain);
        sign.map_or("", |(sign, _)| sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(specifiers: &str, version: &str) -> bool {
        let specifiers = Specifiers::parse(specifiers).unwrap();
        specifiers.contains(&Version440::parse(version).unwrap())
    }

    /// The examples of PEP 440 "Version specifiers", section by section.
    #[test]
    fn examples_of_pep_440() {
        for (specifiers, yes, no) in [
            ("~= 2.2", "2.3.1", "3.0"),
            ("~= 1.4.5", "1.4.9", "1.5"),
            ("~= 2.2.post3", "2.3", "2.2"),
            ("~= 1.4.5a4", "1.4.5", "1.5"),
            ("~= 2.2.0", "2.2.5", "2.3"),
            ("== 1.1.post1", "1.1.post1", "1.1"),
            ("== 1.1", "1.1.0", "1.1.post1"),
            ("== 1.1.*", "1.1a1", "1.2"),
            ("!= 1.1.*", "1.2", "1.1.post1"),
            ("== 1.1", "1.1+local", "1.1.dev1"),
            ("== 1.1+a", "1.1+a", "1.1"),
            (">1.7", "1.7.1", "1.7.0.post1"),
            (">1.7.post2", "1.7.post3", "1.7"),
            ("<3.1", "3.0", "3.1.dev0"),
            ("<3.1a2", "3.1a1", "3.1a2"),
            ("===1.0+x", "1.0+X", "1.0"),
            ("~= 0.9, >= 0.9.1, != 0.9.4.*, < 2.0", "0.10", "0.9.4"),
            ("", "1.0", "no"),
        ] {
            assert!(takes(specifiers, yes), "{specifiers} takes {yes}");
            assert!(
                no == "no" || !takes(specifiers, no),
                "{specifiers} takes {no}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_specifier() {
        for bad in [
            "1.0",
            "=1.0",
            "=> 1",
            "== ",
            "==1.0.*+x",
            "~=1",
            ">=1.*",
            ">=1+x",
            "==1.0a1.*",
            "===",
            "== 1 0",
            "==*",
            "=== a b",
        ] {
            assert!(Specifiers::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Specifiers::parse(&">1,".repeat(2_000)).is_err());
    }

    #[test]
    fn says_what_is_pinned_and_what_is_a_pre_release() {
        let of = |text| Specifiers::parse(text).unwrap();
        assert_eq!(of(">=1,==1.0 ").pinned(), Some("1.0"));
        assert_eq!(of("==1.*").pinned(), None);
        assert_eq!(of(" >= 1 ,!=1.2.* ").to_string(), ">=1,!=1.2.*");
        for (text, named) in [
            (">=1.0a1", true),
            ("!=1.0a1", false),
            ("===1.dev1", true),
            ("<2", false),
        ] {
            assert_eq!(of(text).names_prerelease(), named, "{text}");
        }
    }
}
