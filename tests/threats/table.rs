//! The result, cell by cell, as `policy/threat-model.md` shows it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::rows::{PEP_458, PEP_480, Row};

const BEGIN: &str =
    "<!-- cells: written by `COUNTERSIGN_WRITE_TABLE=1` and the test `threats` -->\n";
const END: &str = "<!-- end of cells -->\n";

/// Both tables.
fn tables() -> String {
    let mut out = String::new();
    for (title, rows) in [
        ("PEP 458, Table 4", &PEP_458[..]),
        ("PEP 480, Table 1", &PEP_480[..]),
    ] {
        let _ = write!(
            out,
            "\n{title}\n\n| stolen | malicious files | the same to pip | freeze | mixing of old and \
             new | |\n|---|---|---|---|---|---|\n"
        );
        for row in rows {
            out.push_str(&line(row));
        }
    }
    out.push('\n');
    out
}

fn line(row: &Row) -> String {
    let cell = |answer: Option<bool>| match answer {
        None => "–",
        Some(true) => "**yes**",
        Some(false) => "no",
    };
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        row.name.replace('+', ", "),
        row.malicious.words(),
        if row.has_pages() {
            row.malicious.words()
        } else {
            "no"
        },
        cell(row.freeze),
        cell(row.inconsistency),
        row.note
    )
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/threat-model.md")
}

#[test]
fn the_threat_model_shows_every_cell() {
    let text = std::fs::read_to_string(file()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the cells begin");
    let (found, after) = rest.split_once(END).expect("where the cells end");
    let tables = tables();
    if std::env::var_os("COUNTERSIGN_WRITE_TABLE").is_some() {
        std::fs::write(file(), format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
    } else {
        assert_eq!(
            found, tables,
            "run this test with COUNTERSIGN_WRITE_TABLE=1"
        );
    }
}
