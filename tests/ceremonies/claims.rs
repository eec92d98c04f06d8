//! A project goes from its first signed release to an offline role, gets other keys there, loses them, gets
//! another name, and is given back: each step a ceremony with the shipped programs, published in the middle
//! of somebody's update. Every state is read by our client and python-tuf, new ones and ones that have seen
//! everything, and by tough; by pip where a file has just changed hands.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_tests::environment::{clean_command, prepared, said, samples};
use serde_json::Value;

use crate::desk::{Desk, copy_folder};

const PROJECT: &str = "countersign-sample-greeter";
/// What it is called later.
const RENAMED: &str = "countersign-sample-welcome";
const INDEX: &str = "https://index.example/";

/// A policy with developers: the keys of their roles as few as can be.
pub(crate) fn developers_sign(policy: &str) -> String {
    let role = |name, kind| {
        let keys = "keys = 1\nthreshold = 1\nlifetime = \"3h\"";
        format!("[claims.{name}]\nkind = \"{kind}\"\n{keys}\n")
    };
    [
        policy,
        "[claims]\nshards = 16\nrecently_claimed_projects = 10\nsub_roles_per_project = 8\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ]
    .join("\n")
}

/// The rehearsal's policy, with developers; keys that nobody vouches for wait for a second.
fn policy() -> String {
    let text = developers_sign(policy::Policy::built_in_text("rehearsal").unwrap());
    text.replacen("[claims]\n", "[claims]\nlost_keys_wait = \"1s\"\n", 1)
}

/// The distributions of the project.
fn greeter() -> Vec<PathBuf> {
    let all = samples().into_iter();
    all.filter(|path| path.to_string_lossy().contains("greeter"))
        .collect()
}

/// The developers of the project register a key and sign what the index has of it.
pub(crate) fn developers_release(desk: &Desk) {
    for name in ["dev.pem", "operator.pem"] {
        project(desk, &["key", "new", name]);
    }
    register(desk, PROJECT, "countersign-project", &["dev.pem"]);
    first_release(desk, "countersign-project", &greeter(), "dev.pem");
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
    desk.index.audit();
    developers_release(&desk);
    desk.index.audit();
    claimed(&mut desk);
    desk.index.audit();
    keys_replaced(&mut desk);
    keys_lost(&mut desk);
    desk.index.audit();
    desk.index.install_with_pip(PROJECT);
    renamed(&mut desk);
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
fn register(desk: &Desk, project_name: &str, folder: &str, keys: &[&str]) {
    let file = |what: &str| format!("{folder}-{what}.json");
    let (challenge, grant) = (file("challenge"), file("grant"));
    let operator = ["--operator-key", "operator.pem", "--passphrase-file", "pin"];
    let at = ["--index-url", INDEX];
    let claims = |arguments: &[&str]| {
        let all = [&["index", "claims"], arguments, &operator, &at].concat();
        desk.index.ok(&all)
    };
    claims(&["challenge", project_name, "--to", &challenge]);
    let public: Vec<String> = keys
        .iter()
        .skip(1)
        .map(|key| format!("{key}.pub"))
        .collect();
    let mut claim = vec![
        "claim",
        project_name,
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
            project_name,
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
        project_name,
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

fn first_release(desk: &Desk, folder: &str, files: &[PathBuf], key: &str) {
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let at = ["--project-dir", folder];
    let sign = ["--yes", "--key", key];
    project(desk, &[&["sign"], &files[..], &at, &sign].concat());
    let archive = format!("first-of-{folder}.zip");
    let to = ["--to", &archive];
    desk.index
        .ok(&[&["project", "upload"], &files[..], &at, &to].concat());
    received(desk, folder, &archive);
}

/// The index takes an archive and publishes it; everybody reads the result.
fn received(desk: &Desk, folder: &str, archive: &str) {
    desk.index.ok(&["index", "receive", archive]);
    desk.index.tick();
    desk.index
        .ok(&["project", "accepted", "--project-dir", folder]);
    for client in [&format!("new-{archive}"), "warm"] {
        desk.index.read(client);
        desk.index.read_with_python(client);
    }
}

/// What the index wrote down, for the next event.
pub(crate) fn export(desk: &Desk, name: &str) -> String {
    desk.index.ok(&["index", "claims", "export", "--to", name]);
    format!("--claims={name}")
}

fn stage(desk: &Desk) -> Value {
    stage_of(desk, PROJECT)
}

fn stage_of(desk: &Desk, project: &str) -> Value {
    let said = desk.index.ok(&["index", "claims", "list", "--json"]);
    let list: Value = serde_json::from_str(&said).unwrap();
    let mut claims = list["claims"].as_array().unwrap().iter();
    let claim = claims.find(|claim| claim["project"] == project);
    claim.cloned().unwrap_or_default()
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
    for words in [
        format!("project {PROJECT} moves to claimed-"),
        "of 2000000 bytes, at most 12 of 32 roles a lookup".to_owned(),
    ] {
        assert!(said.contains(&words), "{said}");
    }
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
    register(desk, PROJECT, "second", &["dev.pem", "dev-2.pem"]);
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
    register(desk, PROJECT, "third", &["dev-3.pem"]);
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

/// The new name is claimed like any other. The old one stays claimed, with a release that gives up every
/// file, so that nobody else gets it; in between, both are there.
fn renamed(desk: &mut Desk) {
    let folder = "welcome";
    register(desk, RENAMED, folder, &["dev-3.pem"]);
    let wheel = under_the_new_name(desk, &greeter()[0]);
    desk.index.gains(wheel.clone());
    first_release(desk, folder, &[wheel], "dev-3.pem");
    assert_eq!(stage_of(desk, RENAMED)["stage"], "recently-claimed");
    desk.index.audit();

    let files = desk.index.loses("greeter");
    let at = ["--project-dir", "third"];
    let mut sign = vec!["sign", "--yes", "--key", "dev-3.pem"];
    sign.extend(files.iter().flat_map(|file| ["--withdraw", file.as_str()]));
    project(desk, &[&sign[..], &at].concat());
    let to = ["project", "upload", "--to", "last.zip"];
    desk.index.ok(&[&to[..], &at].concat());
    received(desk, "third", "last.zip");
    desk.index.audit();

    let claims = export(desk, "claims-4.json");
    let event = desk.plan("claim", &[&claims]);
    let said = desk.ok(&["review", &event]);
    let moved = format!("project {RENAMED} moves to claimed-");
    assert!(said.contains(&moved), "{said}");
    desk.sign(&event, "Eve", &["file:eve"]);
    desk.sign(&event, "Fay", &["file:fay"]);
    desk.publish(&event);
    for name in [PROJECT, RENAMED] {
        assert_eq!(stage_of(desk, name)["stage"], "claimed");
    }
    desk.index.audit();
    desk.index.install_with_pip(RENAMED);
}

/// The same wheel, of a project with another name.
fn under_the_new_name(desk: &Desk, from: &Path) -> PathBuf {
    let name = from.file_name().unwrap().to_str().unwrap();
    let to = desk.path(&name.replace("greeter", "welcome"));
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], 'w') as new:
    for name in old.namelist():
        data = old.read(name).replace(b'greeter', b'welcome')
        if name.endswith('RECORD'):
            data = b''.join(line.split(b',')[0] + b',,\\n' for line in data.splitlines())
        new.writestr(name.replace('greeter', 'welcome'), data)
";
    let output = clean_command(prepared("venv/bin/python"), &desk.path(""))
        .args(["-c", script])
        .args([from, &to])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    to
}

/// The index speaks for the new name again: with its file, and a role that nobody delegates to any more.
fn given_back(desk: &mut Desk) {
    let said = desk.index.refused(&["index", "claims", "release", RENAMED]);
    assert!(said.contains("only a ceremony"), "{said}");
    let claims = export(desk, "claims-5.json");
    let event = desk.plan("claim", &[&claims, &format!("--release={RENAMED}")]);
    let said = desk.ok(&["review", &event]);
    assert!(said.contains("the index speaks for it again"), "{said}");
    desk.sign(&event, "Fay", &["file:fay"]);
    desk.publish(&event);
    assert!(stage_of(desk, RENAMED).is_null());
    assert_eq!(stage(desk)["stage"], "claimed");
    assert!(fs::exists(desk.path(&event).join("claims.json")).unwrap());
    let said = desk.index.audit();
    assert!(said.contains("1 tombstones: nobody delegates"), "{said}");
}
