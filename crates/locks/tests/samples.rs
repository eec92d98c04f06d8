//! Lock files as the programs wrote them (uv 0.13.8, pip 26.3; poetry 2.1 after its documentation),
//! and texts that are none.

use countersign_locks::{Lock, LockError, LockKind, LockedFile, Source};
use proptest::prelude::*;

const WHEEL: &str = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
const SDIST: &str = "ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81";

fn read(kind: LockKind, text: &str) -> Lock {
    Lock::parse(kind, text).unwrap()
}

fn file(name: Option<&str>, sha256: &str) -> LockedFile {
    LockedFile {
        filename: name.map(str::to_owned),
        sha256: Some(sha256.parse().unwrap()),
    }
}

#[test]
fn uv() {
    let lock = read(LockKind::Uv, include_str!("samples/uv.lock"));
    let [app, six] = &lock.packages[..] else {
        panic!("{lock:?}")
    };
    assert_eq!((app.name.as_str(), &app.source), ("app", &Source::Local));
    assert_eq!((six.name.as_str(), &six.source), ("six", &Source::Index));
    let sdist = file(Some("six-1.17.0.tar.gz"), SDIST);
    let wheel = file(Some("six-1.17.0-py2.py3-none-any.whl"), WHEEL);
    assert_eq!(six.files, [sdist, wheel]);
}

#[test]
fn poetry() {
    let text = include_str!("samples/poetry.lock");
    let lock = read(LockKind::Poetry, text);
    let [six, tool] = &lock.packages[..] else {
        panic!("{lock:?}")
    };
    let wheel = file(Some("six-1.17.0-py2.py3-none-any.whl"), WHEEL);
    assert_eq!(
        six.files,
        [wheel.clone(), file(Some("six-1.17.0.tar.gz"), SDIST)]
    );
    let elsewhere = Source::Elsewhere("https://code.example/tool.git".to_owned());
    assert_eq!(tool.source, elsewhere);

    // As before poetry 1.3: the files stand apart.
    let old = format!(
        "[[package]]\nname = \"six\"\nversion = \"1.17.0\"\n[metadata]\nlock-version = \"1.1\"\n\
         [metadata.files]\nsix = [{{file = \"six-1.17.0-py2.py3-none-any.whl\", hash = \"sha256:{WHEEL}\"}}]\n"
    );
    assert_eq!(read(LockKind::Poetry, &old).packages[0].files, [wheel]);
}

#[test]
fn pylock() {
    let lock = read(LockKind::Pylock, include_str!("samples/pylock.toml"));
    let wheel = file(Some("six-1.17.0-py2.py3-none-any.whl"), WHEEL);
    assert_eq!(lock.packages[0].files, [wheel]);
    let elsewhere = "lock-version = \"1.0\"\n[[packages]]\nname = \"x\"\n\
        [packages.vcs]\ntype = \"git\"\nurl = \"https://code.example/x.git\"\ncommit-id = \"0\"\n\
        [[packages]]\nname = \"y\"\n[packages.directory]\npath = \".\"\n";
    let lock = read(LockKind::Pylock, elsewhere);
    let x = Source::Elsewhere("https://code.example/x.git".to_owned());
    assert_eq!(
        [&lock.packages[0].source, &lock.packages[1].source],
        [&x, &Source::Local]
    );
}

#[test]
fn requirements() {
    let text = include_str!("samples/requirements.txt");
    let six = &read(LockKind::Requirements, text).packages[0];
    assert_eq!(
        (six.name.as_str(), six.version.as_deref()),
        ("six", Some("1.17.0"))
    );
    assert_eq!(six.files, [file(None, WHEEL), file(None, SDIST)]);
    let more = format!(
        "--index-url https://index.example/simple\nUrl_Lib3[socks] == 2.0 ; python_version > '3' \
         --hash sha256:{WHEEL} --hash=sha512:00 # note\nx @ https://code.example/x.zip\n"
    );
    let lock = read(LockKind::Requirements, &more);
    assert_eq!(lock.packages[0].name.as_str(), "url-lib3");
    assert_eq!(lock.packages[0].version.as_deref(), Some("2.0"));
    assert_eq!(lock.packages[0].files[1].sha256, None);
    assert!(matches!(lock.packages[1].source, Source::Elsewhere(_)));
}

/// Nothing is left out: what is not understood is refused, with the line.
#[test]
fn what_is_not_understood_is_refused() {
    for (kind, text) in [
        (LockKind::Uv, "version = 2\n"),
        (
            LockKind::Uv,
            "version = 1\n[[package]]\nname = \"x\"\nsource = { moon = \"x\" }\n",
        ),
        (LockKind::Uv, "version = 1\n[[package]]\nname = \"x\"\n"),
        (
            LockKind::Uv,
            "version = 1\n[[package]]\nname = \"x\"\nsource = { registry = \"x\" }\nsdist = { url = \"x\", hash = \"md5\" }\n",
        ),
        (LockKind::Poetry, "[metadata]\nlock-version = \"3.0\"\n"),
        (LockKind::Pylock, "lock-version = \"2.0\"\n"),
        (LockKind::Pylock, "packages = []\n"),
        (
            LockKind::Pylock,
            "lock-version = \"1.0\"\n[[packages]]\nname = \"-\"\n",
        ),
        (LockKind::Requirements, "x>=1 --hash=sha256:00\n"),
        (LockKind::Requirements, "x==1.*\n"),
        (LockKind::Requirements, "x\n"),
        (LockKind::Requirements, "x==1 --hash=sha256:00\n"),
        (LockKind::Requirements, "x==1 --hash=00 --moon\n"),
        (LockKind::Requirements, "-r other.txt\n"),
        (LockKind::Requirements, "-rother.txt\n"),
        (LockKind::Requirements, "--constraint=other.txt\n"),
        (LockKind::Requirements, "-e .\n"),
        (LockKind::Requirements, "==1\n"),
    ] {
        assert!(Lock::parse(kind, text).is_err(), "{kind:?}: {text}");
    }
    let refused = Lock::parse(LockKind::Requirements, "# one\n\nx>=1\n");
    let why = "is not pinned with `==` to one version";
    assert_eq!(refused, Err(LockError::Line { line: 3, why }));
}

const KINDS: [LockKind; 4] = [
    LockKind::Uv,
    LockKind::Poetry,
    LockKind::Pylock,
    LockKind::Requirements,
];

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,200}", kind in 0..4_usize) {
        let _ = Lock::parse(KINDS[kind], &text);
    }

    #[test]
    fn pieces_of_requirements_never_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "six", "==", "1.0", " ", "\\\n", "\n", "#", "--hash", "=", "sha256:", ";", "[", "]", "@", "-r", "é",
            ]),
            0..30,
        )
    ) {
        let _ = Lock::parse(LockKind::Requirements, &pieces.concat());
    }

    /// Every pin and every digest that is written is read.
    #[test]
    fn requirements_read_back(
        pins in prop::collection::vec(("[a-z][a-z0-9]{0,8}", 0..100_u8, prop::collection::vec(any::<[u8; 32]>(), 0..4)), 0..8)
    ) {
        let hex = |bytes: &[u8; 32]| metadata::Sha256::of(bytes).to_string();
        let pinned = pins.iter().map(|(name, version, hashes)| {
            let hashes = hashes.iter().map(|hash| format!(" \\\n    --hash=sha256:{}", hex(hash)));
            format!("{name}=={version}{}  # via x\n", hashes.collect::<Vec<_>>().concat())
        });
        let text = pinned.collect::<Vec<_>>().concat();
        let lock = Lock::parse(LockKind::Requirements, &text).unwrap();
        prop_assert_eq!(lock.packages.len(), pins.len());
        for (package, (name, version, hashes)) in lock.packages.iter().zip(&pins) {
            prop_assert_eq!(package.name.as_str(), name.as_str());
            prop_assert_eq!(package.version.clone(), Some(version.to_string()));
            let found: Vec<String> = package.files.iter().map(|file| file.sha256.unwrap().to_string()).collect();
            let expected: Vec<String> = hashes.iter().map(hex).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
