//! Settings, passphrases, and how the program talks.

use std::ffi::OsStr;

use crate::program::{Place, content};

fn origins(report: &serde_json::Value) -> Vec<String> {
    let settings = report["settings"].as_array().expect("a list");
    let origin = |one: &serde_json::Value| one["origin"].as_str().expect("text").to_owned();
    settings.iter().map(origin).collect()
}

/// Command line and environment over file over default.
#[test]
fn config_show_says_who_has_the_say() {
    let place = Place::after_quickstart();
    let file = "countersign-data/countersign.toml";
    let report = place.run("config show --json").expect_code(0).json();
    assert_eq!(
        origins(&report),
        [
            "default", file, file, "default", "default", "default", "default", "default", file
        ]
    );
    let given = "config show --json --data-dir other --online-key file:x.pem";
    let listen = [("COUNTERSIGN_SERVE_LISTEN", OsStr::new("127.0.0.1:9"))];
    let report = place.run_with(given, &listen).expect_code(0).json();
    assert_eq!(
        origins(&report),
        [
            "command line",
            "command line",
            "default",
            "default",
            "default",
            "default",
            "default",
            "default",
            "environment"
        ]
    );
    assert_eq!(report["settings"][8]["value"], "127.0.0.1:9");
    place.write("countersign-data/countersign.toml", "[online]\nkies = []\n");
    place
        .run("online tick")
        .expect_code(1)
        .expect_text("the settings in countersign-data/countersign.toml cannot be read")
        .expect_text("unknown field `kies`");
}

#[test]
fn variables_stand_for_flags() {
    let place = Place::after_quickstart();
    let variables = [
        ("COUNTERSIGN_JSON", OsStr::new("1")),
        ("COUNTERSIGN_DATA_DIR", OsStr::new("countersign-data")),
    ];
    let report = place
        .run_with("index status", &variables)
        .expect_code(0)
        .json();
    assert_eq!(report["targets"], 8);
    let off = [("COUNTERSIGN_JSON", OsStr::new("false"))];
    let text = place.run_with("index status", &off).expect_code(0);
    assert!(text.stdout.starts_with("root"), "{}", text.stdout);
}

/// A file, a descriptor, a systemd credential; and where there is nobody to ask, nobody is waited for.
#[test]
fn passphrases_come_from_where_secrets_are_kept() {
    let place = Place::after_quickstart();
    let key = "key show countersign-data/keys/online/online.pem";
    let secret = "countersign-data/keys/online/online.passphrase";
    place
        .run(&format!("{key} --passphrase-file {secret}"))
        .expect_code(0)
        .expect_text("key id");
    place
        .run(key)
        .expect_code(1)
        .expect_text("hint: give --passphrase-file, --passphrase-fd or --passphrase-credential");
    let credentials = place.at("countersign-data/keys/online");
    let folder = [("CREDENTIALS_DIRECTORY", credentials.as_os_str())];
    let credential = format!("{key} --passphrase-credential online.passphrase");
    place.run_with(&credential, &folder).expect_code(0);
    place.run(&credential).expect_code(1);
    let away = format!("{key} --passphrase-credential ../offline/bins.passphrase");
    place.run_with(&away, &folder).expect_code(1);
    let mut command = place.command(&format!("{key} --passphrase-fd 0"));
    command.stdin(std::fs::File::open(place.at(secret)).expect("the file"));
    let run = crate::program::Run::from(command.output().expect("the program runs"));
    run.expect_code(0);
    let wrong = "countersign-data/keys/offline/bins.passphrase";
    place
        .run(&format!("{key} --passphrase-file {wrong}"))
        .expect_code(1)
        .expect_text("does not open with this passphrase");
}

/// No secret is ever printed, whatever is asked for.
#[test]
fn secrets_stay_in_their_files() {
    let place = Place::after_quickstart();
    let secrets: Vec<String> = content(&place.at("countersign-data/keys"))
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|kind| kind == "passphrase"))
        .map(|(_, bytes)| String::from_utf8(bytes).expect("text").trim().to_owned())
        .collect();
    assert_eq!(secrets.len(), 6);
    for line in [
        "-vvv online tick",
        "-vvv config show",
        "-vvv index status",
        "-vvv audit countersign-data",
    ] {
        let run = place.run(line).expect_code(0);
        for secret in &secrets {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{line}"
            );
        }
    }
}

#[test]
fn machines_get_json_on_both_streams() {
    let place = Place::new();
    let run = place
        .run("--log-format json index status --json")
        .expect_code(1);
    let mut error: serde_json::Value = serde_json::from_str(&run.stderr).expect("JSON");
    let members = error.as_object_mut().expect("an object");
    assert_eq!(members.remove("level"), Some("ERROR".into()));
    assert_eq!(run.json(), error, "whoever reads stdout alone is told, too");
    assert_eq!(error["error"], "countersign-data holds no repository");
    assert_eq!(error["exit_code"], 1);
    assert!(
        error["hint"]
            .as_str()
            .expect("a hint")
            .contains("index init")
    );
}

#[test]
fn quiet_is_quiet() {
    let place = Place::after_quickstart();
    assert_eq!(place.run("-q index status").expect_code(0).stdout, "");
    let run = place.run("-qq index add nowhere.whl").expect_code(1);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = place.run("-q index add nowhere.whl").expect_code(1);
    assert!(
        run.stderr.starts_with("error: refused nowhere.whl"),
        "{}",
        run.stderr
    );
}

#[test]
fn completions_and_man_pages_come_out_of_the_program() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = place
            .run(&format!("generate completions {shell}"))
            .expect_code(0);
        assert!(run.stdout.contains("quickstart"), "{shell}");
    }
    place
        .run("generate man")
        .expect_code(0)
        .expect_text(".TH countersign 1");
    place.run("generate man --dir man").expect_code(0);
    let page = String::from_utf8(place.read("man/countersign-online-tick.1")).expect("text");
    assert!(page.contains("COUNTERSIGN_AT_ONCE"), "{page}");
    let main = String::from_utf8(place.read("man/countersign.1")).expect("text");
    assert!(main.contains("another process is signing"), "{main}");
}

/// Long work says how far it is, on a terminal and nowhere else.
#[test]
fn progress_is_for_terminals() {
    const MAKING: &str = "making keys ";
    let shown = |line: &str| {
        let place = Place::new();
        let run = place.command(line);
        let mut command = std::process::Command::new("python3");
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../tests/keys/programs/terminal.py"
            ))
            .arg("[]")
            .arg(run.get_program())
            .args(run.get_args())
            .current_dir(place.at(""))
            .env("TERM", "xterm");
        let output = command.output().expect("python runs");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(told["status"], 0, "{told}");
        told["shown"].as_str().expect("text").to_owned()
    };
    let line = "quickstart --once --port 0";
    assert!(shown(line).contains(MAKING));
    assert!(!shown(&format!("{line} --no-progress")).contains(MAKING));
    let piped = Place::new().run(line).expect_code(0);
    assert!(!piped.stdout.contains(MAKING) && !piped.stderr.contains(MAKING));
}
