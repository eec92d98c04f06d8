//! Why a bucket cannot be used, and what its answers mean for the store.

use std::error::Error;
use std::fmt;
use std::io;

use object_store::Error as Answer;
use repository::{StoreError, StorePath};

/// Why a bucket was not opened.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Not the address of a bucket.
    #[error("`{given}` is not a bucket: {why}")]
    Place {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An endpoint that would send credentials in the clear.
    #[error("the endpoint `{given}` is refused: {why}")]
    Endpoint {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No client could be made.
    #[error("could not prepare the connection to {bucket}")]
    Connection {
        /// The bucket.
        bucket: String,
        /// Why.
        source: Fault,
    },
    /// There are no credentials, or their file cannot be read.
    #[error("could not find the credentials of AWS")]
    Credentials {
        /// What the system said.
        source: io::Error,
    },
    /// Nothing says where the bucket is.
    #[error("no region is named for the bucket")]
    NoRegion,
    /// The threads for the network did not start.
    #[error("could not start a thread for the network")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// That thread ended.
    #[error("the thread for the network ended; a defect")]
    Ended,
    /// The bucket cannot be reached, or does not let this program in.
    #[error("could not {doing} {bucket}")]
    Unusable {
        /// What was tried.
        doing: &'static str,
        /// The bucket.
        bucket: String,
        /// What it answered.
        source: Fault,
    },
    /// The bucket overwrites what a condition protects.
    #[error("{bucket} ignores `{condition}`: two signers could overwrite each other there")]
    NoConditions {
        /// The bucket.
        bucket: String,
        /// The header that had no effect.
        condition: &'static str,
    },
    /// The bucket answers 403 where an object is missing.
    #[error("{bucket} denies what it should not find: clients could not tell the newest root")]
    MissingIsDenied {
        /// The bucket.
        bucket: String,
    },
}

/// What a bucket answered, or why it did not, in one line. It comes from the network, so it is cut and
/// freed of control characters.
#[derive(Debug)]
pub struct Fault(String);

/// Longest text of an answer that is shown, in bytes.
const SHOWN: usize = 400;

impl Fault {
    pub(crate) fn new(error: &dyn Error) -> Self {
        // The innermost errors repeat what the outer ones say.
        let mut text = String::new();
        for char in error.to_string().chars() {
            let char = if char.is_control() { ' ' } else { char };
            if text.len() + char.len_utf8() > SHOWN {
                text.push('…');
                break;
            }
            if char != ' ' || !text.ends_with(' ') {
                text.push(char);
            }
        }
        Self(text)
    }

    pub(crate) fn no_tag() -> Self {
        Self("the answer has no entity tag".to_owned())
    }

    pub(crate) fn panicked() -> Self {
        Self("the request was given up".to_owned())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Fault {}

/// Whether the bucket said that this program may not do that.
pub(crate) fn is_denied(error: &Answer) -> bool {
    matches!(
        error,
        Answer::PermissionDenied { .. } | Answer::Unauthenticated { .. }
    )
}

/// The system's word for a request that failed.
pub(crate) fn as_io(error: &Answer) -> io::Error {
    let kind = if is_denied(error) {
        io::ErrorKind::PermissionDenied
    } else {
        io::ErrorKind::Other
    };
    io::Error::new(kind, Fault::new(error))
}

/// The store's word for a request that failed.
pub(crate) fn failed(doing: &'static str, path: &StorePath) -> impl Fn(Answer) -> StoreError {
    let path = path.clone();
    move |error| {
        let source = Box::new(Fault::new(&error));
        let path = path.clone();
        if is_denied(&error) {
            StoreError::Denied {
                doing,
                path,
                source,
            }
        } else {
            StoreError::Remote {
                doing,
                path,
                source,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_in_one_line_of_bounded_length() {
        let long = format!(
            "<Error>\r\n\t<Code>\u{1b}[31mSlow</Code>{}",
            "ä".repeat(999)
        );
        let shown = Fault::new(&io::Error::other(long)).to_string();
        assert!(
            shown.starts_with("<Error> <Code> [31mSlow</Code>ää"),
            "{shown}"
        );
        assert!(shown.len() <= SHOWN + '…'.len_utf8());
    }
}
