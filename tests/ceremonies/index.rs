//! The index that the ceremonies feed, run by its own program, and everybody who reads it: our
//! client as a new user, as one who comes back, and as one who is in the middle of an update while
//! the switch happens; python-tuf; tough; pip.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::Utc;
use client::{
    Body, Datastore, Pace, Transport, TransportError, Updater, UpdaterConfig, transport_for,
};
use countersign_tests::environment::{
    Server, clean_command, free_port, prepared, program, said, samples,
};
use index::{DistributionFilename, file_path};
use metadata::TargetPath;
use serde_json::Value;
use trust::Answer;
use url::Url;

/// An index, its online keys, and its readers' folders.
pub(crate) struct Index {
    home: PathBuf,
    keys: Vec<String>,
    /// Files that clients find.
    files: Vec<PathBuf>,
    /// Files that they found before.
    gone: Vec<PathBuf>,
}

impl Index {
    /// An empty index with files waiting to be published.
    pub(crate) fn init(home: &Path, policy: &str) -> Self {
        let index = Self {
            home: home.to_owned(),
            keys: Vec::new(),
            files: samples(),
            gone: Vec::new(),
        };
        index.ok(&["index", "init", "--policy", policy]);
        let files = samples();
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        index.ok(&[&["index", "add"], files.as_slice()].concat());
        index
    }

    /// Gives the signer one more key, a file in the index's home.
    pub(crate) fn add_key(&mut self, name: &str) {
        self.keys.push(format!("file:{name}"));
    }

    /// Clients find one more file from now on.
    pub(crate) fn gains(&mut self, file: PathBuf) {
        self.files.push(file);
    }

    /// Clients find the files with this in their names no longer. Gives their names.
    pub(crate) fn loses(&mut self, what: &str) -> Vec<String> {
        let files = std::mem::take(&mut self.files).into_iter();
        let (gone, left): (Vec<_>, Vec<_>) = files.partition(|path| name_of(path).contains(what));
        self.files = left;
        let names = gone.iter().map(|path| name_of(path)).collect();
        self.gone.extend(gone);
        names
    }

    /// Takes the oldest key from the signer.
    pub(crate) fn drop_key(&mut self) {
        self.keys.remove(0);
    }

    /// Queues a file that was not there before.
    pub(crate) fn add_late(&self) {
        let wheel = samples()
            .into_iter()
            .find(|path| path.extension().is_some_and(|one| one == "whl"));
        let wheel = wheel.unwrap();
        let name = wheel.file_name().unwrap().to_str().unwrap();
        let late = self.home.join(name.replace("-py3-", "-py2-"));
        fs::copy(&wheel, &late).unwrap();
        self.ok(&["index", "add", late.to_str().unwrap()]);
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = clean_command(program("countersign"), &self.home)
            .current_dir(&self.home)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies a set, with the release that belongs to it if there is one.
    pub(crate) fn apply(&self, set: &Path, release: Option<&str>) {
        let mut arguments = vec!["index", "apply", set.to_str().unwrap()];
        arguments.extend(release.into_iter().flat_map(|file| ["--transaction", file]));
        self.ok(&arguments);
    }

    /// Runs the program, which refuses; everything it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = clean_command(program("countersign"), &self.home)
            .current_dir(&self.home)
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        said(&output)
    }

    /// One cycle of the signer.
    pub(crate) fn tick(&self) -> Value {
        let keys = self.keys.join(",");
        let said = self.ok(&[
            "online",
            "tick",
            "--at-once",
            "--online-key",
            &keys,
            "--passphrase-file",
            "pin",
            "--json",
        ]);
        serde_json::from_str(&said).unwrap()
    }

    /// One cycle of the signer, between a client's timestamp and its snapshot. That client ends its
    /// update, and the next one too.
    pub(crate) fn tick_during_an_update(&self, client: &str) -> Value {
        let (done, index) = (Arc::new(Mutex::new(None)), self.clone_for_readers());
        let result = Arc::clone(&done);
        // The file, or a delta to it.
        let between = Between::new(".snapshot.", move || {
            *result.lock().unwrap() = Some(index.tick());
        });
        self.read_through(client, Arc::new(between));
        let report = done.lock().unwrap().take();
        let report = report.expect("the client asked for a snapshot");
        self.read(client);
        report
    }

    fn clone_for_readers(&self) -> Self {
        Self {
            home: self.home.clone(),
            keys: self.keys.clone(),
            files: self.files.clone(),
            gone: self.gone.clone(),
        }
    }

    /// Where the repository is served from.
    pub(crate) fn store(&self) -> PathBuf {
        self.home.join("countersign-data/repository")
    }

    /// Every file through our client, which trusts the first root.
    pub(crate) fn read(&self, client: &str) {
        let transport = transport_for(&self.url("metadata"), Pace::default()).unwrap();
        self.read_through(client, transport);
    }

    fn url(&self, part: &str) -> Url {
        Url::from_directory_path(self.store().join(part)).unwrap()
    }

    fn read_through(&self, client: &str, transport: Arc<dyn Transport>) {
        let trusted = self.home.join(client).join("trusted");
        if !trusted.exists() {
            fs::create_dir_all(&trusted).unwrap();
            fs::copy(
                self.home.join("published/1.root.json"),
                trusted.join("root.json"),
            )
            .unwrap();
        }
        let config = UpdaterConfig::new(self.url("metadata"), self.url("targets"));
        let datastore = Datastore::open(trusted).unwrap();
        let updater = Updater::new(config, datastore, transport).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let session = updater.refresh(Utc::now()).await;
            let session = session.unwrap_or_else(|error| panic!("{client}: {error:?}"));
            for path in paths(&self.files) {
                let answer = session.find(&TargetPath::parse(&path).unwrap()).await;
                assert!(
                    matches!(answer, Answer::Found(_)),
                    "{client}: {path}: {answer:?}"
                );
            }
            for path in paths(&self.gone) {
                let answer = session.find(&TargetPath::parse(&path).unwrap()).await;
                assert!(
                    matches!(answer, Answer::Terminated(_)),
                    "{client}: {path}: {answer:?}"
                );
            }
        });
    }

    /// Every file through python-tuf, which trusts the first root.
    pub(crate) fn read_with_python(&self, client: &str) {
        let server = Server::of_folder(&self.store());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/python_tuf.py");
        let work = self.home.join(format!("python-{client}"));
        fs::create_dir_all(&work).unwrap();
        let output = clean_command(prepared("venv/bin/python"), &work)
            .arg(script)
            .args([server.url("metadata/"), server.url("targets/")])
            .args([&self.home.join("published/1.root.json"), &work])
            .args(paths(&self.files))
            .args(paths(&self.gone).iter().map(|path| format!("!{path}")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{client}: {}", said(&output));
    }

    /// The whole repository through our client and tough, from the first root on. What it says.
    pub(crate) fn audit(&self) -> String {
        let store = self.store();
        let root = self.home.join("published/1.root.json");
        let said = self.ok(&[
            "audit",
            store.to_str().unwrap(),
            "--root",
            root.to_str().unwrap(),
            "--read-files",
        ]);
        assert!(said.contains("tough agrees: "), "{said}");
        assert!(!said.contains("WRONG"), "{said}");
        said
    }

    /// pip installs a project through the proxy, which trusts the first root.
    pub(crate) fn install_with_pip(&self, project: &str) {
        let server = Server::of_folder(&self.store());
        let (port, folder) = (free_port(), self.home.join(format!("proxy-{project}")));
        fs::create_dir(&folder).unwrap();
        let mut proxy = clean_command(program("countersign"), &folder);
        proxy
            .current_dir(&folder)
            .args(["proxy", "--metadata-url", &server.url("metadata/")])
            .args(["--targets-url", &server.url("targets/")])
            .args([
                "--root".as_ref(),
                self.home.join("published/1.root.json").as_os_str(),
            ])
            .args(["--metadata-dir", "trusted", "--cache-dir", "cache"])
            .args(["--listen", &format!("127.0.0.1:{port}")]);
        let proxy = Server::start(proxy, port);
        let into = self.home.join(format!("installed-{project}"));
        let output = clean_command(prepared("venv/bin/python"), &self.home)
            .args(["-m", "pip", "install", "--no-cache-dir", "--retries", "0"])
            .args(["--index-url", &proxy.url("simple/"), "--target"])
            .arg(&into)
            .arg(project)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(into.join(project.replace('-', "_")).is_dir());
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap().to_str().unwrap().to_owned()
}

fn paths(files: &[PathBuf]) -> Vec<String> {
    let path = |file: &PathBuf| {
        let name = DistributionFilename::parse(&name_of(file)).unwrap();
        file_path(&name).to_string()
    };
    files.iter().map(path).collect()
}

/// Lets something happen right before the first file is read that has this in its name: a snapshot, or what
/// makes one of an older.
struct Between {
    folder: Arc<dyn Transport>,
    before: &'static str,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Between {
    fn new(before: &'static str, then: impl FnOnce() + Send + 'static) -> Self {
        let anywhere = Url::parse("file:///").unwrap();
        Self {
            folder: transport_for(&anywhere, Pace::default()).unwrap(),
            before,
            then: Mutex::new(Some(Box::new(then))),
        }
    }
}

#[async_trait]
impl Transport for Between {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        if url.path().contains(self.before) {
            let then = self.then.lock().unwrap().take();
            if let Some(then) = then {
                then();
            }
        }
        self.folder.get(url).await
    }
}
