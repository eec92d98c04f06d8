//! Every installer, by every way to the index, against everything a mirror can serve in place of what was
//! signed: none of it is installed, and the reason is reported. `tests/controls/installers` runs the
//! same against a program built without the checks, where it is.

mod mirror;
mod rows;
mod way;

use countersign_tests::SUCCEEDED;

use rows::{DEPENDENCY, ROWS, Row};
use way::{Attempt, Mode, Way, Who};

/// What came of one row.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The attack succeeded.
    Came,
    /// Nothing of it came, and the reason was reported.
    Refused(String),
    /// The proxy passed it on, and the installer noticed.
    PassedOn,
    /// The installer never asked for what was tampered with, and has what was signed.
    NotAsked,
}

impl Outcome {
    fn of(row: &Row, attempt: &Attempt) -> Self {
        let is_there = attempt.has(&row.module());
        let has_dependency = attempt.has(&DEPENDENCY.replace('-', "_"));
        let came = match (row.is_of_metadata, row.requires) {
            (false, _) => is_there,
            (true, false) => has_dependency,
            (true, true) => is_there && !has_dependency,
        };
        let reason = reason(&attempt.reported);
        match reason {
            _ if came => Self::Came,
            Some(reason) => Self::Refused(reason),
            None if row.is_of_metadata && is_there => Self::NotAsked,
            None => Self::PassedOn,
        }
    }

    /// For people, and for `tests/controls/installers`.
    fn words(&self) -> String {
        match self {
            Self::Came => "CAME".to_owned(),
            Self::Refused(reason) => format!("refused: {reason}"),
            Self::PassedOn => "passed on".to_owned(),
            Self::NotAsked => "not asked".to_owned(),
        }
    }
}

/// The first reason in what a proxy wrote.
fn reason(reported: &str) -> Option<String> {
    let from = &reported[reported.find("TUF ")?..];
    Some(from.lines().next()?.chars().take(100).collect())
}

/// All rows, unless `tests/controls/installers` asks for some.
fn wanted() -> impl Iterator<Item = &'static Row> {
    let some = std::env::var("COUNTERSIGN_TEST_ROWS").ok();
    let is_wanted = move |row: &&Row| {
        let mut some = some.iter().flat_map(|some| some.split(',')).peekable();
        some.peek().is_none() || some.any(|name| name == row.name)
    };
    ROWS.iter().filter(is_wanted)
}

/// One installer by one way, row by row.
fn is_refused(who: Who, mode: Mode) {
    let stage = mirror::tampered();
    let way = Way::new(&stage, who, mode);
    let mut wrong = Vec::new();
    for row in wanted() {
        let attempt = way.install(&row.project());
        let outcome = Outcome::of(row, &attempt);
        let line = format!("matrix {who:?} {mode:?} {}: {}", row.name, outcome.words());
        println!("{line}");
        if !holds(who, mode, row, &attempt, &outcome) {
            let Attempt {
                code,
                said,
                reported,
                ..
            } = attempt;
            wrong.push(format!("{line}\n  {code:?} {said}\n  {reported}"));
        }
    }
    assert!(wrong.is_empty(), "{SUCCEEDED}:\n{}", wrong.join("\n"));
}

fn holds(who: Who, mode: Mode, row: &Row, attempt: &Attempt, outcome: &Outcome) -> bool {
    let has_failed = attempt.code != Some(0);
    match outcome {
        Outcome::Refused(reason) => {
            // What was requested and is not there: that is told by the code. `exec` tells of anything that
            // was refused, even if the installer knew another way to what was signed.
            let is_told = has_failed || (mode != Mode::Exec && attempt.has(&row.module()));
            let is_repeated = mode == Mode::Exec || attempt.said.contains("TUF");
            reason.starts_with("TUF mismatch bins-")
                && reason.contains(&format!("/{}/", row.project()))
                && is_told
                && (is_repeated || !who.repeats_reasons())
        }
        // It knows nothing of core metadata.
        Outcome::NotAsked => who == Who::Pip22 && !has_failed,
        Outcome::Came | Outcome::PassedOn => false,
    }
}

/// The control without any proxy: whoever asks the mirror is taken in by all that fits together.
fn is_taken_in(who: Who) {
    let stage = mirror::tampered();
    let way = Way::new(&stage, who, Mode::Direct);
    for row in ROWS.iter().filter(|row| row.is_consistent) {
        if who.reads_the_end_of_a_wheel() && row.name == "wheel-cut-and-pages" {
            continue;
        }
        let attempt = way.install(&row.project());
        let came = Outcome::of(row, &attempt) == Outcome::Came;
        assert!(came, "{}: {:?} {}", row.name, attempt.code, attempt.said);
    }
}

macro_rules! installers {
    ($($name:ident $who:ident)*) => {$(
        mod $name {
            use super::{Mode, Who, is_refused, is_taken_in};

            #[test]
            fn index_url() {
                is_refused(Who::$who, Mode::Index);
            }

            #[test]
            fn forward_proxy() {
                is_refused(Who::$who, Mode::Forward);
            }

            #[test]
            fn under_exec() {
                is_refused(Who::$who, Mode::Exec);
            }

            #[test]
            fn control_without_a_proxy() {
                is_taken_in(Who::$who);
            }
        }
    )*};
}

installers! {
    pip Pip
    pip_24 Pip24
    pip_22 Pip22
    uv Uv
    uv_12 Uv12
    poetry Poetry
}
