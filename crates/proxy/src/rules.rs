//! Which upstream a project belongs to. Whoever merges indexes by taking the highest version of any lets
//! whoever can publish on one of them replace what is on the others (dependency confusion). Here a
//! name belongs to the upstream of the first rule that matches it, and to no other, whether or not it
//! is there; names on which several have to agree are shown as far as they do (TAP 4).

use std::collections::BTreeSet;

use index::ProjectName;
use serde::Deserialize;

/// The rules, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRules {
    rules: Vec<Rule>,
    names: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    patterns: Vec<Pattern>,
    /// The upstreams asked, by their place among [`UpstreamRules::names`].
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
    /// One upstream, or several that have to agree.
    #[error(
        "rule {rule} needs `upstream`, or `upstreams` and `agree`: how many of them, at least 2, have to agree"
    )]
    Upstreams {
        /// The rule, from 1.
        rule: usize,
    },
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
}

impl UpstreamRules {
    /// Everything belongs to one upstream.
    #[must_use]
    pub fn all_of(name: &str) -> Self {
        Self {
            rules: vec![Rule {
                patterns: vec![Pattern::Prefix(String::new())],
                upstreams: vec![0],
                agree: 1,
            }],
            names: vec![name.to_owned()],
        }
    }

    /// Reads a file: `[[rule]]` tables with `projects` and `upstream`, or `upstreams` and `agree`.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text)?;
        let mut read = Self {
            rules: Vec::new(),
            names: Vec::new(),
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
            let (names, agree) = text.asked().ok_or(RulesError::Upstreams { rule })?;
            let upstreams = names.iter().map(|name| read.place_of(name)).collect();
            read.rules.push(Rule {
                patterns,
                upstreams,
                agree,
            });
        }
        if read.rules.is_empty() {
            return Err(RulesError::Empty);
        }
        Ok(read)
    }

    /// The upstreams that are named, each once, in the order in which they are.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The rule of a project: the first that matches it.
    #[must_use]
    pub fn of(&self, project: &ProjectName) -> Option<&Rule> {
        let is_of = |rule: &&Rule| rule.patterns.iter().any(|pattern| pattern.has(project));
        self.rules.iter().find(is_of)
    }

    fn place_of(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|it| it == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

impl RuleText {
    /// Whom to ask, and how many have to agree.
    fn asked(self) -> Option<(Vec<String>, usize)> {
        match (self.upstream, self.upstreams, self.agree) {
            (Some(one), None, None) => Some((vec![one], 1)),
            (None, Some(several), Some(agree)) => {
                let distinct: BTreeSet<_> = several.iter().collect();
                let is_well =
                    distinct.len() == several.len() && (2..=several.len()).contains(&agree);
                is_well.then_some((several, agree))
            }
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"
        [[rule]]
        projects = ["Acme_*", "internal.tool"]
        upstream = "corp"

        [[rule]]
        projects = ["cryptography"]
        upstreams = ["main", "mirror"]
        agree = 2

        [[rule]]
        projects = ["*"]
        upstream = "main"
    "#;

    /// The names of those asked for a project.
    fn asked(rules: &UpstreamRules, project: &str) -> Vec<String> {
        let rule = rules.of(&ProjectName::parse(project).unwrap());
        let places = rule.map(|rule| rule.upstreams.clone()).unwrap_or_default();
        places.iter().map(|&at| rules.names[at].clone()).collect()
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = UpstreamRules::parse(TEXT).unwrap();
        assert_eq!(rules.names(), ["corp", "main", "mirror"]);
        for (project, upstreams) in [
            ("acme-secrets", &["corp"][..]),
            ("ACME.Secrets", &["corp"]),
            ("internal_tool", &["corp"]),
            ("cryptography", &["main", "mirror"]),
            ("acme", &["main"]),
            ("acmesecrets", &["main"]),
            ("internal-tools", &["main"]),
        ] {
            assert_eq!(asked(&rules, project), upstreams, "{project}");
        }
        let some = UpstreamRules::parse("[[rule]]\nprojects = [\"a\"]\nupstream = \"x\"").unwrap();
        assert!(asked(&some, "b").is_empty());
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        for (from, to) in [
            ("upstream = \"corp\"", "upsteam = \"corp\""),
            ("upstream = \"corp\"", "upstreams = [\"corp\"]"),
            ("upstream = \"corp\"", "upstream = \"corp\"\nagree = 1"),
            ("agree = 2", "agree = 3"),
            ("agree = 2", "agree = 1"),
            ("agree = 2", ""),
            ("\"mirror\"]", "\"main\"]"),
            ("[\"cryptography\"]", "[]"),
            ("[\"cryptography\"]", "[\"acme-x\"]"),
            ("[\"cryptography\"]", "[\"Internal-Tool\"]"),
            ("[\"cryptography\"]", "[\"acme-x*\"]"),
            ("[\"cryptography\"]", "[\"*\"]"),
            ("[\"cryptography\"]", "[\"crypto*graphy\"]"),
            ("[\"cryptography\"]", "[\"-*\"]"),
            ("[\"cryptography\"]", "[\"cryptögraphy\"]"),
            ("[\"cryptography\"]", "[\"\"]"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let text = TEXT.replacen(from, to, 1);
            assert!(UpstreamRules::parse(&text).is_err(), "{to}");
        }
        assert!(UpstreamRules::parse("rule = []").is_err());
        assert!(UpstreamRules::parse("").is_err());
    }

    proptest! {
        /// However a name is written, it belongs to the same upstream; and to the first whose pattern,
        /// compared letter by letter, has it.
        #[test]
        fn every_spelling_belongs_to_one_upstream(
            parts in prop::collection::vec("[a-c]{1,2}", 1..4),
            separators in prop::collection::vec("[-_.]{1,2}", 3),
            upper in any::<u8>(),
            patterns in prop::collection::vec("[a-c]{1,2}(-[a-c]){0,2}-?\\*?", 1..6),
        ) {
            let plain = parts.join("-");
            let mut spelled = String::new();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    spelled.push_str(&separators[at - 1]);
                }
                let is_upper = upper >> at & 1 == 1;
                spelled.push_str(&if is_upper { part.to_uppercase() } else { part.clone() });
            }
            let mut text = String::new();
            let mut kept: Vec<&String> = Vec::new();
            for pattern in patterns.iter().filter(|it| !it.ends_with('-')) {
                let table = format!("[[rule]]\nprojects = [\"{pattern}\"]\nupstream = \"u{}\"\n", kept.len());
                if UpstreamRules::parse(&format!("{text}{table}")).is_ok() {
                    text.push_str(&table);
                    kept.push(pattern);
                }
            }
            prop_assume!(!kept.is_empty());
            let rules = UpstreamRules::parse(&text).unwrap();
            let expected = kept.iter().position(|pattern| match pattern.strip_suffix('*') {
                Some(start) => plain.starts_with(start),
                None => **pattern == plain,
            });
            let expected: Vec<String> = expected.map(|at| format!("u{at}")).into_iter().collect();
            prop_assert_eq!(asked(&rules, &spelled), expected.clone());
            prop_assert_eq!(asked(&rules, &plain), expected);
        }
    }
}
