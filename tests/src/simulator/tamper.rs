//! What is wrong with a file before anybody serves it: other contents, other signatures, other bytes.

use metadata::canonical::is_canonical;
use metadata::{Signature, Value, Wire};

use super::Key;

type EditJson = Box<dyn FnOnce(&mut serde_json::Value) + Send>;
type EditText = Box<dyn FnOnce(String) -> String + Send>;
type EditSignatures = Box<dyn FnOnce(&mut Vec<Signature>) + Send>;
type EditFile = Box<dyn FnOnce(Vec<u8>) -> Vec<u8> + Send>;

/// Changes to the next file of one role. They apply in the order of the methods here: a role's keys
/// sign what the first two made of the document, and the last two spoil what was signed. Snapshot
/// and timestamp list the file as it came out.
#[derive(Default)]
pub struct Tamper {
    json: Option<EditJson>,
    text: Option<EditText>,
    signers: Option<Vec<Key>>,
    signatures: Option<EditSignatures>,
    file: Option<EditFile>,
}

impl Tamper {
    /// Edits `signed` before it is signed.
    pub fn json(
        &mut self,
        edit: impl FnOnce(&mut serde_json::Value) + Send + 'static,
    ) -> &mut Self {
        self.json = Some(Box::new(edit));
        self
    }

    /// Edits the text of `signed` before it is signed. Text that is no TUF JSON is signed as it
    /// stands.
    pub fn text(&mut self, edit: impl FnOnce(String) -> String + Send + 'static) -> &mut Self {
        self.text = Some(Box::new(edit));
        self
    }

    /// Has it signed by these keys instead of the role's.
    pub fn signed_by<'k>(&mut self, keys: impl IntoIterator<Item = &'k Key>) -> &mut Self {
        self.signers = Some(keys.into_iter().cloned().collect());
        self
    }

    /// Edits the list of signatures; it is written as it is left, sorted.
    pub fn signatures(
        &mut self,
        edit: impl FnOnce(&mut Vec<Signature>) + Send + 'static,
    ) -> &mut Self {
        self.signatures = Some(Box::new(edit));
        self
    }

    /// Edits the bytes of the whole file.
    pub fn file(&mut self, edit: impl FnOnce(Vec<u8>) -> Vec<u8> + Send + 'static) -> &mut Self {
        self.file = Some(Box::new(edit));
        self
    }

    /// Signs `canonical` by `signers`, with everything asked for gone wrong.
    pub(super) fn issue(self, canonical: &[u8], signers: &[Key]) -> Vec<u8> {
        let mut text = String::from_utf8(canonical.to_vec()).unwrap();
        if let Some(edit) = self.json {
            let mut json = serde_json::from_str(&text).unwrap();
            edit(&mut json);
            text = json.to_string();
        }
        if let Some(edit) = self.text {
            text = edit(text);
        }
        let message = Value::parse(text.as_bytes())
            .map_or_else(|_| text.clone().into_bytes(), |value| value.to_canonical());
        let signers = self.signers.as_deref().unwrap_or(signers);
        let mut signatures: Vec<Signature> = signers.iter().map(|key| key.sign(&message)).collect();
        if let Some(edit) = self.signatures {
            edit(&mut signatures);
        }
        // Canonical where it can be, so that an honest file is what a repository of ours writes.
        let signed = if is_canonical(text.as_bytes()) {
            &message
        } else {
            text.as_bytes()
        };
        let file = Wire::write(signed, &signatures);
        match self.file {
            Some(edit) => edit(file),
            None => file,
        }
    }
}
