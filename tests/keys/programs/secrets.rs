//! Planted passphrases, PINs and a planted private key are looked for in everything that both programs
//! print and write, and in the memory they leave: found only where the test put them.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{run, tool};
use crate::hsm::{PIN, with_softhsm};
use crate::programs::desk::{Desk, PROGRAMS, Run};

/// The secrets of people, each in a file of its own name. Long enough to be found by chance nowhere.
const PLANTED: [(&str, &str); 5] = [
    ("passphrase", "planted kernel velvet 71"),
    ("new", "planted harbour spindle 02"),
    ("wrong", "planted mistake of somebody"),
    ("pin", PIN),
    ("wrong-pin", "9317-planted"),
];

/// What is looked for: each secret as it is, in hex and in base64.
struct Search(Vec<Vec<u8>>);

impl Search {
    fn new(secrets: &[&[u8]]) -> Self {
        let forms = |secret: &&[u8]| {
            let hex = hex::encode(secret);
            // What base64 makes of it does not depend on what stands before or after, but for its ends.
            let encoded = (0..3).map(|shift| {
                let text = base64(&[&vec![0; shift], *secret].concat());
                text.as_bytes()[4..text.len() - 4].to_vec()
            });
            let upper = hex.to_uppercase().into_bytes();
            let plain = [secret.to_vec(), hex.into_bytes(), upper];
            plain.into_iter().chain(encoded).collect::<Vec<_>>()
        };
        Self(secrets.iter().flat_map(forms).collect())
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        let mut forms = self.0.iter();
        forms.any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|three| {
        let number = three
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(number >> shift & 63) as usize]))
    });
    digits.collect()
}

/// A plain key of openssl's, and the 32 bytes that nobody may see.
fn planted_key(desk: &Desk) -> Vec<u8> {
    let path = desk.at("plain");
    let path = path.to_str().unwrap();
    run(
        &tool("openssl"),
        &["genpkey", "-algorithm", "ed25519", "-out", path],
    );
    let der = ["pkey", "-in", path, "-outform", "DER", "-out"];
    let out = desk.at("plain.der");
    run(
        &tool("openssl"),
        &[&der[..], &[out.to_str().unwrap()]].concat(),
    );
    // RFC 8410: the seed ends the structure.
    std::fs::read(out).unwrap().split_off(16)
}

/// A desk with everything planted.
fn planted() -> (Desk, Vec<u8>) {
    let desk = Desk::new();
    for (name, secret) in PLANTED {
        desk.write(name, &format!("{secret}\n"));
    }
    let seed = planted_key(&desk);
    (desk, seed)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Commands that take secrets and need them, and commands that are given wrong ones.
fn commands(key: &str, module: &Path) -> Vec<String> {
    let token = format!(
        "pkcs11:token=Desk;object={key}?module-path={}",
        module.display()
    );
    let with_pin = |name: &str| format!("{token}&pin-source=file:{name}");
    let mut lines = vec![
        format!("key convert plain {key} --new-passphrase-file passphrase"),
        format!(
            "key convert {key} {key}.new --kdf pbkdf2 --passphrase-file passphrase --new-passphrase-file new"
        ),
        format!("key convert {key} {key}.no --passphrase-file wrong --new-passphrase-file new"),
        format!("key new {key}.random --kdf pbkdf2 --random-passphrase {key}.secret"),
        format!("key new {key}.random --passphrase-file passphrase"),
        format!("key new {token} --passphrase-file pin"),
        format!("key new {token} --passphrase-file wrong-pin"),
        "key list pkcs11: --login --passphrase-file pin".to_owned(),
        "key list pkcs11: --login --passphrase-file wrong-pin".to_owned(),
        format!("key check {}", with_pin("{desk}/pin")),
        format!("key check {}", with_pin("{desk}/wrong-pin")),
        format!("key check {}", with_pin("{desk}/missing")),
        // Secrets where they do not belong.
        format!("key check {key} --passphrase-credential pin"),
        format!("key check {token}&pin-value={PIN}"),
        "key check plain".to_owned(),
        "key show plain".to_owned(),
        "key show passphrase".to_owned(),
        "key check passphrase".to_owned(),
    ];
    for (name, source) in [
        ("check", "--passphrase-file passphrase"),
        ("check", "--passphrase-file new"),
        ("check", "--passphrase-file wrong"),
        ("check", "--passphrase-fd 0"),
        ("show", "--passphrase-file passphrase"),
        ("show", "--passphrase-file wrong"),
    ] {
        lines.push(format!("key {name} {key} {source}"));
        lines.push(format!("key {name} {key}.new {source}"));
        lines.push(format!("key {name} {token} {source}"));
    }
    lines
}

/// Runs everything with every way of talking; `{desk}` stands for the folder.
fn run_all(desk: &Desk, module: &Path) -> Vec<Run> {
    let mut runs = Vec::new();
    for program in PROGRAMS {
        let ways: &[&str] = if program == "countersign" {
            &["-vvv", "--json -vvv --log-format json"]
        } else {
            &["", "--json"]
        };
        for (at, way) in ways.iter().enumerate() {
            for line in commands(&format!("{program}-{at}"), module) {
                let line = line.replace("{desk}", &desk.path().display().to_string());
                runs.push(desk.run(program, &format!("{line} {way}")));
            }
        }
    }
    runs
}

#[test]
fn no_secret_is_printed_or_written() {
    with_softhsm(|hsm| {
        hsm.add_token("Desk");
        let (mut desk, seed) = planted();
        desk.set("COUNTERSIGN_PKCS11_MODULE", &hsm.module);
        desk.set("RUST_LOG", "trace");
        desk.set("RUST_BACKTRACE", "full");
        let runs = run_all(&desk, &hsm.module);
        let succeeded = runs.iter().filter(|run| run.code == Some(0)).count();
        // Most of both: a command that fails early has touched no secret.
        assert!(succeeded > 40, "{succeeded} of {}", runs.len());
        assert!(runs.len() - succeeded > 50, "{succeeded} of {}", runs.len());

        let secrets = PLANTED.map(|(_, secret)| secret.as_bytes());
        let search = Search::new(&[&secrets[..], &[&seed]].concat());
        for run in &runs {
            // The one secret on a command line, where it is refused, is not repeated.
            for printed in [&run.stdout, &run.stderr] {
                assert!(!search.finds(printed.as_bytes()), "{}\n{printed}", run.line);
            }
        }
        let mut written = Vec::new();
        files(desk.path(), &mut written);
        files(&hsm.folder, &mut written);
        assert!(written.len() > 40, "{written:?}");
        let with_secrets = written
            .iter()
            .filter(|path| search.finds(&std::fs::read(path).unwrap()));
        let names = with_secrets.map(|path| path.file_name().unwrap().to_str().unwrap());
        let expected = [
            "new",
            "passphrase",
            "pin",
            "plain",
            "plain.der",
            "wrong",
            "wrong-pin",
        ];
        assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    });
}

/// The programs stop where they print, when all work is done: nothing secret is left in memory. What
/// they were told openly is there, which shows that the search finds what is.
#[test]
fn no_secret_is_left_in_memory() {
    with_softhsm(|hsm| {
        hsm.add_token("Desk");
        let (desk, seed) = planted();
        let convert = "key convert plain key --new-passphrase-file passphrase";
        desk.ok("countersign", convert);
        let token = format!(
            "pkcs11:token=Desk;object=key?module-path={}",
            hsm.module.display()
        );
        desk.ok(
            "countersign",
            &format!("key new {token} --passphrase-file pin"),
        );
        let secrets = PLANTED.map(|(_, secret)| secret.as_bytes());
        for program in PROGRAMS {
            for line in [
                "key check file:key --passphrase-file passphrase".to_owned(),
                format!("key check {token} --passphrase-file pin"),
                "key convert key another --passphrase-file passphrase --new-passphrase-file new"
                    .to_owned(),
            ] {
                let Some(memory) = memory_at_the_end(&desk, program, &line) else {
                    // Not even the same user may look (`PR_SET_DUMPABLE`).
                    assert_ne!(user(), 0);
                    continue;
                };
                let _ = std::fs::remove_file(desk.at("another"));
                let _ = std::fs::remove_file(desk.at("another.pub"));
                assert!(
                    Search::new(&[b"--passphrase-file"]).finds(&memory),
                    "{line}"
                );
                for secret in [&secrets[..], &[&seed]].concat() {
                    let found = Search::new(&[secret]).finds(&memory);
                    assert!(
                        !found,
                        "{program} {line}: {}",
                        String::from_utf8_lossy(secret)
                    );
                }
            }
        }
    });
}

/// The writable memory of a program that cannot print its report, because nobody reads; `None` where
/// that may not be looked at.
fn memory_at_the_end(desk: &Desk, program: &str, line: &str) -> Option<Vec<u8>> {
    use std::io::Write as _;

    let (reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe holds: the first byte of the report waits.
    writer.write_all(&vec![0; 65_536]).unwrap();
    let mut command = desk.command(program, line);
    let mut child = command
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let waits_to_print = || match std::fs::read_to_string(process.join("syscall")) {
        // write(1, …) on x86-64 or AArch64.
        Ok(call) => call.starts_with("1 0x1 ") || call.starts_with("64 0x1 "),
        Err(_) => false,
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while user() == 0 && !waits_to_print() {
        assert!(child.try_wait().unwrap().is_none(), "{line} has ended");
        assert!(
            std::time::Instant::now() < deadline,
            "{line} does not print"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let memory = writable_memory(&process);
    child.kill().unwrap();
    child.wait().unwrap();
    drop((command, reader));
    memory
}

fn writable_memory(process: &Path) -> Option<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};

    let maps = std::fs::read_to_string(process.join("maps")).ok()?;
    let mut file = std::fs::File::open(process.join("mem")).ok()?;
    let mut memory = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split(' ').next().unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        file.seek(SeekFrom::Start(start)).unwrap();
        if file.read_exact(&mut bytes).is_ok() {
            memory.extend(bytes);
        }
    }
    Some(memory)
}

fn user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::metadata("/proc/self").unwrap().uid()
}

/// While the programs wait for a passphrase, and however they end: no core, and nobody but root may
/// look into them.
#[test]
fn no_core_is_left_and_other_processes_see_nothing() {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};

    let (desk, _) = planted();
    desk.ok(
        "countersign",
        "key convert plain key --new-passphrase-file passphrase",
    );
    run(Path::new("mkfifo"), &[desk.at("fifo")]);
    let look = |id: u32| {
        // The environment of a process is shown to whom its memory is.
        let mut cat = std::process::Command::new("cat");
        cat.arg(format!("/proc/{id}/environ"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if user() == 0 {
            cat.uid(NOBODY).gid(NOBODY);
        }
        cat.status().unwrap().success()
    };
    // Such a look succeeds where nothing forbids it.
    let mut sleep = std::process::Command::new("sleep");
    if user() == 0 {
        sleep.uid(NOBODY).gid(NOBODY);
    }
    let mut sleeping = sleep.arg("60").spawn().unwrap();
    assert!(look(sleeping.id()));
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();

    for name in PROGRAMS {
        let mut command = as_nobody(&desk, name);
        // Nobody writes into it: the program waits.
        command.args(["key", "check", "key", "--passphrase-file", "fifo"]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let limits = format!("/proc/{}/limits", child.id());
        let core_limit = || {
            let limits = std::fs::read_to_string(&limits).unwrap();
            let line = limits
                .lines()
                .find(|line| line.starts_with("Max core file size"));
            let words: Vec<_> = line
                .unwrap()
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            words[4..6].to_vec()
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while core_limit() != ["0", "0"] {
            assert!(
                std::time::Instant::now() < deadline,
                "{name}: {:?}",
                core_limit()
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!look(child.id()), "{name}");
        let abort = ["-ABRT", &child.id().to_string()].map(str::to_owned);
        assert!(
            std::process::Command::new("kill")
                .args(abort)
                .status()
                .unwrap()
                .success()
        );
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(6));
        assert!(!status.core_dumped(), "{name}");
    }
}

/// Whom nothing belongs to.
const NOBODY: u32 = 65_534;

/// The program, where the tests run as root as somebody else: root may look into anything.
fn as_nobody(desk: &Desk, name: &str) -> std::process::Command {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let mut command = desk.command(name, "");
    if user() == 0 {
        // Wherever it was built, nobody may not get there.
        let copy = desk.at(name);
        std::fs::copy(countersign_tests::environment::program(name), &copy).unwrap();
        for path in [
            desk.path().to_owned(),
            copy.clone(),
            desk.at("key"),
            desk.at("fifo"),
        ] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(path, mode).unwrap();
        }
        command = std::process::Command::new(copy);
        command
            .current_dir(desk.path())
            .env_clear()
            .uid(NOBODY)
            .gid(NOBODY);
    }
    command
}
