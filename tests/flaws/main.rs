//! What developers send, through the door of the real program: whatever has a flaw is refused with a code and
//! what to do, leaves nothing behind and holds nobody up.

mod archives;
mod claims_of_others;
mod files;
mod http;
mod roles;
mod stage;

use std::collections::BTreeSet;

use stage::{Flaw, Stage};

#[test]
fn what_has_a_flaw_is_refused_and_leaves_nothing() {
    let stage = Stage::claimed();
    let mut flaws = archives::flaws(&stage);
    flaws.extend(roles::flaws(&stage));
    flaws.extend(files::flaws(&stage));
    let before = stage.everything();
    let (code, report) = stage.receive(&stage.written(&flaws));
    assert_eq!(code, 1, "{report}");
    assert_eq!(report["accepted"], serde_json::json!([]));
    judge(&flaws, &report);
    assert!(stage.everything() == before, "something was kept");
    let (_, report) = stage.tick();
    assert_eq!(report["snapshot"], serde_json::Value::Null, "{report}");
    assert!(stage.everything() == before, "something was published");

    // One that has none is taken from among them.
    let mut files = stage.written(&flaws);
    let good = stage.write("good.zip", &stage.release().archive());
    files.insert(files.len() / 2, good);
    let (code, report) = stage.receive(&files);
    assert_eq!(code, 1);
    assert_eq!(report["accepted"][0]["roles"][0], "project-alpha--alice v4");
    assert_eq!(report["refused"].as_array().unwrap().len(), flaws.len());
    let (_, report) = stage.tick();
    assert_eq!(report["changes_published"], 1, "{report}");
}

/// The same table by the door over HTTP, to one server: each is refused by the same code, nothing is kept of
/// it, and it holds nobody up.
#[test]
fn what_has_a_flaw_is_refused_over_http_too() {
    let stage = Stage::claimed();
    let mut flaws = archives::flaws(&stage);
    flaws.extend(roles::flaws(&stage));
    flaws.extend(files::flaws(&stage));
    stage.written(&flaws);
    let intake = http::Intake::of(&stage);
    let before = stage.kept();
    for flaw in &flaws {
        http::judge(&stage, &intake, flaw);
        assert_eq!(stage.kept(), before, "{}", flaw.what);
    }
    let (_, report) = stage.tick();
    assert_eq!(report["snapshot"], serde_json::Value::Null, "{report}");

    // One that has none is taken from among them.
    stage.write("good.zip", &stage.release().archive());
    let (code, said) = intake.send(&stage, "good.zip");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = intake.send(&stage, &flaws[0].file_name());
    assert_eq!(code, Some(1), "{said}");
    let (_, report) = stage.tick();
    assert_eq!(report["changes_published"], 1, "{report}");
    assert!(!intake.log().contains("panicked"), "{}", intake.log());
}

/// Each is refused by its own code, and each code comes with what to do.
fn judge(flaws: &[Flaw], report: &serde_json::Value) {
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(refused.len(), flaws.len());
    let mut codes = BTreeSet::new();
    for flaw in flaws {
        let file = flaw.file_name();
        let one = refused.iter().find(|one| {
            let path = one["path"].as_str().unwrap();
            path.ends_with(&format!("/{file}"))
        });
        let one = one.unwrap_or_else(|| panic!("{file} is not reported"));
        assert_eq!(one["code"], flaw.code, "{}: {one}", flaw.what);
        assert!(one["hint"].is_string(), "no advice: {one}");
        codes.insert(flaw.code);
    }
    assert!(codes.len() >= 35, "{} codes: {codes:?}", codes.len());
}

#[test]
fn claims_that_do_not_hold_are_refused_and_leave_nothing() {
    let stage = Stage::claimed();
    let (files, expected) = claims_of_others::flaws(&stage);
    let before = stage.everything();
    let (code, report) = stage.receive(&files);
    assert_eq!(code, 1, "{report}");
    assert_eq!(report["accepted"], serde_json::json!([]));
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(refused.len(), expected.len(), "{report}");
    for (file, code) in expected {
        let one = refused.iter().find(|one| {
            let path = one["path"].as_str().unwrap();
            path.ends_with(&format!("/{file}"))
        });
        let one = one.unwrap_or_else(|| panic!("{file} is not reported"));
        assert_eq!(one["code"], code, "{file}: {one}");
        assert!(one["hint"].is_string(), "no advice: {one}");
    }
    assert!(stage.everything() == before, "something was kept");
}

/// A state that was restored asks the operator before it takes anything of developers again.
#[test]
fn a_restored_index_holds_projects_until_the_operator_confirms_them() {
    let stage = Stage::claimed();
    let backup = stage.state();
    let good = stage.write("good.zip", &stage.release().archive());
    assert_eq!(stage.receive(std::slice::from_ref(&good)).0, 0);
    stage.tick();
    stage.restore(&backup);
    let (code, report) = stage.run(&["index", "recover", "--json"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["held"], serde_json::json!(["alpha"]));
    assert_eq!(
        (&report["claims"], &report["files_found"]),
        (&1.into(), &2.into())
    );

    let next = stage.version(5, &[]);
    let next = stage.write("next.zip", &next.archive());
    let (code, report) = stage.receive(std::slice::from_ref(&next));
    assert_eq!((code, &report["refused"][0]["code"]), (1, &"held".into()));
    assert!(report["refused"][0]["hint"].is_string());
    let (_, list) = stage.run(&["index", "claims", "list", "--json"]);
    assert_eq!(list["claims"][0]["held"], true);
    assert!(
        list["room"]["projects_left"].as_u64().unwrap() > 1_000,
        "{list}"
    );
    let (_, status) = stage.run(&["index", "status", "--json"]);
    assert_eq!(status["claims"]["held"], 1);

    let (code, report) = stage.run(&["index", "claims", "confirm", "--all", "--json"]);
    assert_eq!((code, &report["confirmed"][0]), (0, &"alpha".into()));
    let (code, report) = stage.run(&["index", "claims", "confirm", "alpha", "--json"]);
    assert_eq!((code, &report["not_held"][0]), (1, &"alpha".into()));
    let (code, report) = stage.receive(&[next]);
    // It withdraws what version 4 lists, without a word: that the state knows of it is what counts.
    assert_eq!(
        (code, &report["refused"][0]["code"]),
        (1, &"files-dropped".into())
    );
}
