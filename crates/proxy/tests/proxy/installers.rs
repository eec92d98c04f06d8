//! Real pip and uv through the proxy: they install what is signed, and what is not stops them with
//! the reason in their own words. `tests/setup/README.md` says where they come from.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::Duration;
use countersign_tests::{Bend, Key};

use crate::bench::{Bench, GREETER, GREETER_WHEEL, WORDS_WHEEL, entry, path_of, sample};

/// What an installer did.
struct Outcome {
    succeeded: bool,
    output: String,
    installed: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Installer {
    Pip,
    Uv,
}

const BOTH: [Installer; 2] = [Installer::Pip, Installer::Uv];

fn program(name: &str) -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.env");
    let environment = std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(default, PathBuf::from);
    let program = environment.join("venv/bin").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `tests/run --setup-only`",
        program.display()
    );
    program
}

impl Installer {
    fn command(self, index: &str, to: &Path) -> Command {
        let mut command;
        match self {
            Self::Pip => {
                command = Command::new(program("python"));
                command.args(["-m", "pip", "install", "--no-cache-dir", "--retries", "0"]);
                command.args(["--index-url", index, "--only-binary", ":all:"]);
            }
            Self::Uv => {
                command = Command::new(program("uv"));
                command.args(["pip", "install", "--no-cache", "--default-index", index]);
                command.arg("--python").arg(program("python"));
            }
        }
        command.arg("--target").arg(to);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", to);
        command
            .env("PIP_CONFIG_FILE", "/dev/null")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        command
            .env("UV_NO_CONFIG", "1")
            .env("UV_PYTHON_DOWNLOADS", "never");
        command.env("UV_HTTP_RETRIES", "0");
        command
    }

    /// Installs `requirement` through the proxy into an empty folder.
    async fn install(self, bench: &Bench, requirement: &str) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let index = format!("http://{}/simple/", bench.address);
        let mut command = self.command(&index, folder.path());
        command.arg(requirement);
        let done = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let output = [done.stdout, done.stderr].concat();
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        Outcome {
            succeeded: done.status.success(),
            output: String::from_utf8_lossy(&output).into_owned(),
            installed: names.filter(|name| name.ends_with(".dist-info")).collect(),
        }
    }

    /// Installs the project that needs the other, which has to fail with each of `words` in what
    /// the installer prints, and with nothing installed.
    async fn is_stopped(self, bench: &Bench, words: &[&str]) {
        let Outcome {
            succeeded,
            output,
            installed,
        } = self.install(bench, GREETER).await;
        assert!(!succeeded && installed.is_empty(), "{self:?}: {output}");
        // Some wrap their lines.
        let flat = output.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(
                flat.contains(word),
                "{self:?} does not say {word}: {output}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_signed_is_installed() {
    let bench = Bench::new().await;
    for installer in BOTH {
        let Outcome {
            succeeded,
            output,
            mut installed,
        } = installer.install(&bench, GREETER).await;
        assert!(succeeded, "{installer:?}: {output}");
        installed.sort();
        let both =
            ["greeter", "words"].map(|it| format!("countersign_sample_{it}-1.0.0.dist-info"));
        assert_eq!(installed, both);
    }
    assert_eq!(bench.state.verdict().refused, 0);
}

#[tokio::test]
async fn another_file_than_the_developers_signed() {
    let bench = Bench::new().await;
    let name = bench
        .repository
        .target_name(&path_of(GREETER_WHEEL), &sample(GREETER_WHEEL));
    bench.repository.server().bend(&name, Bend::one_bit());
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["TUF mismatch project-greeter", GREETER_WHEEL])
            .await;
    }
}

#[tokio::test]
async fn another_file_than_the_page_binds() {
    let bench = Bench::new().await;
    let name = bench
        .repository
        .target_name(&path_of(WORDS_WHEEL), &sample(WORDS_WHEEL));
    bench.repository.server().bend(&name, Bend::Truncated(500));
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["TUF mismatch bin-", WORDS_WHEEL])
            .await;
    }
}

#[tokio::test]
async fn another_page_than_was_signed() {
    let bench = Bench::new().await;
    bench
        .repository
        .server()
        .bend("*vnd.pypi.simple.v1.json", Bend::one_bit());
    for installer in BOTH {
        let reason = if matches!(installer, Installer::Pip) {
            "TUF mismatch bin-"
        } else {
            "the hash differs"
        };
        installer
            .is_stopped(&bench, &[reason, "countersign-sample-greeter"])
            .await;
    }
}

#[tokio::test]
async fn a_timestamp_signed_by_a_thief() {
    let mut bench = Bench::new().await;
    bench
        .repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("thief")]);
    bench.repository.publish();
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["timestamp v", "has 0 of 1 signatures"])
            .await;
    }
}

#[tokio::test]
async fn a_frozen_index() {
    let mut bench = Bench::new().await;
    let until = bench.session().await.unwrap().valid_until();
    bench.advance(until - bench.repository.now + Duration::hours(1));
    for installer in BOTH {
        installer.is_stopped(&bench, &["expired at"]).await;
    }
}

#[tokio::test]
async fn an_older_state_than_seen_before() {
    let mut bench = Bench::new().await;
    bench.session().await.unwrap();
    bench.repository.rewind("timestamp", 1);
    // The newer state is still good: it is installed from that, until it expires.
    for installer in BOTH {
        let Outcome {
            succeeded, output, ..
        } = installer.install(&bench, GREETER).await;
        assert!(succeeded, "{installer:?}: {output}");
    }
    bench.advance(Duration::days(2));
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["timestamp went back from v"])
            .await;
    }
}

#[tokio::test]
async fn a_project_role_that_has_expired() {
    let mut bench = Bench::new().await;
    bench
        .repository
        .set_lifetime("project-greeter", Duration::hours(1));
    bench.repository.touch("project-greeter");
    bench.repository.publish();
    bench.advance(Duration::hours(2));
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["TUF expired project-greeter"])
            .await;
    }
}

#[tokio::test]
async fn an_index_that_is_not_there() {
    let bench = Bench::new().await;
    bench.repository.server().bend("*", Bend::Refused);
    for installer in BOTH {
        installer
            .is_stopped(&bench, &["could not be fetched"])
            .await;
    }
}

#[tokio::test]
async fn a_version_that_the_developers_did_not_sign_is_not_picked() {
    let mut bench = Bench::new().await;
    let evil = "countersign_sample_greeter-9.0.0-py3-none-any.whl";
    let good = entry(GREETER_WHEEL, &sample(GREETER_WHEEL));
    bench.put_page(GREETER, vec![good, entry(evil, b"evil")]);
    bench.repository.serve_target(&path_of(evil), b"evil");
    bench.repository.publish();
    for installer in BOTH {
        let outcome = installer.install(&bench, GREETER).await;
        assert!(outcome.succeeded, "{installer:?}: {}", outcome.output);
        assert!(
            outcome
                .installed
                .contains(&"countersign_sample_greeter-1.0.0.dist-info".to_owned())
        );
    }
    assert_eq!(bench.state.verdict().withheld, 1);
}
