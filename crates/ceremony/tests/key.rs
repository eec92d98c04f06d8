//! The `key` commands as people use them.

mod desk;

use std::fs;

use desk::Desk;

#[test]
fn keys_are_shown_checked_and_converted() {
    let desk = Desk::new();
    desk.genesis();
    let shown = desk.ok(&["key", "show", "ada.pub"]);
    assert!(shown.contains("where   file:ada.pub\n"), "{shown}");
    let words = shown
        .lines()
        .find(|line| line.starts_with("words"))
        .unwrap();
    assert_eq!(words.split_whitespace().count(), 17, "{words}");
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
