//! A public key as people compare it and programs read it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use keys::{TokenInfo, fingerprint_hex, fingerprint_words, key_fingerprint, public_key_to_pem};
use metadata::PublicKey;
use metadata::canonical::{Writer, to_json};
use serde_json::{Map, Value, json};

use super::{KeyCommandError, Outcome};

/// Sixteen words of a digest as people write and read them: four a line, each with its number, for
/// two that change places are another digest.
#[must_use]
pub fn numbered_words(digest: &[u8]) -> String {
    let words = fingerprint_words(digest);
    let words: Vec<&str> = words.split(' ').collect();
    let mut out = String::new();
    for (row, four) in words.chunks(4).enumerate() {
        let mut line = String::new();
        for (at, word) in four.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(line, "{:4} {word:<9}", row * 4 + at + 1);
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// A public key and where its private half lives.
pub(super) struct KeyReport<'a> {
    pub(super) key: &'a PublicKey,
    pub(super) place: &'a str,
    pub(super) token: Option<&'a TokenInfo>,
    /// The file its public half was written to just now.
    pub(super) public_file: Option<&'a Path>,
}

impl KeyReport<'_> {
    pub(super) fn outcome(&self) -> Result<Outcome, KeyCommandError> {
        let pem = pem(self.key, self.place)?;
        let digest = key_fingerprint(self.key);
        let (hex, words) = (
            fingerprint_hex(digest.as_bytes()),
            fingerprint_words(digest.as_bytes()),
        );
        let id = self.key.id();
        let (keytype, scheme) = (self.key.keytype(), self.key.scheme());
        let mut text = format!(
            "key id  {id}\nhex     {hex}\ntype    {keytype}, scheme {scheme}\nwhere   {}\n",
            self.place
        );
        let mut json = Map::new();
        let mut member = |name: &str, value: Value| json.insert(name.to_owned(), value);
        member("keyid", id.as_str().into());
        member("keytype", keytype.into());
        member("scheme", scheme.into());
        member("fingerprint", json!({ "hex": hex, "words": words }));
        member("uri", self.place.into());
        member("public_pem", pem.as_str().into());
        member("key", listed(self.key).into());
        // Writing to a String cannot fail.
        if let Some(token) = self.token {
            let _ = writeln!(text, "token   {}", token_line(token));
            member("token", token_json(token));
        }
        if let Some(path) = self.public_file {
            let _ = writeln!(text, "public  {}", path.display());
            member("public_file", path.to_string_lossy().into());
        }
        text.push_str(
            "words   to write on paper, with their numbers; by them others know the key\n",
        );
        text.push_str(&numbered_words(digest.as_bytes()));
        text.push_str(&pem);
        let json = Value::Object(json);
        Ok(Outcome { text, json })
    }
}

/// The key as metadata lists it.
fn listed(key: &PublicKey) -> String {
    let mut out = Writer::new();
    key.write(&mut out);
    String::from_utf8_lossy(&to_json(&out.into_bytes())).into_owned()
}

pub(super) fn token_line(token: &TokenInfo) -> String {
    format!(
        "`{}`: {} {}, serial {}, firmware {}.{}",
        token.label,
        token.manufacturer,
        token.model,
        token.serial,
        token.firmware.0,
        token.firmware.1
    )
}

pub(super) fn token_json(token: &TokenInfo) -> Value {
    json!({
        "label": token.label,
        "manufacturer": token.manufacturer,
        "model": token.model,
        "serial": token.serial,
        "slot": token.slot_id,
        "firmware": format!("{}.{}", token.firmware.0, token.firmware.1),
        "pinpad": token.pinpad,
    })
}

pub(super) fn pem(key: &PublicKey, name: &str) -> Result<String, KeyCommandError> {
    public_key_to_pem(key).map_err(|source| KeyCommandError::PublicKey {
        path: PathBuf::from(name),
        source,
    })
}

/// Writes a public key to a new file.
pub(super) fn save_public(path: &Path, key: &PublicKey) -> Result<(), KeyCommandError> {
    let pem = pem(key, &path.to_string_lossy())?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| KeyCommandError::Write {
            path: path.to_owned(),
            source,
        })
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, KeyCommandError> {
    let failed = |source| KeyCommandError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}
