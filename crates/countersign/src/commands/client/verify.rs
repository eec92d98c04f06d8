//! `countersign client verify`: is this file what the index or its developer signed?

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use client::{Promise, PromiseError, Session};
use index::{DistributionFilename, FilenameError, Yanked};
use metadata::{Sha256, Sha256Stream};
use serde::Serialize;

use super::place::PlaceArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::failure::Failure;
use crate::runtime;

/// Bytes read at a time.
const PIECE: usize = 65_536;

/// Check that wheels and sdists on this machine are what the index or their developers signed
///
/// Goes by the file's name and bytes; where it came from does not matter. Exits with the code of the
/// first file that is not what is signed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Wheels and sdists
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Checked>,
}

/// What was found of one file.
#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    sha256: String,
    /// `signed`, `yanked`, or why not.
    verdict: &'static str,
    /// The role that vouches for it.
    role: Option<String>,
    /// What there is to say.
    why: Option<String>,
    #[serde(skip)]
    code: u8,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let named = args.files.iter().map(|path| Ok((path, filename(path)?)));
    let named = named.collect::<Result<Vec<_>, Failure>>()?;
    let updater = args.place.place()?.updater()?;
    let files = runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        let mut files = Vec::new();
        for (path, filename) in &named {
            files.push(verify(&session, path, filename).await?);
        }
        Ok(files)
    })?;
    let broken: Vec<u8> = files
        .iter()
        .map(|it| it.code)
        .filter(|it| *it != 0)
        .collect();
    let total = files.len();
    let report = Report { files };
    console.report(args.json.json, &report, || {
        report.files.iter().map(line).collect()
    })?;
    match broken.first() {
        None => Ok(()),
        Some(code) => Err(Failure::Broken {
            broken: broken.len(),
            total,
            code: *code,
        }),
    }
}

fn line(checked: &Checked) -> String {
    let file = checked.file.display();
    let by = checked.role.as_ref();
    let by = by.map_or(String::new(), |role| format!(", by word of {role}"));
    let why = checked.why.as_ref();
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{} {file}{by}{why}\n", checked.verdict)
}

/// The name of a distribution: without one nobody can say what the bytes have to be.
fn filename(path: &Path) -> Result<DistributionFilename, Failure> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    DistributionFilename::parse(name).map_err(|source: FilenameError| Failure::NotADistribution {
        path: path.to_owned(),
        source,
    })
}

async fn verify(
    session: &Session,
    path: &Path,
    filename: &DistributionFilename,
) -> Result<Checked, Failure> {
    let sha256 = sha256_of(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let promise = Promise {
        project: filename.project().clone(),
        version: None,
        filename: Some(filename.to_string()),
        sha256,
    };
    let kept = match session.project_page(filename.project()).await {
        Ok(page) => session.promised(&page, &promise).await,
        Err(error) => Err(PromiseError::Client(error)),
    };
    let checked = |verdict, role, why, code| Checked {
        file: path.to_owned(),
        sha256: sha256.to_string(),
        verdict,
        role,
        why,
        code,
    };
    Ok(match kept {
        Ok(kept) => {
            let role = Some(kept.role.to_string());
            match kept.yanked {
                Yanked::No => checked("signed", role, None, 0),
                Yanked::Yes => checked("yanked", role, None, 0),
                Yanked::Because(why) => checked("yanked", role, Some(why), 0),
            }
        }
        Err(error) => {
            let kind = error.kind();
            checked(
                kind.word(),
                None,
                Some(in_one_line(&error)),
                kind.exit_code(),
            )
        }
    })
}

/// The digest of a file, read once, a piece at a time.
fn sha256_of(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut digest = Sha256Stream::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(digest.finish());
        }
        digest.update(&piece[..read]);
    }
}
