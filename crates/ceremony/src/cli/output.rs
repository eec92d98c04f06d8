//! What the person at the terminal, or the program that called, gets to see.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use countersign_ceremony::CeremonyError;
use serde_json::{Value, json};

use super::failure::Failure;

/// The outcome of a command, for people and for programs.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) code: u8,
}

impl Report {
    pub(crate) fn new(text: String, json: Value) -> Self {
        Self {
            text,
            json,
            code: 0,
        }
    }
}

/// Prints a report. Whoever closes the pipe early has seen enough.
pub(crate) fn show(report: &Report, json: bool) -> ExitCode {
    let text = if json {
        format!("{:#}\n", report.json)
    } else {
        report.text.clone()
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::from(report.code),
    }
}

/// Prints a failure: one `error:` line, a `cause:` line per reason, and a `hint:` where there is
/// something to do.
/// With `--json`, one object on stdout beside it.
pub(crate) fn show_failure(failure: &Failure, json: bool) -> ExitCode {
    if json {
        let told = json!({
            "error": failure.to_string(),
            "causes": causes(failure),
            "hint": failure.hint(),
            "exit_code": failure.exit_code(),
        });
        // The exit code says it, too, where stdout is gone.
        let _ = writeln!(io::stdout(), "{told:#}");
    }
    let first = match failure {
        Failure::Ceremony(CeremonyError::Refused(refused)) => {
            let (role, version) = (&refused.role, refused.version);
            format!("error: {role} v{version} breaks rules and cannot be signed")
        }
        _ => format!("error: {failure}"),
    };
    let causes = causes(failure);
    let causes = causes.iter().map(|cause| format!("cause: {cause}"));
    let mut lines: Vec<String> = [first].into_iter().chain(causes).collect();
    lines.extend(failure.hint().map(|hint| format!("hint: {hint}")));
    // Where even this cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all((lines.join("\n") + "\n").as_bytes());
    ExitCode::from(failure.exit_code())
}

fn causes(failure: &Failure) -> Vec<String> {
    if let Failure::Ceremony(CeremonyError::Refused(refused)) = failure {
        return refused.findings.iter().map(ToString::to_string).collect();
    }
    let mut causes = Vec::new();
    let mut cause = failure.source();
    while let Some(reason) = cause {
        causes.push(reason.to_string());
        cause = reason.source();
    }
    causes
}

/// A remark that changes nothing about the outcome.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// One line per signed file: name and digest.
pub(crate) fn files_text(files: &[draft::SignedFile]) -> String {
    let mut text = String::new();
    for file in files {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", file.sha256(), file.file_name());
    }
    text
}

/// The same for programs.
pub(crate) fn files_json(files: &[draft::SignedFile]) -> Value {
    let list: Vec<Value> = files
        .iter()
        .map(|file| {
            serde_json::json!({
                "name": file.file_name(),
                "sha256": file.sha256().to_string(),
                "length": file.bytes().len(),
            })
        })
        .collect();
    serde_json::json!({ "files": list })
}
