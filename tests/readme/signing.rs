//! `policy/developer-signing.md` does what it says: every block runs, in order, the reference client reads
//! every state between them, and a stranger's pip installs what the maintainers have signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_tests::environment::{
    Server, clean_command, free_port, packages, prepared, program, said, samples,
};
use countersign_tests::published::{Made, PublishedIndex, developers_sign};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use policy::Encoding;
use ring::rand::SystemRandom;

use crate::{root, shell};

const SDIST: &str = "idna-3.20.tar.gz";
const WHEEL: &str = "idna-3.20-py3-none-any.whl";
const SECOND: &str = "idna-3.21-py3-none-any.whl";

struct Story {
    home: tempfile::TempDir,
    index: PublishedIndex,
    server: Server,
    states: usize,
}

impl Story {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let here = |name: &str| home.path().join(name);
        fs::write(here("secret"), "correct horse battery staple\n").unwrap();
        let online = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
        let passphrase = Passphrase::from_file(&here("secret")).unwrap();
        let kdf = Kdf::Scrypt {
            log_n: 14,
            r: 8,
            p: 1,
        };
        online
            .save_encrypted(&here("online.pem"), &passphrase, kdf)
            .unwrap();
        let of_idna = |path: &PathBuf| path.to_string_lossy().contains("idna");
        let (idna, others): (Vec<_>, Vec<_>) = packages().into_iter().partition(of_idna);
        for path in &idna {
            fs::copy(path, here(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        let files: Vec<_> = samples()
            .into_iter()
            .chain(others)
            .chain([here(SDIST)])
            .collect();
        let made = Made::small(Encoding::PathHashPrefixes);
        let online: Arc<dyn Signer> = Arc::new(online);
        let index = PublishedIndex::make_by(home.path(), &developers_sign(), made, &files, online);
        index
            .targets_key()
            .save_encrypted(&here("targets.pem"), &passphrase, kdf)
            .unwrap();
        next_version(&here(WHEEL), &here(SECOND));
        fs::copy(index.root(), here("1.root.json")).unwrap();
        let server = Server::of_folder(&index.store());
        Self {
            home,
            index,
            server,
            states: 0,
        }
    }

    fn run(&self, script: &str) -> String {
        let output = shell(self.home.path(), script)
            .env("COUNTERSIGN_PASSPHRASE_FILE", "secret")
            .env("COUNTERSIGN_DATA_DIR", "index")
            .env("COUNTERSIGN_ONLINE_KEY", "file:online.pem")
            .env("COUNTERSIGN_HOME", self.home.path().join("trusted"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}\n{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// python-tuf, one client of every state and a new one each time, finds a file.
    fn python_tuf_reads(&mut self, file: &str) {
        self.states += 1;
        let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf.py");
        let filename = index::DistributionFilename::parse(file).unwrap();
        for work in ["warm".to_owned(), format!("new-{}", self.states)] {
            let work = self.home.path().join(work);
            fs::create_dir_all(&work).unwrap();
            let output = clean_command(prepared("venv/bin/python"), &work)
                .arg(&reader)
                .args([self.server.url("metadata/"), self.server.url("targets/")])
                .args([self.index.root(), &work])
                .arg(index::file_path(&filename).as_str())
                .output()
                .unwrap();
            let digest = metadata::Sha256::of(&fs::read(self.home.path().join(file)).unwrap());
            let said = said(&output);
            assert!(output.status.success(), "state {}: {said}", self.states);
            assert!(said.contains(&digest.to_string()), "{said}");
        }
    }

    /// Who waits in vain is told so, and goes on where they were.
    fn an_upload_that_nobody_publishes_is_kept(&self) {
        let said = self.run(
            "
            dir='--project-dir anew'
            countersign project sign $dir --yes --key bob-2.pem
            ! countersign project accepted $dir --index main
            set +e
            countersign project upload $dir --into index --wait --wait-limit 0 --index main
            test $? = 75 || exit 1
            countersign project accepted $dir --index main
            test $? = 75 || exit 1
            set -e
            countersign project status $dir --index main
            countersign online tick --at-once
            countersign project accepted $dir --index main
        ",
        );
        for words in [
            "project-idna v6 was sent: `countersign project accepted` or `refused`",
            "clients see it",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    /// A file, and a lock file's digest, are held to the word of the developers.
    fn files_are_what_developers_signed(&self) {
        let said = self.run(&format!(
            "
            countersign client verify {WHEEL} {SECOND}
            mkdir altered && cp {WHEEL} altered && printf x >> altered/{WHEEL}
            set +e
            countersign client verify altered/{WHEEL}
            test $? = 10 || exit 1
            set -e
            echo \"idna==3.20 --hash=sha256:$(sha256sum {WHEEL} | cut -c 1-64)\" > locked.txt
            countersign verify-lock locked.txt --json
        "
        ));
        for words in [
            format!("signed {WHEEL}, by word of project-idna"),
            format!("signed {SECOND}, by word of project-idna"),
            format!("mismatch altered/{WHEEL}"),
            "\"role\": \"project-idna".to_owned(),
        ] {
            assert!(said.contains(&words), "{words}: {said}");
        }
    }

    /// A stranger with nothing but the first root, through a proxy of their own.
    fn pip_installs(&self, what: &str) -> PathBuf {
        let port = free_port();
        let folder = self.home.path().join(format!("stranger-{port}"));
        fs::create_dir(&folder).unwrap();
        let mut command = clean_command(program("countersign"), &folder);
        command
            .args(["proxy", "--metadata-url", &self.server.url("metadata/")])
            .args(["--targets-url", &self.server.url("targets/")])
            .args(["--root".as_ref(), self.index.root().as_os_str()])
            .args([
                "--metadata-dir".as_ref(),
                folder.join("trusted").as_os_str(),
            ])
            .args(["--cache-dir".as_ref(), folder.join("cache").as_os_str()])
            .args(["--listen", &format!("127.0.0.1:{port}")]);
        let proxy = Server::start(command, port);
        let into = folder.join("site");
        let output = clean_command(prepared("venv/bin/python"), &folder)
            .args(["-m", "pip", "install", "--no-cache-dir", "--no-deps"])
            .args(["--index-url", &proxy.url("simple/")])
            .arg("--target")
            .arg(&into)
            .arg(what)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}{}", said(&output), proxy.log());
        into
    }
}

/// The same wheel as the next version.
fn next_version(from: &Path, to: &Path) {
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], 'w') as new:
    for name in old.namelist():
        data = old.read(name)
        if name.endswith('RECORD'):
            data = b''.join(line.split(b',')[0] + b',,\\n' for line in data.splitlines())
        if name.endswith(('RECORD', 'METADATA')):
            data = data.replace(b'3.20', b'3.21')
        new.writestr(name.replace('-3.20.', '-3.21.'), data)
";
    let output = clean_command(prepared("venv/bin/python"), to.parent().unwrap())
        .args(["-c", script])
        .args([from, to])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_way_to_a_signed_release_is_what_its_page_says() {
    let page = fs::read_to_string(root().join("policy/developer-signing.md")).unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 11);
    let mut story = Story::new();
    story.python_tuf_reads(SDIST);
    for (number, block) in blocks.iter().enumerate() {
        let said = story.run(block);
        story.python_tuf_reads(SDIST);
        // What the block on the first release, and the one on waiting, show.
        let words: &[&str] = match number {
            3 => &["! idna-3.20.tar.gz is on the index: list it, or give it up"],
            7 => &[
                "queued: the index has taken it",
                "clients see it: timestamp v",
                ": recently-claimed\n",
                "recently-claimed delegates to 1 of",
            ],
            _ => &[],
        };
        for words in words {
            assert!(said.contains(words), "{words}: {said}");
        }
        if number == 7 {
            story.an_upload_that_nobody_publishes_is_kept();
        }
    }
    story.python_tuf_reads(WHEEL);
    story.python_tuf_reads(SECOND);
    story.files_are_what_developers_signed();

    let list: serde_json::Value =
        serde_json::from_str(&story.run("countersign index claims list --json")).unwrap();
    let claim = &list["claims"][0];
    assert_eq!(
        (&claim["project"], &claim["stage"]),
        (&"idna".into(), &"claimed".into())
    );
    let keys = claim["in_force"]["keyids"].as_array().unwrap();
    assert_eq!((keys.len(), claim["next"].is_null()), (2, true));
    let status: serde_json::Value =
        serde_json::from_str(&story.run("countersign index status --json")).unwrap();
    assert_eq!(status["claims"]["recently_claimed"]["used"], 0);
    assert_eq!(status["claims"]["first_to_expire"]["version"], 7);

    // A stranger installs what Bob has signed, and what Ada has.
    let into = story.pip_installs("idna");
    assert!(into.join("idna-3.21.dist-info").exists());
    let into = story.pip_installs("idna==3.20");
    assert!(into.join("idna-3.20.dist-info").exists());

    // The lost key releases nothing more, and nothing is stored of what it tries.
    let attempt = "
        cp -r countersign-project thief && cp -r carols/published thief/
        countersign project sign --project-dir thief --withdraw idna-3.20.tar.gz --yes --key bob.pem
        countersign project upload --project-dir thief --to thief.zip
        ! countersign index receive thief.zip --json
    ";
    let said = story.run(attempt);
    assert!(said.contains("\"code\": \"signatures\""), "{said}");
    let status = story.run("countersign index status --json");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["changes_waiting"], 0);
}
