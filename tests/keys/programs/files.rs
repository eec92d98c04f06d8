//! Key files as they are found, good and bad: both programs name what is wrong and what to do.

use crate::common::{in_workspace, run, tool};
use crate::programs::desk::{Desk, PROGRAMS};

const CHECK: &str = "key check key --passphrase-file passphrase";

/// A desk with keys that openssl and ssh-keygen made, and a passphrase.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("passphrase", "correct horse battery\n");
    desk.write("wrong", "incorrect horse battery\n");
    let at = |name: &str| desk.at(name).to_str().unwrap().to_owned();
    let plain = at("plain");
    let openssl = |args: &[&str]| run(&tool("openssl"), args);
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &plain]);
    let sealed = ["pkcs8", "-topk8", "-in", &plain, "-out"];
    let pass = ["-passout", "pass:correct horse battery"];
    openssl(&[&sealed[..], &[&at("openssl")], &pass].concat());
    let args = [
        "-q",
        "-t",
        "ed25519",
        "-C",
        "",
        "-a",
        "3",
        "-N",
        "correct horse battery",
    ];
    run(
        &tool("ssh-keygen"),
        &[&args[..], &["-f", &at("openssh")]].concat(),
    );
    desk
}

/// Weak protection is named with the command that mends it, which keeps the key; a plain file works only
/// for that.
#[test]
fn foreign_files_are_used_named_and_converted() {
    let desk = desk();
    desk.write("cosign", &read("cosign-p256.pem"));
    desk.write("test", "test\n");
    let (weak, fine) = ("is weakly protected, by", "");
    for (at, (file, source, warning)) in [
        ("openssl", "--passphrase-file passphrase", weak),
        ("openssh", "--passphrase-file passphrase", weak),
        ("cosign", "--passphrase-file test", fine),
    ]
    .into_iter()
    .enumerate()
    {
        let program = PROGRAMS[at % 2];
        let shown = desk.json(program, &format!("key show {file} {source}"));
        let checked = desk.run(program, &format!("key check {file} {source}"));
        let checked = checked.expect(0);
        assert!(checked.stderr.contains(warning), "{}", checked.stderr);
        assert_eq!(
            checked.stderr.is_empty(),
            warning.is_empty(),
            "{}",
            checked.stderr
        );
        if !warning.is_empty() {
            let remedy = format!("{program} key convert file:{file} file:NEW");
            assert!(checked.stderr.contains(&remedy), "{}", checked.stderr);
        }
        let convert =
            format!("key convert {file} {file}.new {source} --new-passphrase-file passphrase");
        let converted = desk.json(program, &convert);
        assert_eq!(converted["keyid"], shown["keyid"]);
        let check = format!("key check {file}.new --passphrase-file passphrase");
        assert_eq!(desk.run(program, &check).expect(0).stderr, "");
    }
    for program in PROGRAMS {
        let said = desk.run(program, "key check plain").expect(1);
        said.says(&[
            "file:plain is not encrypted",
            "hint: encrypt it into a new file: `key convert",
        ]);
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(in_workspace("crates/keys/testdata").join(name)).unwrap()
}

#[test]
fn bad_files_are_named_with_what_to_do() {
    let desk = desk();
    let convert = "key convert plain key --new-passphrase-file passphrase";
    desk.ok("countersign", convert);
    let whole = std::fs::read(desk.at("key")).unwrap();
    let says = |said: &[&str]| {
        for program in PROGRAMS {
            desk.run(program, CHECK).expect(1).says(said);
        }
    };
    let damaged = "hint: the file is damaged, cut short or no key: take another copy of it";
    for length in [0, 1, 27, 100, whole.len() - 30, whole.len() - 3] {
        std::fs::write(desk.at("key"), &whole[..length]).unwrap();
        says(&["error: file:key is not one block of PEM\n", damaged]);
    }
    // Cut short and closed again.
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let shorter = [&lines[..2], &lines[lines.len() - 1..]].concat().join("\n") + "\n";
    std::fs::write(desk.at("key"), shorter).unwrap();
    says(&["error: file:key holds malformed DER\n", damaged]);
    std::fs::write(desk.at("key"), vec![b'-'; 65 * 1024]).unwrap();
    says(&[
        "`key` is larger than the 65536 bytes",
        "hint: name the key file itself",
    ]);
    std::fs::write(desk.at("key"), read("openssl-p256.pub.pem")).unwrap();
    says(&["holds a PEM block `PUBLIC KEY`, not `ENCRYPTED PRIVATE KEY`"]);
    std::fs::remove_file(desk.at("key")).unwrap();
    says(&["error: cannot read `key`\n", "No such file or directory"]);
    std::fs::create_dir(desk.at("key")).unwrap();
    says(&["error: cannot read `key`\n", "Is a directory"]);
    std::fs::remove_dir(desk.at("key")).unwrap();
    std::fs::write(desk.at("key"), whole).unwrap();
    for program in PROGRAMS {
        let wrong = "key check key --passphrase-file wrong";
        desk.run(program, wrong).expect(1).says(&[
            "error: file:key does not open with this passphrase\n",
            "hint: check the passphrase",
        ]);
        let none = desk.run(program, "key check key").expect(1);
        none.says(&["hint: give --passphrase-file,"]);
        let again = format!("{convert} --kdf pbkdf2");
        desk.run(program, &again).expect(1).says(&[
            "`key` exists already and is never overwritten",
            "hint: choose another name",
        ]);
    }
}

/// Passphrases from a descriptor and from a systemd credential.
#[test]
fn passphrases_come_from_where_services_keep_them() {
    let mut desk = desk();
    let convert = "key convert plain key --new-passphrase-file passphrase";
    desk.ok("countersign", convert);
    for program in PROGRAMS {
        let line = "key check key --passphrase-credential passphrase";
        let said = desk.run(program, line).expect(1);
        said.says(&[
            "no credentials were passed",
            "hint: the service manager passes credentials",
        ]);
        // The shell opens descriptor 3, from a pipe as from a file.
        for source in ["3< passphrase", "3< <(cat passphrase)"] {
            let program = countersign_tests::environment::program(program);
            let script = format!(
                "{} key check key --passphrase-fd 3 {source}",
                program.display()
            );
            let mut shell = std::process::Command::new("bash");
            shell.args(["-c", &script]).current_dir(desk.path());
            assert!(shell.output().unwrap().status.success(), "{script}");
        }
    }
    let folder = desk.path().to_owned();
    desk.set("CREDENTIALS_DIRECTORY", &folder);
    for program in PROGRAMS {
        desk.ok(program, "key check key --passphrase-credential passphrase");
        let wrong = "key check key --passphrase-credential ../passphrase";
        let said = desk.run(program, wrong).expect(1);
        said.says(&["is no name of a credential"]);
    }
}
