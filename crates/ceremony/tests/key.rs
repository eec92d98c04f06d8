//! The `key` commands as people use them.

mod desk;

use std::fs;

use desk::Desk;

/// What a failed command began is gone again, so that the next try is the first.
#[test]
fn a_failed_command_leaves_nothing_behind() {
    let desk = Desk::new();
    let names = || {
        let entries = fs::read_dir(desk.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    fs::write(desk.path().join("taken.pub"), "").unwrap();
    let before = names();
    let random = ["--random-passphrase", "secret"];
    for line in [
        &["key", "new", "taken"][..],
        &["key", "new", "nowhere/key"],
        &["key", "new", "key", "--passphrase-file", "passphrase"],
        &["key", "convert", "missing", "key"],
    ] {
        let code = desk.fails(&[line, &random].concat()).0;
        let usage = line.contains(&"--passphrase-file");
        assert_eq!(code, if usage { 2 } else { 1 }, "{line:?}");
        assert_eq!(names(), before, "{line:?}");
    }
    desk.ok(&[&["key", "new", "key"], &random[..]].concat());
    assert_eq!(names().len(), before.len() + 3);
}

/// A short passphrase and a file that others may read are pointed out; the key works all the same.
#[test]
fn weak_secrets_are_pointed_out() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::new();
    let warnings = |line: &[&str]| {
        let output = desk.run(line);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    fs::write(desk.path().join("short"), "tr0ub4dor&3\n").unwrap();
    let said = warnings(&["key", "new", "one", "--passphrase-file", "short"]);
    assert!(
        said.contains("warning: the passphrase of file:one is short: 11 characters"),
        "{said}"
    );
    assert!(
        said.contains("hint: countersign-ceremony key convert file:one file:NEW"),
        "{said}"
    );
    assert!(
        said.contains("warning: `short` may be used by others"),
        "{said}"
    );
    assert!(said.contains("hint: chmod 600 short"), "{said}");
    let long = desk.path().join("long");
    fs::write(&long, "correct horse battery\n").unwrap();
    fs::set_permissions(&long, fs::Permissions::from_mode(0o600)).unwrap();
    let said = warnings(&["key", "new", "two", "--passphrase-file", "long"]);
    assert_eq!(said, "");
    let check = |file| warnings(&["key", "check", "two", "--passphrase-file", file]);
    assert_eq!(check("long"), "");
    fs::set_permissions(&long, fs::Permissions::from_mode(0o644)).unwrap();
    let said = check("long");
    assert!(
        said.starts_with("warning: `long` may be used by others (mode 644)\n"),
        "{said}"
    );
}

#[test]
fn failures_are_json_where_reports_are() {
    let desk = Desk::new();
    let output = desk.run(&["--json", "key", "check", "missing"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["error"], "cannot read `missing`");
    assert!(
        told["causes"][0]
            .as_str()
            .unwrap()
            .starts_with("No such file")
    );
    assert_eq!(told["exit_code"], 1);
    assert!(output.stderr.starts_with(b"error: cannot read `missing`\n"));
}

#[test]
fn keys_are_shown_checked_and_converted() {
    let desk = Desk::new();
    desk.genesis();
    let shown = desk.ok(&["key", "show", "ada.pub"]);
    assert!(shown.contains("where   file:ada.pub\n"), "{shown}");
    let mut lines = shown.lines().skip_while(|line| !line.starts_with("words"));
    assert!(lines.next().unwrap().contains("write on paper"), "{shown}");
    let words: Vec<&str> = lines.take(4).flat_map(str::split_whitespace).collect();
    assert_eq!(
        (words.len(), words[0], words[30]),
        (32, "1", "16"),
        "{shown}"
    );
    let with = ["--passphrase-file", "passphrase"];
    let root = ["--root", "root.json"];
    let payload = fs::read_to_string(desk.path().join("event/payload/1.root.json")).unwrap();
    let file = format!("{{\"signatures\":[],\"signed\":{payload}}}");
    fs::write(desk.path().join("root.json"), file).unwrap();
    let checked = desk.ok(&[&["key", "check", "file:ada"], &with[..], &root].concat());
    assert!(checked.ends_with("serves  root\n"), "{checked}");
    let new = ["--random-passphrase", "secret"];
    desk.ok(&[&["key", "convert", "ada", "file:new"], &with[..], &new].concat());
    let check = ["key", "check", "new", "--passphrase-file", "secret"];
    let again = desk.ok(&[&check[..], &root].concat());
    assert!(again.ends_with("serves  root\n"), "{again}");
    let (code, said) = desk.fails(&["key", "check", "awskms:alias/k?region=eu-central-1"]);
    assert_eq!(code, 1);
    assert!(said.contains("`countersign` can"), "{said}");
    let (code, said) = desk.fails(&["key", "new", "ssh-agent:me"]);
    assert_eq!(code, 2);
    assert!(said.contains("hint: make it with ssh-keygen"), "{said}");
}
