//! What the table says of a claimed project, with the real pip, uv and python-tuf, a real package, real time:
//! a thief of every online key who is the server, too, forges nothing for whoever has seen the claim, or
//! holds a trust anchor newer than it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{Duration, Utc};
use countersign_tests::environment::{clean_command, packages, prepared, program, said};
use countersign_tests::{BinEncoding, Key, Listening, Simulator};
use index::{DistributionFilename, PageFile, SimplePage, Status, Yanked, file_path, page_path};
use metadata::{DelegatedRole, DelegatedRoles, Sha256};

use crate::attacker::{Attacker, Publication};
use crate::foreign::PythonTuf;

/// Everything that is online.
const ONLINE: [&str; 4] = ["timestamp", "snapshot", "recently-claimed", "bin-n"];

/// The package `idna`, on an index that signs it until its developers do.
struct Scene {
    repository: Simulator,
    filename: DistributionFilename,
    honest: Vec<u8>,
    edge: DelegatedRole,
}

impl Scene {
    fn before_the_claim() -> Self {
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("idna-") && path.extension().is_some_and(|it| it == "whl")
        };
        let path = packages().into_iter().find(is_it).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let filename = DistributionFilename::parse(name).unwrap();
        let honest = std::fs::read(&path).unwrap();
        let mut repository = Simulator::bare();
        repository.now = Utc::now();
        for role in ["timestamp", "snapshot"] {
            repository.rotate(role, &[Key::ed25519(role)], 1);
        }
        let all = ["packages/*/*/*"];
        repository.delegate("targets", "claimed", &[Key::ed25519("claimed")], &all);
        let project = filename.project();
        let own = format!("packages/{}/{project}/*", project.shard());
        let developers = [Key::ed25519("developers")];
        let edge = repository.delegate("claimed", "project-idna", &developers, &[&own]);
        edge.terminating = true;
        let edge = edge.clone();
        let recent = [Key::ed25519("recently-claimed")];
        repository.delegate("targets", "recently-claimed", &recent, &all);
        let patterns = ["simple/*/*/*", "packages/*/*/*"];
        repository.delegate("targets", "bins", &[Key::ed25519("bins")], &patterns);
        let encoding = BinEncoding::HashPrefixes;
        repository.delegate_bins("bins", "bin", 1, encoding, &Key::ed25519("bin-n"));
        for role in ["targets", "claimed", "bins"] {
            repository.set_lifetime(role, Duration::days(90));
        }
        let mut scene = Self {
            repository,
            filename,
            honest: honest.clone(),
            edge,
        };
        scene.edges(Vec::new());
        scene.list_in_bins(&honest);
        scene.repository.publish();
        scene
    }

    fn edges(&mut self, edges: Vec<DelegatedRole>) {
        self.repository.delegations("claimed").roles = DelegatedRoles::Listed(edges);
    }

    /// File and page as the bins list them; the roles that change.
    fn list_in_bins(&mut self, wheel: &[u8]) -> Vec<String> {
        let file = PageFile {
            filename: self.filename.clone(),
            sha256: Sha256::of(wheel),
            size: wheel.len() as u64,
            requires_python: None,
            upload_time: None,
            yanked: Yanked::No,
            core_metadata: None,
        };
        let project = self.filename.project().clone();
        let page = SimplePage::new(project.clone(), vec![file], Status::default()).unwrap();
        let mut changed = Vec::new();
        for (path, bytes) in [
            (page_path(&project), page.render_json()),
            (file_path(&self.filename), wheel.to_vec()),
        ] {
            let bin = self.repository.bin_of("bins", path.as_str());
            self.repository.add_target(&bin, path.as_str(), &bytes);
            if !changed.contains(&bin) {
                changed.push(bin);
            }
        }
        changed
    }

    /// From now on the developers' role speaks for the file.
    fn claim(&mut self) {
        self.edges(vec![self.edge.clone()]);
        let path = file_path(&self.filename).to_string();
        let honest = self.honest.clone();
        self.repository.add_target("project-idna", &path, &honest);
        let bin = self.repository.bin_of("bins", &path);
        self.repository.remove_target(&bin, &path);
        self.repository.publish();
    }

    /// The thief shows the state before the claim, kept alive, with his own file.
    fn attack(&mut self, evil: &[u8]) {
        let attacker = Attacker::with(&ONLINE);
        self.repository.rewind("claimed", 1);
        let changed = self.list_in_bins(evil);
        attacker.publish(&mut self.repository, &changed, Publication::New);
    }
}

/// The machine of somebody who trusts the index.
struct Machine {
    home: tempfile::TempDir,
}

impl Machine {
    /// Trusts by these options of `trust add`.
    fn trusting(words: &[&str], path: &Path) -> Self {
        let machine = Self {
            home: tempfile::tempdir().unwrap(),
        };
        let mut add = machine.countersign(&["trust", "add", "main"]);
        let added = add.args(words).arg(path).output().unwrap();
        assert!(added.status.success(), "{}", said(&added));
        machine
    }

    fn countersign(&self, words: &[&str]) -> Command {
        let mut command = clean_command(program("countersign"), self.home.path());
        command
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("UV_HTTP_RETRIES", "0")
            .env("PIP_RETRIES", "0")
            .current_dir(self.home.path())
            .args(words);
        command
    }

    /// Installs under `exec`; the module, if it is there, and what was said.
    fn install(&self, installer: &str) -> (Option<String>, Output) {
        let python = prepared("venv/bin/python");
        let into = tempfile::tempdir_in(self.home.path()).unwrap();
        let mut exec = self.countersign(&["exec", "--index", "main", "--"]);
        match installer {
            "pip" => exec.arg(&python).args(["-m", "pip", "install"]),
            _ => exec
                .arg(prepared("venv/bin/uv"))
                .args(["pip", "install", "--python"])
                .arg(&python),
        };
        let output = exec
            .args(["--no-deps", "--target"])
            .arg(into.path())
            .arg("idna")
            .output()
            .unwrap();
        let module = std::fs::read_to_string(into.path().join("idna/__init__.py"));
        (module.ok(), output)
    }
}

/// The honest wheel with a line of the thief's.
fn evil(honest: &[u8], filename: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["honest", "evil"].map(|name| folder.path().join(name).join(filename));
    for path in [&from, &to] {
        std::fs::create_dir(path.parent().unwrap()).unwrap();
    }
    std::fs::write(&from, honest).unwrap();
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as good, zipfile.ZipFile(sys.argv[2], 'w') as evil:
    for name in good.namelist():
        data = good.read(name)
        if name == 'idna/__init__.py':
            data += b'evil = True\\n'
        if name.endswith('RECORD'):
            data = b''.join(line.split(b',')[0] + b',,\\n' for line in data.splitlines())
        evil.writestr(name, data)
";
    let output = clean_command(prepared("venv/bin/python"), folder.path())
        .args(["-c", script])
        .args([&from, &to])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    std::fs::read(to).unwrap()
}

fn base(listening: &Listening) -> String {
    let metadata = listening.metadata_url().to_string();
    metadata.strip_suffix("metadata/").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_project_is_not_forged_with_every_online_key_and_the_server() {
    let mut scene = Scene::before_the_claim();
    let listening = scene.repository.server().listen().await;
    let url = base(&listening);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("1.root.json");
    std::fs::write(&root, scene.repository.archived("root", 1)).unwrap();
    let evil = evil(&scene.honest, scene.filename.as_str());
    let mut python = PythonTuf::start();
    let path = file_path(&scene.filename).to_string();

    scene.claim();
    let by_root = [url.as_str(), "--root"];
    let warm = Machine::trusting(&by_root, &root);
    for installer in ["pip", "uv"] {
        let (module, output) = tokio::task::block_in_place(|| warm.install(installer));
        let module = module.unwrap_or_else(|| panic!("{installer}: {}", said(&output)));
        assert!(!module.contains("evil"));
    }
    let warm_python = python.fresh(&scene.repository);
    let honest = Sha256::of(&scene.honest);
    let found = python.takes(&scene.repository, &warm_python, &path).await;
    assert_eq!(found, Some(honest));
    let anchor = folder.path().join("anchor.json");
    let export = warm
        .countersign(&["trust", "export", "main"])
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", said(&export));
    std::fs::write(&anchor, &export.stdout).unwrap();

    scene.attack(&evil);
    let anchored = Machine::trusting(&["--anchor"], &anchor);
    let fresh = Machine::trusting(&by_root, &root);
    for installer in ["pip", "uv"] {
        // What was verified before the attack stays in force until it expires, so honest bytes may still
        // be installed by who has seen the claim (decision 0010); never others.
        let (module, output) = tokio::task::block_in_place(|| warm.install(installer));
        let forged = module.is_some_and(|module| module.contains("evil"));
        assert!(!forged, "warm {installer}: {}", said(&output));
        let (module, output) = tokio::task::block_in_place(|| anchored.install(installer));
        let words = said(&output);
        assert!(!output.status.success(), "anchored {installer}: {words}");
        assert_eq!(module, None, "anchored {installer}: {words}");
        assert!(words.contains("claimed"), "anchored {installer}: {words}");
        // The control: whoever has never heard of the claim, before `claimed` of then expires.
        let (module, output) = tokio::task::block_in_place(|| fresh.install(installer));
        let module = module.unwrap_or_else(|| panic!("{installer}: {}", said(&output)));
        assert!(module.contains("evil"), "control of {installer}");
    }
    let found = python.takes(&scene.repository, &warm_python, &path).await;
    assert_eq!(found, None, "python-tuf");
    let fresh = python.fresh(&scene.repository);
    let found = python.takes(&scene.repository, &fresh, &path).await;
    assert_eq!(found, Some(Sha256::of(&evil)), "control of python-tuf");
}
