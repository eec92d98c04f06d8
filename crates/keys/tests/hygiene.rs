//! Secrets do not outlive their use: not in the memory of the process, not in a core of it.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use countersign_keys::{
    FileKey, Kdf, LoadOptions, Passphrase, PassphraseFile, Signer, forbid_core_dumps,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, setrlimit,
};

/// The planted secrets, masked: unmasked they stand nowhere in this program, so whatever the search
/// finds was left behind by the code under test.
const MASK: u8 = 0x5a;
const SEED: [u8; 32] = *b"masked-seed-of-thirty-two-bytes!";
const PASSPHRASE: [u8; 24] = *b"masked-passphrase-bytes!";

const ROLE: &str = "COUNTERSIGN_TEST_ROLE";
const FAST: Kdf = Kdf::Scrypt {
    log_n: 4,
    r: 8,
    p: 1,
};

fn unmasked(masked: &[u8]) -> Vec<u8> {
    masked.iter().map(|byte| byte ^ MASK).collect()
}

/// Writes the planted passphrase and the planted key, encrypted with it.
fn plant(folder: &Path) {
    std::fs::write(folder.join("passphrase"), unmasked(&PASSPHRASE)).unwrap();
    // PKCS#8 by the layout of RFC 8410.
    let head = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let der = [&head[..], &unmasked(&SEED)].concat();
    let pem = pkcs8::der::pem::encode_string("PRIVATE KEY", pkcs8::LineEnding::LF, &der).unwrap();
    let key = FileKey::from_pkcs8_pem(&pem).unwrap();
    let passphrase = Passphrase::from_file(&folder.join("passphrase")).unwrap();
    key.save_encrypted(&folder.join("key.pem"), &passphrase, FAST)
        .unwrap();
}

fn load(folder: &Path) -> FileKey {
    let source = PassphraseFile(folder.join("passphrase"));
    FileKey::load(&folder.join("key.pem"), &source, LoadOptions::default())
        .unwrap()
        .key
}

/// Starts this test again as another process that plays `role` in `folder`.
fn play(test: &str, role: &str, folder: &Path) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .current_dir(folder)
        .status()
        .unwrap()
}

/// How often the masked secret stands, unmasked, in the writable memory of this process.
fn count_in_memory(masked: &[u8]) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split(' ').next().unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        memory.seek(SeekFrom::Start(start)).unwrap();
        if memory.read_exact(&mut bytes).is_ok() {
            let same = |window: &[u8]| window.iter().zip(masked).all(|(a, b)| a ^ MASK == *b);
            found += bytes
                .windows(masked.len())
                .filter(|window| same(window))
                .count();
        }
    }
    found
}

/// What is found while a key is open shows that the search finds what is there.
#[test]
fn used_secrets_are_wiped() {
    if std::env::var_os(ROLE).is_none() {
        let folder = tempfile::tempdir().unwrap();
        plant(folder.path());
        assert!(play("used_secrets_are_wiped", "user", folder.path()).success());
        return;
    }
    let folder = Path::new(".");
    let key = load(folder);
    key.sign(b"message").unwrap();
    let passphrase = Passphrase::from_file(Path::new("passphrase")).unwrap();
    let open = (count_in_memory(&SEED), count_in_memory(&PASSPHRASE));
    drop((key, passphrase));
    let closed = (count_in_memory(&SEED), count_in_memory(&PASSPHRASE));
    assert_eq!((open, closed), ((1, 1), (0, 0)));
}

/// A process that dies with open keys leaves a core unless it forbade that; the core of the one
/// that did not shows that secrets would stand in it.
#[test]
fn a_dying_process_leaves_no_core() {
    let test = "a_dying_process_leaves_no_core";
    if let Some(role) = std::env::var_os(ROLE) {
        if role == "careful" {
            forbid_core_dumps().unwrap();
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        }
        // Careless programs are often started with cores allowed.
        let maximum = getrlimit(Resource::Core).maximum;
        let all = Rlimit {
            current: maximum,
            maximum,
        };
        setrlimit(Resource::Core, all).unwrap();
        let _key = load(Path::new("."));
        std::process::abort();
    }
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path());
    let careful = play(test, "careful", folder.path());
    assert!(
        careful.signal().is_some() && !careful.core_dumped(),
        "{careful}"
    );
    assert_eq!(cores(folder.path()), Vec::<Vec<u8>>::new());

    let careless = play(test, "careless", folder.path());
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let piped = pattern.starts_with('|') || pattern.contains('/');
    if getrlimit(Resource::Core).maximum != Some(0) && !piped {
        assert!(careless.core_dumped());
        let core = cores(folder.path()).pop().unwrap();
        let seed = unmasked(&SEED);
        assert!(core.windows(seed.len()).any(|window| window == seed));
    }
}

/// Files the kernel wrote: whatever stands in the folder beside the planted files.
fn cores(folder: &Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            !["passphrase", "key.pem"]
                .map(|name| folder.join(name))
                .contains(path)
        })
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}
