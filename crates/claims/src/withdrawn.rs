//! Files given up on purpose. A role that no longer lists a file has to say so in its own signed
//! words: a file that just vanishes may be a mistake, or a thief's.

use std::collections::BTreeSet;

use index::{DistributionFilename, ProjectName};
use metadata::{RoleName, Targets, Value};

use crate::Reason;

/// The member of a role that names the files it gives up with this version.
pub const WITHDRAWN: &str = "x-withdrawn";

/// The files that this version of a role gives up.
pub fn withdrawn(
    project: &ProjectName,
    role: &RoleName,
    document: &Targets,
) -> Result<BTreeSet<DistributionFilename>, Reason> {
    let refused = |why| Reason::Withdrawal {
        role: role.clone(),
        why,
    };
    let files = match document.extra.get(WITHDRAWN) {
        None => return Ok(BTreeSet::new()),
        Some(Value::Array(files)) => files,
        Some(_) => return Err(refused("is no list".to_owned())),
    };
    let mut names = BTreeSet::new();
    for file in files {
        let text = file
            .as_str()
            .ok_or_else(|| refused("names what is no text".to_owned()))?;
        let name = DistributionFilename::parse_for(text, project)
            .map_err(|error| refused(error.to_string()))?;
        if !names.insert(name) {
            return Err(refused(format!("names {text} twice")));
        }
    }
    Ok(names)
}

/// The value of the member [`WITHDRAWN`].
#[must_use]
pub fn withdrawn_value(files: &BTreeSet<DistributionFilename>) -> Value {
    let names = files.iter().map(|file| Value::String(file.to_string()));
    Value::Array(names.collect())
}
