//! What a wheel puts where (PEP 427): each of its files with its digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use index::{DistributionFilename, InspectError, InspectLimits, inspect};
use metadata::{Sha256, Sha256Stream};
use zip::ZipArchive;
use zip::result::ZipError;

/// Bytes of all files of a wheel, unpacked; the largest wheels known unpack to 5 GB.
const UNPACKED: u64 = 32 << 30;

/// Bytes of a script that is written anew when it is installed, or of `entry_points.txt`.
const SCRIPT: u64 = 16 << 20;

/// A wheel's own list of its files, and signatures over that (PEP 427).
const LISTS: [&str; 3] = ["RECORD", "RECORD.jws", "RECORD.p7s"];

/// Bytes read at a time.
const PIECE: usize = 65_536;

/// What a wheel holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct WheelFiles {
    /// What goes into the folder of distributions, by its path there.
    pub(super) site: BTreeMap<String, Sha256>,
    /// What goes elsewhere: data, headers, scripts; by the end of its path.
    pub(super) elsewhere: BTreeMap<String, Sha256>,
    /// Scripts whose first line becomes the path of the interpreter: the digest of the rest.
    pub(super) scripts: BTreeMap<String, Sha256>,
    /// `entry_points.txt`.
    pub(super) entry_points: String,
}

/// Why a wheel cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WheelError {
    /// The file could not be read.
    #[error("the wheel could not be read")]
    Io(#[from] io::Error),
    /// An archive that contradicts itself, or not of its name.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// No archive.
    #[error("the wheel is no archive that can be read")]
    Zip(#[from] ZipError),
    /// Beyond a limit.
    #[error("the wheel unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
}

impl WheelFiles {
    /// Reads a verified wheel. Nothing is unpacked to disk.
    pub(crate) fn read(path: &Path, filename: &DistributionFilename) -> Result<Self, WheelError> {
        let open = || Ok::<_, io::Error>(BufReader::new(File::open(path)?));
        inspect(filename, open()?, &InspectLimits::default())?;
        let mut archive = ZipArchive::new(open()?)?;
        let (mut files, mut left) = (Self::default(), UNPACKED);
        for at in 0..archive.len() {
            let entry = archive.by_index(at)?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name()?.into_owned();
            let mut entry = entry.take(left.saturating_add(1));
            let read = files.add(&name, &mut entry)?;
            left = left
                .checked_sub(read)
                .ok_or(WheelError::TooLarge { limit: UNPACKED })?;
        }
        Ok(files)
    }

    /// Adds a file; the number of its bytes.
    fn add(&mut self, name: &str, entry: &mut impl Read) -> Result<u64, WheelError> {
        let (folder, rest) = name.split_once('/').unwrap_or(("", name));
        let end = folder.rsplit_once('.').map_or("", |(_, end)| end);
        match (end, rest.split_once('/')) {
            ("data", Some(("scripts", rest))) => self.add_script(rest, entry),
            ("dist-info", None) if rest == "entry_points.txt" => {
                let text = whole(entry)?;
                self.site.insert(name.to_owned(), Sha256::of(&text));
                self.entry_points = String::from_utf8_lossy(&text).into_owned();
                Ok(text.len() as u64)
            }
            (_, place) => {
                let (digest, length) = digest(entry)?;
                match (end, place) {
                    // Each installer writes its own.
                    ("dist-info", None) if LISTS.contains(&rest) => None,
                    ("data", Some(("purelib" | "platlib", rest))) => {
                        self.site.insert(rest.to_owned(), digest)
                    }
                    ("data", Some((_, rest))) => self.elsewhere.insert(rest.to_owned(), digest),
                    _ => self.site.insert(name.to_owned(), digest),
                };
                Ok(length)
            }
        }
    }

    fn add_script(&mut self, name: &str, entry: &mut impl Read) -> Result<u64, WheelError> {
        let bytes = whole(entry)?;
        match after_first_line(&bytes).filter(|_| bytes.starts_with(b"#!python")) {
            Some(rest) => self.scripts.insert(name.to_owned(), Sha256::of(rest)),
            None => self.elsewhere.insert(name.to_owned(), Sha256::of(&bytes)),
        };
        Ok(bytes.len() as u64)
    }
}

/// What follows the first line.
pub(super) fn after_first_line(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.iter().position(|it| *it == b'\n')?;
    bytes.get(at + 1..)
}

fn whole(entry: &mut impl Read) -> Result<Vec<u8>, WheelError> {
    let mut bytes = Vec::new();
    entry.take(SCRIPT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SCRIPT {
        return Err(WheelError::TooLarge { limit: SCRIPT });
    }
    Ok(bytes)
}

/// The digest of all bytes, and how many there are.
pub(super) fn digest(from: &mut impl Read) -> io::Result<(Sha256, u64)> {
    let (mut stream, mut length) = (Sha256Stream::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok((stream.finish(), length));
        }
        stream.update(&piece[..read]);
        length += read as u64;
    }
}
