//! Other people's TUF clients read what we publish: python-tuf, tuf-js, and tough through `audit`.

mod at_once;
mod conformance;
mod deltas;
mod forms;
mod mirror;
mod read_only;
mod second_opinion;
mod specifiers;
mod suite;

use std::path::Path;
use std::process::Command;

use countersign_tests::environment::{Server, clean_command, prepared, said, samples};
use countersign_tests::published::{Made, PublishedIndex};
use index::{DistributionFilename, file_path, metadata_path, page_path};
use keys::KeyType;
use metadata::Sha256;
use policy::Encoding;

/// A foreign client: its program and the script that drives it.
struct Client {
    program: &'static str,
    script: &'static str,
}

const PYTHON_TUF: Client = Client {
    program: "venv/bin/python",
    script: "python_tuf.py",
};
const TUF_JS: Client = Client {
    program: "venv/bin/node",
    script: "tuf_js.mjs",
};

impl Client {
    /// Refreshes and downloads; returns what it printed, one JSON object a target.
    fn read(
        &self,
        server: &Server,
        root: &Path,
        work: &Path,
        targets: &[String],
    ) -> Result<String, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("readers")
            .join(self.script);
        std::fs::create_dir_all(work).unwrap();
        let mut command: Command = clean_command(prepared(self.program), work);
        let output = command
            .arg(script)
            .args([server.url("metadata/"), server.url("targets/")])
            .args([root, work])
            .args(targets)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(said(&output))
        } else {
            Err(said(&output))
        }
    }
}

/// Paths of everything the samples became, with the digests of the files.
fn sample_targets() -> Vec<(String, Option<Sha256>)> {
    let mut targets = Vec::new();
    for path in samples() {
        let filename =
            DistributionFilename::parse(path.file_name().unwrap().to_str().unwrap()).unwrap();
        targets.push((page_path(filename.project()).to_string(), None));
        let digest = Sha256::of(&std::fs::read(&path).unwrap());
        targets.push((file_path(&filename).to_string(), Some(digest)));
        if filename.kind() == index::DistributionKind::Wheel {
            targets.push((metadata_path(&filename).to_string(), None));
        }
    }
    targets
}

/// Every target through one client, then one that is not there, then a tampered repository.
fn reads_everything(client: &Client, made: Made) {
    let folder = tempfile::tempdir().unwrap();
    let index = PublishedIndex::make(folder.path(), made, &samples());
    let server = Server::of_folder(&index.store());
    let targets = sample_targets();
    let paths: Vec<String> = targets.iter().map(|(path, _)| path.clone()).collect();
    let work = folder.path().join("work");
    let output = client.read(&server, index.root(), &work, &paths).unwrap();
    for (path, digest) in &targets {
        let line = output.lines().find(|line| line.contains(path.as_str()));
        let line = line.unwrap_or_else(|| panic!("{path} is missing in {output}"));
        if let Some(digest) = digest {
            assert!(line.contains(&digest.to_string()), "{line}");
        }
    }
    let absent = ["packages/ec/nosuch/nosuch-1.0.tar.gz".to_owned()];
    let refused = client.read(
        &server,
        index.root(),
        &folder.path().join("absent"),
        &absent,
    );
    assert!(
        refused.unwrap_err().contains("NotFound"),
        "an absent target is told as absent"
    );
    index.tamper("metadata/timestamp.json", |bytes| {
        String::from_utf8(bytes)
            .unwrap()
            .replace("\"version\":1}", "\"version\":2}")
            .into_bytes()
    });
    let tampered = client.read(&server, index.root(), &folder.path().join("fresh"), &paths);
    assert!(tampered.is_err(), "the client checks what it reads");
}

#[test]
fn python_tuf_reads_hash_prefix_bins() {
    reads_everything(&PYTHON_TUF, Made::small(Encoding::PathHashPrefixes));
}

#[test]
fn python_tuf_reads_succinct_bins() {
    reads_everything(&PYTHON_TUF, Made::small(Encoding::Succinct));
}

#[test]
fn python_tuf_reads_p256_keys() {
    let made = Made {
        keys: KeyType::EcdsaP256,
        ..Made::small(Encoding::PathHashPrefixes)
    };
    reads_everything(&PYTHON_TUF, made);
}

#[test]
fn tuf_js_reads_hash_prefix_bins() {
    reads_everything(&TUF_JS, Made::small(Encoding::PathHashPrefixes));
}

#[test]
fn tuf_js_reads_succinct_bins() {
    reads_everything(&TUF_JS, Made::small(Encoding::Succinct));
}

#[test]
fn tuf_js_reads_p256_keys() {
    let made = Made {
        keys: KeyType::EcdsaP256,
        ..Made::small(Encoding::Succinct)
    };
    reads_everything(&TUF_JS, made);
}
