//! How challenge, request and grant are written down.

use std::collections::BTreeMap;

use index::ProjectName;
use metadata::{Expiry, Value};

use super::{Challenge, Grant, Request};
use crate::ClaimError;
use crate::document::{Members, Statement, key_value};

/// Longest name of an index, in bytes.
const MAX_INDEX: usize = 256;

fn text(text: &impl ToString) -> Value {
    Value::String(text.to_string())
}

fn members<const N: usize>(members: [(&str, Value); N]) -> BTreeMap<String, Value> {
    let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
    members.into_iter().map(owned).collect()
}

fn read_index(members: &mut Members) -> Result<String, ClaimError> {
    let index = members.text("index")?;
    if index.is_empty() || index.len() > MAX_INDEX || !index.bytes().all(|b| b.is_ascii_graphic()) {
        let why = "is not 1 to 256 printable ASCII characters without spaces";
        return Err(ClaimError::member("index", why));
    }
    Ok(index)
}

fn read_project(members: &mut Members) -> Result<ProjectName, ClaimError> {
    ProjectName::parse_normalized(&members.text("project")?)
        .map_err(|_| ClaimError::member("project", "is no project's name in normal form"))
}

impl Statement for Challenge {
    const TYPE: &'static str = "claim-challenge";

    fn members(&self) -> BTreeMap<String, Value> {
        members([
            ("expires", text(&self.expires)),
            ("index", text(&self.index)),
            ("nonce", text(&hex::encode(self.nonce))),
            ("project", text(&self.project)),
        ])
    }

    fn read(members: &mut Members) -> Result<Self, ClaimError> {
        let nonce = hex::decode(members.text("nonce")?).ok();
        let nonce = nonce.and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            expires: members.expiry("expires")?,
            index: read_index(members)?,
            nonce: nonce.ok_or_else(|| ClaimError::member("nonce", "is not 64 hex digits"))?,
            project: read_project(members)?,
        })
    }
}

impl Statement for Request {
    const TYPE: &'static str = "claim-request";

    fn members(&self) -> BTreeMap<String, Value> {
        let keys = self
            .keys
            .iter()
            .map(|(id, key)| (id.to_string(), key_value(key)));
        members([
            ("challenge", text(&self.challenge)),
            ("index", text(&self.index)),
            ("keys", Value::Object(keys.collect())),
            ("project", text(&self.project)),
            ("threshold", Value::Integer(self.threshold.into())),
        ])
    }

    fn read(members: &mut Members) -> Result<Self, ClaimError> {
        Ok(Self {
            challenge: members.digest("challenge")?,
            index: read_index(members)?,
            keys: members.keys("keys")?,
            project: read_project(members)?,
            threshold: members.count("threshold")?,
        })
    }
}

impl Statement for Grant {
    const TYPE: &'static str = "claim-grant";

    fn members(&self) -> BTreeMap<String, Value> {
        members([
            ("expires", text(&self.expires)),
            ("index", text(&self.index)),
            ("issued", text(&Expiry::at(self.issued))),
            ("project", text(&self.project)),
            ("request", text(&self.request)),
        ])
    }

    fn read(members: &mut Members) -> Result<Self, ClaimError> {
        Ok(Self {
            expires: members.expiry("expires")?,
            index: read_index(members)?,
            issued: members.expiry("issued")?.instant(),
            project: read_project(members)?,
            request: members.digest("request")?,
        })
    }
}
