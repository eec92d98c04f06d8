//! The store in a bucket, against an S3 server by others: what it promises, what the network does to it,
//! and what becomes of an index on top of it.

mod crash;
mod faults;
mod machines;
mod programs;
mod rivals;
mod stage;
mod store;
mod timestamp_only;
mod uploads;
