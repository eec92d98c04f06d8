//! `countersign generate kubernetes`.

use super::units::plain_path;
use crate::console::hand_out;
use crate::failure::Failure;

/// Write a Kubernetes manifest: a volume, and `CronJob`s for cycles, sweeps and checks
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
}

const DEFAULT_IMAGE: &str = concat!("index.example/countersign:", env!("CARGO_PKG_VERSION"));

const MANIFEST: &str = include_str!("templates/kubernetes.yaml");
const JOB: &str = include_str!("templates/job.yaml");

/// The passphrase lies in a folder of its own that only the cycle sees.
const KEY_MOUNT: &str =
    "                - {name: key, mountPath: /run/countersign, readOnly: true}\n";
const KEY_VOLUME: &str = "            - name: key\n              \
                          secret: {secretName: countersign-online-key, defaultMode: 0440}";
const PASSPHRASE: &str = "/run/countersign/passphrase";

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let tick = ["online", "tick", "--passphrase-file", PASSPHRASE];
    let jobs = [
        args.job("tick", "* * * * *", &tick, true),
        args.job("sweep", "17 3 * * *", &["online", "sweep"], false),
        args.job(
            "check",
            "43 7 * * *",
            &["index", "status", "--check"],
            false,
        ),
    ];
    hand_out(MANIFEST.replace("@JOBS@\n", &jobs.concat()).as_bytes())
}

impl Args {
    fn job(&self, name: &str, schedule: &str, words: &[&str], needs_key: bool) -> String {
        let (mount, volume) = if needs_key {
            (KEY_MOUNT, KEY_VOLUME)
        } else {
            ("", "")
        };
        let job = JOB
            .replace("@NAME@", name)
            .replace("@SCHEDULE@", schedule)
            .replace("@ARGS@", &words.join(", "))
            .replace("@IMAGE@", &self.image)
            .replace("@DATA_DIR@", &self.data_dir)
            .replace("@KEY_MOUNT@", mount)
            .replace("@KEY_VOLUME@", volume);
        format!("{}\n", job.trim_end())
    }
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
