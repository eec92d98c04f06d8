//! The store in an S3-compatible bucket, for an index that outgrows one machine (DESIGN §5).
//!
//! Immutable objects are created with `If-None-Match: *`, `timestamp.json` is replaced with `If-Match` on
//! the entity tag it had before the head moved. A bucket that does not honour both is refused. Writes run
//! in parallel, bounded in number and bytes, until the next flush; a pointer waits for all of them.
//! Listing is for sweeping and recovery alone.
//!
//! Objects are stored as they were signed: a bucket cannot negotiate a content coding, and clients ask for
//! none, because digests are over the bytes themselves. A CDN in front may compress on the way.
//!
//! Everything here was tested against an emulator on loopback, never against AWS itself.

mod attributes;
mod bucket;
mod caller;
mod connection;
mod copy;
mod error;
mod file;
mod parts;
mod pieces;
mod place;
mod probe;
mod transport;
mod uploads;
mod worker;
mod writes;

pub use bucket::Bucket;
pub use error::BucketError;
pub use place::{BucketPlace, Endpoint};
pub use uploads::BucketUploads;
