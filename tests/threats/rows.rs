//! The tables themselves: what the PEPs say, and what has to be true of us.

use crate::layouts::{Goal, Layout};

/// Whose files can be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malicious {
    /// NO.
    Nobody,
    /// YES.
    Everybody,
    /// YES, "but only of projects not delegated by claimed": those that stand in the role stolen.
    Unclaimed,
    /// YES, of projects claimed a moment ago and of those nobody has claimed.
    RecentAndUnclaimed,
    /// YES, of the project whose key it is.
    TheProject,
}

/// One row: the keys stolen, and the three answers. `None` where the PEP says "not applicable".
pub(crate) struct Row {
    /// The roles stolen.
    pub(crate) name: &'static str,
    pub(crate) layout: Layout,
    /// Keys by name.
    pub(crate) stolen: &'static [&'static str],
    pub(crate) malicious: Malicious,
    pub(crate) freeze: Option<bool>,
    /// Days after which a freeze has ended.
    pub(crate) freeze_ends: Option<i64>,
    pub(crate) inconsistency: Option<bool>,
    /// What the table adds in words.
    pub(crate) note: &'static str,
}

impl Malicious {
    pub(crate) fn on(self, goal: Goal) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Unclaimed => goal == Goal::Unclaimed,
            Self::RecentAndUnclaimed => !goal.is_claimed(),
            Self::TheProject => goal.is_claimed(),
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nobody => "no",
            Self::Everybody => "**yes**",
            Self::Unclaimed => "**yes**, of projects nobody has claimed",
            Self::RecentAndUnclaimed => "**yes**, of projects not in `claimed`",
            Self::TheProject => "**yes**, of this project",
        }
    }
}

impl Row {
    /// The same keys, and those of snapshot and timestamp: what is NO to freeze and mixing for want
    /// of a key becomes YES.
    pub(crate) fn with_online_keys(&self) -> Vec<&'static str> {
        let online: &[&str] = match self.layout {
            Layout::Pep458 => &["online"],
            Layout::Pep480 => &["timestamp", "snapshot"],
        };
        let more = online.iter().filter(|key| !self.stolen.contains(key));
        self.stolen.iter().chain(more).copied().collect()
    }

    /// Whether these keys, all of them, let pip take a forged file through the proxy. The page of the
    /// project has to name it, so whoever has no key for pages has to leave it as it is.
    pub(crate) fn through_pip(&self, goal: Goal) -> bool {
        self.has_pages() && self.malicious.on(goal)
    }

    /// Whether the keys stolen are enough to forge pages.
    pub(crate) fn has_pages(&self) -> bool {
        let pages = ["online", "bin-n", "targets", "root-1"];
        self.malicious != Malicious::Nobody && self.stolen.iter().any(|key| pages.contains(key))
    }

    /// These, the key of the role that vouches for the goal, and the one for pages.
    pub(crate) fn with_keys_of_pip(&self, goal: Goal) -> Vec<&'static str> {
        let mut keys = self.with_key_of(goal);
        if self.layout == Layout::Pep480 && !keys.contains(&"bin-n") {
            keys.push("bin-n");
        }
        keys
    }

    /// These, and the key of the role that vouches for the goal: no other key is missing.
    pub(crate) fn with_key_of(&self, goal: Goal) -> Vec<&'static str> {
        let mut keys = self.with_online_keys();
        keys.push(match (self.layout, goal) {
            (Layout::Pep458, _) => "online",
            (_, Goal::Unclaimed) => "bin-n",
            (_, Goal::Recent) => "gamma",
            _ => "alpha",
        });
        keys
    }
}

/// Two of three: the threshold of root.
const ROOT: &[&str] = &["root-1", "root-2"];
const NEEDS_MORE: &str = "timestamp and snapshot have to cooperate";

/// PEP 458, Table 4.
pub(crate) const PEP_458: [Row; 4] = [
    Row {
        name: "targets",
        layout: Layout::Pep458,
        stolen: &["targets"],
        malicious: Malicious::Nobody,
        freeze: Some(false),
        freeze_ends: None,
        inconsistency: Some(false),
        note: NEEDS_MORE,
    },
    Row {
        name: "bins",
        layout: Layout::Pep458,
        stolen: &["bins"],
        malicious: Malicious::Nobody,
        freeze: Some(false),
        freeze_ends: None,
        inconsistency: Some(false),
        note: NEEDS_MORE,
    },
    Row {
        name: "timestamp+snapshot+bin-n",
        layout: Layout::Pep458,
        stolen: &["online"],
        malicious: Malicious::Everybody,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "until the first of root, `targets` and `bins` expires",
    },
    Row {
        name: "root",
        layout: Layout::Pep458,
        stolen: ROOT,
        malicious: Malicious::Everybody,
        freeze: Some(true),
        freeze_ends: None,
        inconsistency: Some(true),
        note: "a new root has to come by another way",
    },
];

/// PEP 480, Table 1.
pub(crate) const PEP_480: [Row; 14] = [
    Row {
        name: "timestamp",
        layout: Layout::Pep480,
        stolen: &["timestamp"],
        malicious: Malicious::Nobody,
        freeze: Some(true),
        freeze_ends: Some(8),
        inconsistency: Some(false),
        note: "the freeze ends with the snapshot, which expires before what the PEP names",
    },
    Row {
        name: "snapshot",
        layout: Layout::Pep480,
        stolen: &["snapshot"],
        malicious: Malicious::Nobody,
        freeze: Some(false),
        freeze_ends: None,
        inconsistency: Some(false),
        note: "the timestamp holds the snapshot's digest",
    },
    Row {
        name: "timestamp+snapshot",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot"],
        malicious: Malicious::Nobody,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "`targets` or a delegated role has to cooperate",
    },
    Row {
        name: "targets",
        layout: Layout::Pep480,
        stolen: &["targets"],
        malicious: Malicious::Nobody,
        freeze: None,
        freeze_ends: None,
        inconsistency: None,
        note: NEEDS_MORE,
    },
    Row {
        name: "claimed",
        layout: Layout::Pep480,
        stolen: &["claimed"],
        malicious: Malicious::Nobody,
        freeze: None,
        freeze_ends: None,
        inconsistency: None,
        note: NEEDS_MORE,
    },
    Row {
        name: "recently-claimed",
        layout: Layout::Pep480,
        stolen: &["recently-claimed"],
        malicious: Malicious::Nobody,
        freeze: None,
        freeze_ends: None,
        inconsistency: None,
        note: NEEDS_MORE,
    },
    Row {
        name: "unclaimed",
        layout: Layout::Pep480,
        stolen: &["bin-n"],
        malicious: Malicious::Nobody,
        freeze: None,
        freeze_ends: None,
        inconsistency: None,
        note: NEEDS_MORE,
    },
    Row {
        name: "project",
        layout: Layout::Pep480,
        stolen: &["alpha"],
        malicious: Malicious::Nobody,
        freeze: None,
        freeze_ends: None,
        inconsistency: None,
        note: NEEDS_MORE,
    },
    Row {
        name: "timestamp+snapshot+project",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot", "alpha"],
        malicious: Malicious::TheProject,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "",
    },
    Row {
        name: "timestamp+snapshot+recently-claimed",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot", "recently-claimed"],
        malicious: Malicious::RecentAndUnclaimed,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "`recently-claimed` may speak for every path that nothing before it ends the search for",
    },
    Row {
        name: "timestamp+snapshot+unclaimed",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot", "bin-n"],
        malicious: Malicious::Unclaimed,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "",
    },
    Row {
        name: "timestamp+snapshot+targets",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot", "targets"],
        malicious: Malicious::Everybody,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "",
    },
    Row {
        name: "timestamp+snapshot+claimed",
        layout: Layout::Pep480,
        stolen: &["timestamp", "snapshot", "claimed"],
        malicious: Malicious::Everybody,
        freeze: Some(true),
        freeze_ends: Some(90),
        inconsistency: Some(true),
        note: "`claimed` is asked first for every path",
    },
    Row {
        name: "root",
        layout: Layout::Pep480,
        stolen: ROOT,
        malicious: Malicious::Everybody,
        freeze: Some(true),
        freeze_ends: None,
        inconsistency: Some(true),
        note: "a new root has to come by another way",
    },
];
