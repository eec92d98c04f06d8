//! A project goes from its first signed release to an offline role, gets other keys there, loses them, and
//! is given back: each step a ceremony with the shipped programs, published in the middle of somebody's
//! update, and read by our client and python-tuf, new ones and ones that have seen everything; by tough and
//! by pip where a file has just changed hands.

use std::fs;

use countersign_tests::environment::samples;
use serde_json::Value;

use crate::desk::{Desk, copy_folder};

const PROJECT: &str = "countersign-sample-greeter";
const INDEX: &str = "https://index.example/";

/// The rehearsal's policy, with developers; keys that nobody vouches for wait for a second.
fn policy() -> String {
    let role = |name, kind| {
        let keys = "keys = 1\nthreshold = 1\nlifetime = \"3h\"";
        format!("[claims.{name}]\nkind = \"{kind}\"\n{keys}\n")
    };
    [
        policy::Policy::built_in_text("rehearsal").unwrap(),
        "[claims]\nshards = 16\nrecently_claimed_projects = 10\nsub_roles_per_project = 8\n\
         lost_keys_wait = \"1s\"\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ]
    .join("\n")
}

#[test]
fn from_a_first_release_to_an_offline_role_and_back() {
    let text = policy();
    let mut desk = Desk::under("with-claims.toml", Some(&text));
    for name in ["ada", "bo", "cleo", "targets", "bins", "eve", "fay"] {
        desk.ok(&["key", "new", name, "--passphrase-file", "pin"]);
    }
    desk.online_key("online");
    genesis(&mut desk);
    for name in ["dev.pem", "operator.pem"] {
        project(&desk, &["key", "new", name]);
    }
    register(&desk, "countersign-project", &["dev.pem"]);
    first_release(&desk);
    claimed(&mut desk);
    keys_replaced(&mut desk);
    keys_lost(&mut desk);
    desk.index.audit();
    desk.index.install_with_pip();
    given_back(&mut desk);
}

fn genesis(desk: &mut Desk) {
    let event = desk.plan(
        "genesis",
        &[
            "--root-key=Ada=ada.pub",
            "--root-key=Bo=bo.pub",
            "--root-key=Cleo=cleo.pub",
            "--targets-key=Ada=targets.pub",
            "--bins-key=Bo=bins.pub",
            "--online-key=signer=online.pub",
        ],
    );
    desk.sign(&event, "Ada", &["file:ada", "file:targets"]);
    desk.sign(&event, "Bo", &["file:bo", "file:bins"]);
    desk.publish(&event);
}

/// A command of developers, with the passphrase of all keys here.
fn project(desk: &Desk, arguments: &[&str]) -> String {
    let all = [&["project"], arguments, &["--passphrase-file", "pin"]].concat();
    desk.index.ok(&all)
}

/// Keys of the project go to the index: challenge, request, grant.
fn register(desk: &Desk, folder: &str, keys: &[&str]) {
    let file = |what: &str| format!("{folder}-{what}.json");
    let (challenge, grant) = (file("challenge"), file("grant"));
    let operator = ["--operator-key", "operator.pem", "--passphrase-file", "pin"];
    let at = ["--index-url", INDEX];
    let claims = |arguments: &[&str]| {
        let all = [&["index", "claims"], arguments, &operator, &at].concat();
        desk.index.ok(&all)
    };
    claims(&["challenge", PROJECT, "--to", &challenge]);
    let public: Vec<String> = keys
        .iter()
        .skip(1)
        .map(|key| format!("{key}.pub"))
        .collect();
    let mut claim = vec![
        "claim",
        PROJECT,
        "--project-dir",
        folder,
        "--challenge",
        &challenge,
    ];
    claim.extend([
        "--operator-public-key",
        "operator.pem.pub",
        "--key",
        keys[0],
    ]);
    claim.extend(at);
    claim.extend(public.iter().flat_map(|key| ["--public-key", key.as_str()]));
    project(desk, &claim);
    for key in &keys[1..] {
        let more = [
            "claim",
            PROJECT,
            "--project-dir",
            folder,
            "--add-signature",
            "--key",
            key,
        ];
        project(desk, &more);
    }
    let request = format!("{folder}/request.json");
    claims(&[
        "grant",
        PROJECT,
        "--challenge",
        &challenge,
        "--request",
        &request,
        "--to",
        &grant,
    ]);
    let receive = ["index", "receive", &request, &grant, "--index-url", INDEX];
    let whose = ["--operator-public-key", "operator.pem.pub"];
    desk.index.ok(&[&receive[..], &whose].concat());
    desk.index.tick();
}

fn first_release(desk: &Desk) {
    let greeter = samples().into_iter();
    let greeter: Vec<_> = greeter
        .filter(|path| path.to_string_lossy().contains("greeter"))
        .collect();
    let files: Vec<&str> = greeter.iter().map(|path| path.to_str().unwrap()).collect();
    let sign = ["--yes", "--key", "dev.pem"];
    project(desk, &[&["sign"], &files[..], &sign].concat());
    desk.index
        .ok(&[&["project", "upload"], &files[..], &["--to", "first.zip"]].concat());
    desk.index.ok(&["index", "receive", "first.zip"]);
    desk.index.tick();
    desk.index.ok(&["project", "accepted"]);
    desk.index.read("warm");
    desk.index.read_with_python("warm");
}

/// What the index wrote down, for the next event.
fn export(desk: &Desk, name: &str) -> String {
    desk.index.ok(&["index", "claims", "export", "--to", name]);
    format!("--claims={name}")
}

fn stage(desk: &Desk) -> Value {
    let said = desk.index.ok(&["index", "claims", "list", "--json"]);
    let list: Value = serde_json::from_str(&said).unwrap();
    list["claims"][0].clone()
}

fn claimed(desk: &mut Desk) {
    let claims = export(desk, "claims-1.json");
    let (code, said) = desk.refused(&[
        "plan",
        "claim",
        "without-keys",
        "--from=published",
        "--after=1-genesis",
        &claims,
    ]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("say who will sign `claimed`"), "{said}");
    let keys = [
        "--claimed-key=Eve=eve.pub",
        "--claimed-shard-key=Fay=fay.pub",
    ];
    let event = desk.plan("claim", &[&[claims.as_str()], &keys[..]].concat());
    let said = desk.ok(&["review", &event]);
    assert!(
        said.contains(&format!("project {PROJECT} moves to claimed-")),
        "{said}"
    );
    desk.sign(&event, "Ada", &["file:targets"]);
    desk.sign(&event, "Eve", &["file:eve"]);
    desk.sign(&event, "Fay", &["file:fay"]);
    let report = desk.publish(&event);
    assert_eq!(report["offline_roles"].as_array().unwrap().len(), 3);
    assert_eq!(stage(desk)["stage"], "claimed");
}

/// Another key comes, vouched for by the one that goes.
fn keys_replaced(desk: &mut Desk) {
    project(desk, &["key", "new", "dev-2.pem"]);
    register(desk, "second", &["dev.pem", "dev-2.pem"]);
    resigned(
        desk,
        "countersign-project",
        "second",
        &["dev.pem", "dev-2.pem"],
    );
    desk.index.ok(&["index", "receive", "second.zip"]);
    desk.index.tick();
    desk.index
        .ok(&["project", "accepted", "--project-dir", "second"]);
    let claims = export(desk, "claims-2.json");
    let event = desk.plan("claim", &[&claims, &format!("--keys-of={PROJECT}")]);
    let said = desk.ok(&["review", &event]);
    assert!(
        said.contains("enough of those before vouch for them"),
        "{said}"
    );
    assert!(!said.contains("CAUTION: countersign"), "{said}");
    desk.sign(&event, "Fay", &["file:fay"]);
    desk.publish(&event);
    assert_eq!(
        stage(desk)["in_force"]["keyids"].as_array().unwrap().len(),
        2
    );
    assert!(stage(desk)["next"].is_null());
}

/// Both keys are gone. Nobody vouches for the third, so its release comes with the set, or not at all.
fn keys_lost(desk: &mut Desk) {
    project(desk, &["key", "new", "dev-3.pem"]);
    register(desk, "third", &["dev-3.pem"]);
    resigned(desk, "second", "third", &["dev-3.pem"]);
    let said = desk.index.refused(&["index", "receive", "third.zip"]);
    assert!(said.contains("(signatures)"), "{said}");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let claims = export(desk, "claims-3.json");
    let event = desk.plan("claim", &[&claims, &format!("--keys-of={PROJECT}")]);
    let said = desk.ok(&["review", &event]);
    assert!(
        said.contains("too few of its keys vouch for the new ones"),
        "{said}"
    );
    desk.sign(&event, "Fay", &["file:fay"]);
    desk.ok(&["combine", &event]);
    let set = desk.path(&event).join("publish-set");
    let said = desk
        .index
        .refused(&["index", "apply", set.to_str().unwrap()]);
    assert!(said.contains("--transaction FILE"), "{said}");
    let report = desk.publish_with(&event, Some("third.zip"));
    assert_eq!(report["offline_roles"].as_array().unwrap().len(), 1);
    desk.index
        .ok(&["project", "accepted", "--project-dir", "third"]);
    assert_eq!(
        stage(desk)["in_force"]["keyids"].as_array().unwrap().len(),
        1
    );
}

/// The next version of the project's role, signed by these keys, in an archive of its folder's name.
fn resigned(desk: &Desk, before: &str, folder: &str, keys: &[&str]) {
    let (from, to) = (desk.path(before), desk.path(folder));
    copy_folder(&from.join("published"), &to.join("published"));
    let at = ["--project-dir", folder];
    project(
        desk,
        &[&["sign", "--yes", "--key", keys[0]], &at[..]].concat(),
    );
    for key in &keys[1..] {
        let more = ["sign", "--add-signature", "--key", key];
        project(desk, &[&more[..], &at].concat());
    }
    let archive = format!("{folder}.zip");
    desk.index
        .ok(&[&["project", "upload", "--to", &archive], &at[..]].concat());
}

fn given_back(desk: &mut Desk) {
    let said = desk.index.refused(&["index", "claims", "release", PROJECT]);
    assert!(said.contains("only a ceremony"), "{said}");
    let claims = export(desk, "claims-4.json");
    let event = desk.plan("claim", &[&claims, &format!("--release={PROJECT}")]);
    let said = desk.ok(&["review", &event]);
    assert!(said.contains("the index speaks for it again"), "{said}");
    desk.sign(&event, "Fay", &["file:fay"]);
    desk.publish(&event);
    assert!(stage(desk).is_null());
    assert!(fs::exists(desk.path(&event).join("claims.json")).unwrap());
}
