//! `policy/intake.md` does what it says: every block runs, in order, against a real intake.

use std::fs;
use std::sync::Arc;

use countersign_tests::environment::{
    Server, clean_command, free_port, packages, program, said, samples,
};
use countersign_tests::published::{Made, PublishedIndex};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use policy::Encoding;
use ring::rand::SystemRandom;

use crate::{root, shell};

const SDIST: &str = "idna-3.20.tar.gz";

#[test]
fn the_way_of_an_upload_is_what_its_page_says() {
    let page = fs::read_to_string(root().join("policy/intake.md")).unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 5);
    let home = tempfile::tempdir().unwrap();
    let here = |name: &str| home.path().join(name);
    fs::write(here("secret"), "correct horse battery staple\n").unwrap();
    let online = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
    let passphrase = Passphrase::from_file(&here("secret")).unwrap();
    let (log_n, r, p) = (14, 8, 1);
    let kdf = Kdf::Scrypt { log_n, r, p };
    let path = here("online.pem");
    online.save_encrypted(&path, &passphrase, kdf).unwrap();
    let online: Arc<dyn Signer> = Arc::new(online);
    let made = Made::small(Encoding::PathHashPrefixes);
    let index = PublishedIndex::make_with(home.path(), made, &samples(), online);
    let mut packages = packages().into_iter();
    let sdist = packages.find(|path| path.ends_with(SDIST)).unwrap();
    fs::copy(sdist, here(SDIST)).unwrap();

    let port = free_port();
    let run = |script: &str| {
        let script = script.replace("127.0.0.1:8433", &format!("127.0.0.1:{port}"));
        let output = shell(home.path(), &script)
            .env("COUNTERSIGN_DATA_DIR", "index")
            .env("COUNTERSIGN_ONLINE_KEY", "file:online.pem")
            .env("COUNTERSIGN_PASSPHRASE_FILE", "secret")
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}\n{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    run(blocks[0]);
    let mut command = clean_command(program("countersign"), home.path());
    let listen = format!("127.0.0.1:{port}");
    command
        .args([
            "online",
            "serve",
            "--data-dir",
            "index",
            "--intake-listen",
            &listen,
        ])
        .current_dir(home.path());
    let server = Server::start(command, port);

    assert!(run(blocks[1]).contains("/v1/changes/1"));
    assert!(run(blocks[2]).contains("unyank"));
    let fate = run(blocks[3]);
    assert!(
        fate.contains("\"state\":\"published\""),
        "{fate}{}",
        server.log()
    );
    let json = index.store().join("simple/idna/index.json");
    assert!(fs::read_to_string(json).unwrap().contains(SDIST));
    assert!(run(blocks[4]).contains("revoked"));

    // Every word that an answer can have stands in the table.
    let source = root().join("crates/intake/src/problem.rs");
    let source = fs::read_to_string(source).unwrap();
    let words = page.split("## 4").nth(1).unwrap();
    for word in [
        "malformed",
        "method",
        "not-found",
        "media-type",
        "unauthorized",
        "out-of-scope",
        "too-large",
        "too-slow",
        "invalid",
        "name-taken",
        "unknown-file",
        "developers-sign",
        "key-reused",
        "too-often",
        "busy",
        "failed",
    ] {
        assert!(source.contains(&format!("\"{word}\"")), "{word}");
        assert!(words.contains(&format!("`{word}`")), "{word}");
    }
}
