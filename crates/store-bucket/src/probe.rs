//! Asked before a bucket is used: that conditions hold, and that what is missing is not found.
//!
//! Two signers are told apart by conditional puts alone (DESIGN §5). A client learns that there is no newer
//! root from a 404 (TUF 5.3.3); a bucket whose readers may not list it answers 403 instead.

use bytes::Bytes;
use object_store::{
    Error as Answer, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::BucketError;
use crate::connection::Connection;
use crate::error::{Fault, is_denied};

/// The object that is written to ask: where clients may read, under a name none of them asks for.
const PROBE: &str = "metadata/.conditions";
/// An object that never is.
const MISSING: &str = "metadata/0.root.json";
/// An entity tag that no bucket makes: theirs are digests.
const NO_TAG: &str = "\"no such tag\"";

/// Asks; after the first time nothing is written.
pub(crate) async fn check(connection: Connection) -> Result<(), BucketError> {
    let bucket = connection.place.to_string();
    let unusable = |doing, error: &Answer| BucketError::Unusable {
        doing,
        bucket: bucket.clone(),
        source: Fault::new(error),
    };
    let ignored = |condition| BucketError::NoConditions {
        bucket: bucket.clone(),
        condition,
    };
    let put = async |mode| {
        let payload = PutPayload::from(Bytes::from_static(b"countersign\n"));
        let options = PutOptions::from(mode);
        let key = connection.place.below(PROBE);
        connection.client.put_opts(&key, payload, options).await
    };
    // The first time it is made; the second time it is there.
    let mut is_there = false;
    for _ in 0..2 {
        match put(PutMode::Create).await {
            Err(Answer::AlreadyExists { .. }) => {
                is_there = true;
                break;
            }
            Err(error) => return Err(unusable("write to", &error)),
            Ok(_) => {}
        }
    }
    if !is_there {
        return Err(ignored("If-None-Match"));
    }
    let other = UpdateVersion {
        e_tag: Some(NO_TAG.to_owned()),
        version: None,
    };
    match put(PutMode::Update(other)).await {
        Err(Answer::Precondition { .. }) => {}
        Err(error) => return Err(unusable("write to", &error)),
        Ok(_) => return Err(ignored("If-Match")),
    }
    let missing = connection.place.below(MISSING);
    match connection.client.head(&missing).await {
        Err(Answer::NotFound { .. }) => {}
        // It let us write: this is no matter of credentials.
        Err(error) if is_denied(&error) => return Err(BucketError::MissingIsDenied { bucket }),
        Err(error) => return Err(unusable("read", &error)),
        Ok(_) => return Err(unusable("trust the answers of", &not_missing())),
    }
    // As anybody. Where not even what is there may be read, something else serves what is in the bucket.
    let Ok(anybody) = connection.unsigned() else {
        return Ok(());
    };
    match anybody.head(&connection.place.below(PROBE)).await {
        Ok(_) => match anybody.head(&missing).await {
            Err(error) if is_denied(&error) => Err(BucketError::MissingIsDenied { bucket }),
            _ => Ok(()),
        },
        Err(_) => Ok(()),
    }
}

fn not_missing() -> Answer {
    Answer::Generic {
        store: "S3",
        source: format!("{MISSING} is said to be there").into(),
    }
}
