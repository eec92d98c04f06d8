//! Which upstream a project belongs to. Whoever merges indexes by taking the highest version of any lets
//! whoever can publish on one of them replace what is on the others (dependency confusion). Here a
//! name belongs to the upstream of the first rule that matches it, and to no other, whether or not it
//! is there; names on which several have to agree are shown as far as they do (TAP 4). An index that
//! signs nothing can have single names, and only under the word `unverified`.

use std::collections::BTreeSet;

use index::ProjectName;
use serde::Deserialize;
use url::Url;

use crate::canonical;

/// The rules, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRules {
    rules: Vec<Rule>,
    names: Vec<String>,
    unverified: Vec<Url>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    patterns: Vec<Pattern>,
    pub(crate) asked: Asked,
}

/// Who is asked for a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Indexes that sign.
    Signed(Signed),
    /// The one that signs nothing, by its place among [`UpstreamRules::unverified`].
    Unverified(usize),
}

/// Indexes that sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// By their place among [`UpstreamRules::names`].
    pub(crate) upstreams: Vec<usize>,
    /// How many of them have to agree.
    pub(crate) agree: usize,
}

/// Names, normalized as PEP 503 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// All that begin so; all there are, if it is empty.
    Prefix(String),
    /// This one.
    Name(ProjectName),
}

/// Why a file of rules is refused.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not TOML of this form.
    #[error("the file cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// It says nothing.
    #[error("there is no rule")]
    Empty,
    /// A rule without projects.
    #[error("rule {rule} names no project")]
    NoProjects {
        /// The rule, from 1.
        rule: usize,
    },
    /// A pattern that is neither a name nor a beginning of one.
    #[error(
        "rule {rule}: `{pattern}` is neither a project's name nor the beginning of one with `*` after it"
    )]
    Pattern {
        /// The rule, from 1.
        rule: usize,
        /// As written.
        pattern: String,
    },
    /// An earlier pattern has all its names.
    #[error("rule {rule}: `{pattern}` is never reached, an earlier pattern has all its names")]
    Unreachable {
        /// The rule, from 1.
        rule: usize,
        /// As written.
        pattern: String,
    },
    /// One upstream, several that have to agree, or one that signs nothing.
    #[error(
        "rule {rule} needs `upstream`, or `upstreams` and `agree`: how many of them, at least 2, have to agree; or `unverified`"
    )]
    Upstreams {
        /// The rule, from 1.
        rule: usize,
    },
    /// Names that nobody wrote down would come from an index that signs nothing.
    #[error("rule {rule}: `{pattern}` has `*`: an unverified index can have single names only")]
    UnverifiedPattern {
        /// The rule, from 1.
        rule: usize,
        /// As written.
        pattern: String,
    },
    /// A URL that an unverified index cannot be at.
    #[error("rule {rule}: the unverified index is at no usable URL: {why}")]
    UnverifiedUrl {
        /// The rule, from 1.
        rule: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No rule names an index that signs.
    #[error("every rule is `unverified`, so nothing would be verified")]
    NothingSigned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    projects: Vec<String>,
    upstream: Option<String>,
    upstreams: Option<Vec<String>>,
    agree: Option<usize>,
    unverified: Option<String>,
}

/// Who is asked, as a rule has it.
enum AskedText {
    Signed { names: Vec<String>, agree: usize },
    Unverified(String),
}

impl UpstreamRules {
    /// Everything belongs to one upstream.
    #[must_use]
    pub fn all_of(name: &str) -> Self {
        Self {
            rules: vec![Rule {
                patterns: vec![Pattern::Prefix(String::new())],
                asked: Asked::Signed(Signed {
                    upstreams: vec![0],
                    agree: 1,
                }),
            }],
            names: vec![name.to_owned()],
            unverified: Vec::new(),
        }
    }

    /// Reads a file: `[[rule]]` tables with `projects` and `upstream`, `upstreams` and `agree`, or
    /// `unverified`.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text)?;
        let mut read = Self {
            rules: Vec::new(),
            names: Vec::new(),
            unverified: Vec::new(),
        };
        let mut before: Vec<Pattern> = Vec::new();
        for (at, text) in file.rule.into_iter().enumerate() {
            let rule = at + 1;
            if text.projects.is_empty() {
                return Err(RulesError::NoProjects { rule });
            }
            let mut patterns = Vec::new();
            for written in &text.projects {
                let pattern = written.clone();
                let Some(parsed) = Pattern::parse(written) else {
                    return Err(RulesError::Pattern { rule, pattern });
                };
                if before.iter().any(|earlier| earlier.has_all_of(&parsed)) {
                    return Err(RulesError::Unreachable { rule, pattern });
                }
                before.push(parsed.clone());
                patterns.push(parsed);
            }
            let asked = match text.asked().ok_or(RulesError::Upstreams { rule })? {
                AskedText::Signed { names, agree } => Asked::Signed(Signed {
                    upstreams: names
                        .iter()
                        .map(|it| place_of(&mut read.names, it))
                        .collect(),
                    agree,
                }),
                AskedText::Unverified(url) => {
                    check_single(rule, &text.projects)?;
                    let url = unverified_url(rule, &url)?;
                    Asked::Unverified(place_of(&mut read.unverified, &url))
                }
            };
            read.rules.push(Rule { patterns, asked });
        }
        if read.rules.is_empty() {
            return Err(RulesError::Empty);
        }
        if read.names.is_empty() {
            return Err(RulesError::NothingSigned);
        }
        Ok(read)
    }

    /// The upstreams that are named, each once, in the order in which they are.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The URLs of the indexes that sign nothing, each once, in the order in which they are named.
    #[must_use]
    pub fn unverified(&self) -> &[Url] {
        &self.unverified
    }

    /// The projects that a rule names one by one, as those of unverified indexes are, with their rule.
    pub(crate) fn single_names(&self) -> impl Iterator<Item = (&ProjectName, &Rule)> {
        self.rules.iter().flat_map(|rule| {
            let names = rule.patterns.iter().filter_map(|pattern| match pattern {
                Pattern::Name(name) => Some(name),
                Pattern::Prefix(_) => None,
            });
            names.map(move |name| (name, rule))
        })
    }

    /// The rule of a project: the first that matches it.
    #[must_use]
    pub fn of(&self, project: &ProjectName) -> Option<&Rule> {
        let is_of = |rule: &&Rule| rule.patterns.iter().any(|pattern| pattern.has(project));
        self.rules.iter().find(is_of)
    }
}

/// The place of a thing in a list that has each once; it is added if it is new.
fn place_of<T: PartialEq + Clone>(list: &mut Vec<T>, wanted: &T) -> usize {
    let known = list.iter().position(|it| it == wanted);
    known.unwrap_or_else(|| {
        list.push(wanted.clone());
        list.len() - 1
    })
}

fn check_single(rule: usize, projects: &[String]) -> Result<(), RulesError> {
    match projects.iter().find(|it| it.ends_with('*')) {
        None => Ok(()),
        Some(pattern) => Err(RulesError::UnverifiedPattern {
            rule,
            pattern: pattern.clone(),
        }),
    }
}

/// Nothing vouches for what an unverified index serves, so at least nobody on the way may change it.
fn unverified_url(rule: usize, text: &str) -> Result<Url, RulesError> {
    let refused = |why| RulesError::UnverifiedUrl { rule, why };
    let url: Url = text.parse().map_err(|_| refused("it is no URL"))?;
    let url = canonical::base(url).map_err(refused)?;
    if !client::is_safe_on_the_way(&url) {
        return Err(refused(
            "without TLS anybody on the way could change what it serves",
        ));
    }
    Ok(url)
}

impl RuleText {
    /// Whom to ask, and how many have to agree.
    fn asked(&self) -> Option<AskedText> {
        match (
            &self.upstream,
            &self.upstreams,
            self.agree,
            &self.unverified,
        ) {
            (Some(one), None, None, None) => Some(AskedText::Signed {
                names: vec![one.clone()],
                agree: 1,
            }),
            (None, Some(several), Some(agree), None) => {
                let distinct: BTreeSet<_> = several.iter().collect();
                let is_well =
                    distinct.len() == several.len() && (2..=several.len()).contains(&agree);
                is_well.then(|| AskedText::Signed {
                    names: several.clone(),
                    agree,
                })
            }
            (None, None, None, Some(url)) => Some(AskedText::Unverified(url.clone())),
            _ => None,
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let Some(start) = text.strip_suffix('*') else {
            return ProjectName::parse(text).ok().map(Self::Name);
        };
        // The beginning of a name that goes on: normalized like one, but it may end in a separator.
        let mut prefix = String::new();
        for c in start.chars() {
            match c.to_ascii_lowercase() {
                '-' | '_' | '.' if prefix.ends_with('-') => {}
                '-' | '_' | '.' if prefix.is_empty() => return None,
                '-' | '_' | '.' => prefix.push('-'),
                c if c.is_ascii_alphanumeric() => prefix.push(c),
                _ => return None,
            }
        }
        Some(Self::Prefix(prefix))
    }

    fn has(&self, project: &ProjectName) -> bool {
        match self {
            Self::Prefix(prefix) => project.as_str().starts_with(prefix.as_str()),
            Self::Name(name) => name == project,
        }
    }

    fn has_all_of(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Name(name)) => self.has(name),
            (Self::Prefix(prefix), Self::Prefix(longer)) => longer.starts_with(prefix.as_str()),
            (Self::Name(_), Self::Prefix(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
