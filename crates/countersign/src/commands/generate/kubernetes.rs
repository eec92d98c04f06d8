//! `countersign generate kubernetes`.

use std::fmt::Write as _;

use super::units::plain_path;
use crate::console::hand_out;
use crate::failure::{Failure, UsageError};
use crate::places::{StatePlace, StorageArgs, StorePlace};

/// Write a Kubernetes manifest: a volume, and `CronJob`s for cycles, sweeps and checks
///
/// With --state, --store and --uploads, all three elsewhere, for several machines: two signers of which one
/// works, two intakes behind a service, and no volume.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Image with this program as its entry point
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    #[arg(env = "COUNTERSIGN_IMAGE", value_parser = image)]
    image: String,

    /// Where the index is mounted
    #[arg(long, value_name = "DIR", default_value = "/var/lib/countersign")]
    #[arg(env = "COUNTERSIGN_DATA_DIR", value_parser = plain_path)]
    data_dir: String,

    #[command(flatten)]
    storage: StorageArgs,
}

const DEFAULT_IMAGE: &str = concat!("index.example/countersign:", env!("CARGO_PKG_VERSION"));

const MANIFEST: &str = include_str!("templates/kubernetes.yaml");
const MACHINES: &str = include_str!("templates/machines.yaml");
const DEPLOYMENT: &str = include_str!("templates/deployment.yaml");
const SERVICE: &str = include_str!("templates/service.yaml");
const JOB: &str = include_str!("templates/job.yaml");
const POD: &str = include_str!("templates/pod.yaml");

/// Where secrets are mounted, each in a folder of its own that only those see who need it.
const SECRETS: &str = "/run/countersign";

const PORT: &str = include_str!("templates/port.yaml");

/// What runs in a pod.
struct Pod<'a> {
    words: &'a [&'a str],
    restart: &'a str,
    secrets: &'a [&'a str],
    ports: &'a str,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let manifest = if args.storage == StorageArgs::default() {
        args.one_machine()
    } else {
        args.several_machines()?
    };
    hand_out(manifest.as_bytes())
}

impl Args {
    fn one_machine(&self) -> String {
        let passphrase = format!("{SECRETS}/online-key/passphrase");
        let tick = ["online", "tick", "--passphrase-file", &passphrase];
        let jobs = [
            self.job("tick", "* * * * *", &tick, &["online-key"]),
            self.job("sweep", "17 3 * * *", &["online", "sweep"], &[]),
            self.check(&[]),
        ];
        MANIFEST.replace("@JOBS@\n", &jobs.concat())
    }

    fn several_machines(&self) -> Result<String, Failure> {
        let storage = &self.storage;
        let is_shared = matches!(storage.state, Some(StatePlace::Postgres(_)))
            && matches!(storage.store, Some(StorePlace::Bucket(_)))
            && storage.uploads.is_some();
        if !is_shared {
            return Err(UsageError::SharesNothing.into());
        }
        let (key, passphrase) = (
            format!("file:{SECRETS}/online-key/online.pem"),
            format!("{SECRETS}/online-key/passphrase"),
        );
        let run = [
            "online",
            "run",
            "--online-key",
            &key,
            "--passphrase-file",
            &passphrase,
        ];
        let signer = Pod {
            words: &run,
            restart: "Always",
            secrets: &["online-key", "database", "store"],
            ports: "",
        };
        let tokens = format!("{SECRETS}/tokens/tokens.toml");
        let serve = [
            "online",
            "serve",
            "--tokens",
            &tokens,
            "--intake-listen",
            "0.0.0.0:8433",
            "--behind-proxy",
        ];
        let intake = Pod {
            words: &serve,
            restart: "Always",
            secrets: &["tokens", "database", "store"],
            ports: PORT,
        };
        let secrets = ["database", "store"];
        let parts = [
            self.deployment("signer", &signer),
            self.deployment("intake", &intake),
            SERVICE.to_owned(),
            self.job("sweep", "17 3 * * *", &["online", "sweep"], &secrets),
            self.check(&secrets),
        ];
        Ok(MACHINES.replace("@PARTS@\n", &parts.concat()))
    }

    fn check(&self, secrets: &[&str]) -> String {
        self.job(
            "check",
            "43 7 * * *",
            &["index", "status", "--check"],
            secrets,
        )
    }

    fn deployment(&self, name: &str, pod: &Pod<'_>) -> String {
        let pod = indented(4, &self.pod(pod));
        DEPLOYMENT.replace("@NAME@", name).replace("@POD@\n", &pod)
    }

    fn job(&self, name: &str, schedule: &str, words: &[&str], secrets: &[&str]) -> String {
        let pod = Pod {
            words,
            restart: "Never",
            secrets,
            ports: "",
        };
        JOB.replace("@NAME@", name)
            .replace("@SCHEDULE@", schedule)
            .replace("@POD@\n", &indented(8, &self.pod(&pod)))
    }

    fn pod(&self, pod: &Pod<'_>) -> String {
        let (mut mounts, mut volumes) = (String::new(), String::new());
        for secret in pod.secrets {
            // Writing to a string cannot fail.
            let _ = writeln!(
                mounts,
                "        - {{name: {secret}, mountPath: {SECRETS}/{secret}, readOnly: true}}"
            );
            let _ = writeln!(
                volumes,
                "    - name: {secret}\n      secret: {{secretName: countersign-{secret}, defaultMode: 0440}}"
            );
        }
        let data = if self.storage.state.is_none() {
            "      persistentVolumeClaim: {claimName: countersign-data}\n"
        } else {
            "      emptyDir: {}\n"
        };
        POD.replace("@RESTART@", pod.restart)
            .replace("@ARGS@", &pod.words.join(", "))
            .replace("@IMAGE@", &self.image)
            .replace("@DATA_DIR@", &self.data_dir)
            .replace("@ENV@\n", &self.variables())
            .replace("@PORTS@\n", pod.ports)
            .replace("@MOUNTS@\n", &mounts)
            .replace("@DATA@\n", data)
            .replace("@VOLUMES@\n", &volumes)
    }

    /// The variables that say where the parts of the index are.
    fn variables(&self) -> String {
        let mut all = vec![
            ("COUNTERSIGN_DATA_DIR", self.data_dir.clone()),
            ("COUNTERSIGN_LOG_FORMAT", "json".to_owned()),
        ];
        let storage = &self.storage;
        if let Some(state) = &storage.state {
            all.push(("COUNTERSIGN_STATE", state.to_string()));
            let password = format!("{SECRETS}/database/password");
            all.push(("COUNTERSIGN_STATE_PASSWORD_FILE", password));
        }
        if let Some(authorities) = &storage.state_authorities {
            let authorities = authorities.display().to_string();
            all.push(("COUNTERSIGN_STATE_AUTHORITIES", authorities));
        }
        if let Some(store) = &storage.store {
            all.push(("COUNTERSIGN_STORE", store.to_string()));
            let credentials = format!("{SECRETS}/store/credentials");
            all.push(("COUNTERSIGN_STORE_CREDENTIALS_FILE", credentials));
        }
        if let Some(uploads) = &storage.uploads {
            all.push(("COUNTERSIGN_UPLOADS", uploads.to_string()));
        }
        let bucket = &storage.bucket;
        let texts = [
            ("COUNTERSIGN_STORE_ENDPOINT", &bucket.endpoint),
            ("COUNTERSIGN_STORE_REGION", &bucket.region),
        ];
        all.extend(
            texts
                .into_iter()
                .filter_map(|(name, text)| Some((name, text.clone()?))),
        );
        let flags = [
            ("COUNTERSIGN_STORE_PATH_STYLE", bucket.path_style),
            ("COUNTERSIGN_STORE_PLAIN_HTTP", bucket.plain_http),
        ];
        all.extend(
            flags
                .into_iter()
                .filter_map(|(name, flag)| Some((name, flag?.to_string()))),
        );
        let mut out = String::new();
        for (name, value) in all {
            // A string of JSON is one of YAML.
            let value = serde_json::Value::String(value);
            let _ = writeln!(out, "        - {{name: {name}, value: {value}}}");
        }
        out
    }
}

fn indented(by: usize, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:by$}{line}", "");
    }
    out
}

/// A reference as the OCI distribution specification writes it: nothing that YAML would read otherwise.
fn image(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._:@-".contains(&byte);
    let first = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let last = text
        .bytes()
        .last()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && last && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("not the reference of an image")
}
