//! Forms that are filled in by hand, scanned, and kept with the event.

use std::fmt::Write;

use super::{Facts, Paper};

/// All of them.
pub(super) fn all(facts: &Facts) -> Vec<Paper> {
    [
        ("attendance", attendance(facts)),
        ("exception", EXCEPTION.to_owned()),
        ("witness", format!("{WITNESS}\n{}", sixteen_words())),
        ("seals", SEALS.to_owned()),
        ("custody", format!("{CUSTODY}\n{}", sixteen_words())),
        ("destruction", DESTRUCTION.to_owned()),
    ]
    .map(|(name, text)| Paper {
        name: format!("forms/{name}.md"),
        text: text.replace("EVENT", &facts.title),
    })
    .into()
}

fn attendance(facts: &Facts) -> String {
    let mut out = String::from(
        "# Attendance\n\nEvent EVENT. Place, date:\n\n\
         | name | role | on papers seen | came | left | signature |\n|---|---|---|---|---|---|\n\
         | | administrator | | | | |\n| | internal witness | | | | |\n| | external witness | | | | |\n",
    );
    for holder in facts.signers.keys() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| {holder} | holder | | | | |");
    }
    if facts.signers.is_empty() {
        out.push_str(&"| | holder | | | | |\n".repeat(5));
    }
    out
}

/// Numbered, because two words that change places are another digest (decision 0005).
fn sixteen_words() -> String {
    let mut out = String::from("| | | | |\n|---|---|---|---|\n");
    for row in 0..4 {
        for column in 1..5 {
            let _ = write!(out, "| {}. ", row * 4 + column);
        }
        out.push_str("|\n");
    }
    out
}

const EXCEPTION: &str = "\
# Exception

One form for each thing that was not as the script has it. A ceremony without any is rare; one without
these forms is suspect.

| | |
|---|---|
| event | EVENT |
| script and step | |
| date, time | |
| what happened | |
| what the screen said, word for word | |
| what was done instead | |
| who decided | |
| signature of administrator | |
| signature of witness | |
";

const WITNESS: &str = "\
# Witness statement

I was there from ________ to ________. On a machine of my own, `countersign-ceremony` with the SHA-256

________________________________________________________________

found that everything in the event EVENT holds. The transcript ended in

________________________________________________________________

Where something was not as the script has it, there is an exception form: number of forms ______.

Name, date, signature:

The event in words, from the screen of my own machine:
";

const SEALS: &str = "\
# Seals

One line for every bag, safe or box that is opened or closed.

| number of the seal | what is in it | opened: date, time, was intact | closed: date, time | holder | witness |
|---|---|---|---|---|---|
| | | | | | |
| | | | | | |
| | | | | | |
| | | | | | |

IF a seal is not intact GO TO `key-compromised.md`.
";

const CUSTODY: &str = "\
# Custody

One form for each key.

| | |
|---|---|
| holder | |
| roles | |
| key id | |
| token: model, serial; or medium | |
| number of the bag | |
| number of the last bag, opened on | |
| where it is kept | |
| who else has access | |
| where PIN or passphrase is kept, apart from it | |
| signature of holder, date | |
| signature of witness, date | |

The key in words, from `countersign-ceremony key show`:
";

const DESTRUCTION: &str = "\
# Destruction

| | |
|---|---|
| event | EVENT |
| key id | |
| holder | |
| file, destroyed with `countersign-ceremony destroy` | |
| medium or token, destroyed how | |
| date, time | |
| signature of holder | |
| signature of witness | |

Overwriting a file is not enough: flash memory and copy-on-write file systems may retain the old bytes.
The medium goes too.
";
