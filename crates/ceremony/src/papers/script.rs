//! A script: steps in order, each with who does what, and where to go when something else happens.

use std::fmt::Write;

use super::{Facts, claims, emergencies, online, scripts};

/// Every script there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Genesis,
    Renewal,
    Rotation,
    HolderChange,
    DeveloperClaims,
    OnlineRotation,
    Rebin,
    KeyLost,
    KeyCompromised,
    BelowQuorum,
    Abort,
    Emergency,
}

impl Script {
    pub(crate) const ALL: [Self; 12] = [
        Self::Genesis,
        Self::Renewal,
        Self::Rotation,
        Self::HolderChange,
        Self::DeveloperClaims,
        Self::OnlineRotation,
        Self::Rebin,
        Self::KeyLost,
        Self::KeyCompromised,
        Self::BelowQuorum,
        Self::Abort,
        Self::Emergency,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Renewal => "renewal",
            Self::Rotation => "rotation",
            Self::HolderChange => "holder-change",
            Self::DeveloperClaims => "developer-claims",
            Self::OnlineRotation => "online-rotation",
            Self::Rebin => "rebin",
            Self::KeyLost => "key-lost",
            Self::KeyCompromised => "key-compromised",
            Self::BelowQuorum => "below-quorum",
            Self::Abort => "abort",
            Self::Emergency => "emergency",
        }
    }

    /// The script in Markdown.
    pub(crate) fn render(self, facts: &Facts) -> String {
        let text = match self {
            Self::Genesis => scripts::genesis(facts),
            Self::Renewal => scripts::renewal(facts),
            Self::Rotation => scripts::rotation(facts),
            Self::HolderChange => scripts::holder_change(facts),
            Self::DeveloperClaims => claims::developer_claims(facts),
            Self::OnlineRotation => online::online_rotation(facts),
            Self::Rebin => online::rebin(facts),
            Self::KeyLost => emergencies::key_lost(),
            Self::KeyCompromised => emergencies::key_compromised(),
            Self::BelowQuorum => emergencies::below_quorum(),
            Self::Abort => emergencies::abort(facts),
            Self::Emergency => emergencies::emergency(),
        };
        text.render(facts)
    }
}

/// What a script says.
pub(super) struct Text {
    pub(super) title: &'static str,
    /// One paragraph: when, and what it leads to.
    pub(super) purpose: &'static str,
    pub(super) steps: Vec<Step>,
}

/// One step.
pub(super) struct Step {
    /// What other steps call it; empty if none leads here.
    label: &'static str,
    who: String,
    does: String,
    otherwise: Vec<(&'static str, &'static str)>,
}

/// A step that somebody takes.
pub(super) fn step(who: &str, does: impl Into<String>) -> Step {
    Step {
        label: "",
        who: who.to_owned(),
        does: does.into(),
        otherwise: Vec::new(),
    }
}

impl Step {
    /// Gives the step a name to be led to, as `@NAME`.
    pub(super) fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// Where to go if something else happens: `@NAME` of a step, a paper, or a word.
    pub(super) fn or(mut self, condition: &'static str, target: &'static str) -> Self {
        self.otherwise.push((condition, target));
        self
    }
}

impl Text {
    fn render(&self, facts: &Facts) -> String {
        let mut out = format!("# {}\n\n{}\n\n", self.title, self.purpose);
        // Writing to a String cannot fail, here and below.
        if !facts.thresholds.is_empty() {
            let _ = writeln!(out, "Event `{}`, policy `{}`.\n", facts.event, facts.policy);
            for line in &facts.thresholds {
                let _ = writeln!(out, "- {line}");
            }
            out.push('\n');
        }
        out.push_str(
            "`C` stands for `countersign-ceremony`. Do one step after the other; write the time and\n\
             your initials beside each. Whatever is not as it stands here goes into the form\n\
             `exception.md`.\n\n",
        );
        out.push_str("| step | who | DO | IF | GO TO | time, initials |\n");
        out.push_str("|---|---|---|---|---|---|\n");
        for (at, step) in self.steps.iter().enumerate() {
            let (first, more) = match step.otherwise.as_slice() {
                [] => (("", ""), &[][..]),
                [first, more @ ..] => (*first, more),
            };
            let (number, who, does) = (at + 1, &step.who, &step.does);
            let (condition, target) = (first.0, self.target(first.1, number));
            let _ = writeln!(
                out,
                "| {number} | {who} | {does} | {condition} | {target} | |"
            );
            for (condition, target) in more {
                let target = self.target(target, number);
                let _ = writeln!(out, "| | | | {condition} | {target} | |");
            }
        }
        out
    }

    /// The number of the step that is meant, `@here` the one that leads there; papers and words stay.
    fn target(&self, name: &str, here: usize) -> String {
        if name == "@here" {
            return here.to_string();
        }
        let number = name.strip_prefix('@').and_then(|label| {
            let mut all = self.steps.iter();
            all.position(|one| one.label == label)
        });
        number.map_or_else(|| name.to_owned(), |at| (at + 1).to_string())
    }
}
