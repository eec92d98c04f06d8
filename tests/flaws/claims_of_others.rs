//! Claims of a project that is not theirs, or that the operator has not granted.

use std::path::PathBuf;

use chrono::TimeDelta;
use claims::Grant;
use keys::FileKey;
use metadata::{Expiry, Sha256};

use crate::stage::{Stage, grant, key, request, sealed};

/// A request, its grant, and the code by which the grant is refused.
struct Attempt<'a> {
    code: &'static str,
    /// Who signs the grant.
    by: &'a FileKey,
    /// Which of the two keys sign the request.
    signers: usize,
    change: fn(&mut Grant),
}

/// Files for one call, and what each is refused by.
pub(crate) fn flaws(stage: &Stage) -> (Vec<PathBuf>, Vec<(String, &'static str)>) {
    let keys = [key(), key()];
    let granted = |code| Attempt {
        code,
        by: &stage.operator,
        signers: 2,
        change: |_| {},
    };
    let attempts = [
        Attempt {
            by: &stage.keys["thief"],
            ..granted("claim-not-granted")
        },
        Attempt {
            signers: 1,
            ..granted("claim-not-possessed")
        },
        Attempt {
            change: |grant| grant.expires = Expiry::at(grant.issued),
            ..granted("claim-expired")
        },
        Attempt {
            change: |grant| grant.issued += TimeDelta::days(1),
            ..granted("claim-not-yet")
        },
        Attempt {
            change: |grant| "https://other.example/".clone_into(&mut grant.index),
            ..granted("claim-other-index")
        },
        Attempt {
            change: |grant| grant.project = crate::stage::project("gamma"),
            ..granted("claim-other-project")
        },
    ];
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (number, attempt) in attempts.iter().enumerate() {
        let mut asked = request("beta", &[&keys[0], &keys[1]], 1);
        // A request of its own for each.
        asked.challenge = Sha256::of(&[u8::try_from(number).unwrap()]);
        let signers: Vec<_> = keys[..attempt.signers].iter().collect();
        let asked = sealed(&asked, &signers);
        let mut granted = grant(&asked, "beta", stage.now);
        (attempt.change)(&mut granted);
        files.push(stage.write(&format!("request-{number}.json"), &asked));
        let name = format!("grant-{number}.json");
        files.push(stage.write(&name, &sealed(&granted, &[attempt.by])));
        expected.push((name, attempt.code));
    }
    // What was used once, what comes alone, what is nothing.
    files.push(stage.write("used-request.json", &stage.used.0));
    files.push(stage.write("used-grant.json", &stage.used.1));
    expected.push(("used-grant.json".to_owned(), "claim-used"));
    let alone = sealed(&request("beta", &[&keys[0]], 1), &[&keys[0]]);
    files.push(stage.write("alone.json", &alone));
    expected.push(("alone.json".to_owned(), "claim-alone"));
    let missing = sealed(&grant(&alone, "beta", stage.now), &[&stage.operator]);
    let missing = String::from_utf8(missing).unwrap();
    files.push(stage.write("torn.json", &missing.as_bytes()[..missing.len() / 2]));
    expected.push(("torn.json".to_owned(), "unknown"));
    (files, expected)
}
