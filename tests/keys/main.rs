//! Every back end of keys, with every kind of key it has, signs what `ring` and python-tuf's
//! securesystemslib verify; and an index whose online key lives in one is signed and read.

// The tests of `countersign-keys` have the machinery; they know their crate by its full name.
extern crate keys as countersign_keys;

#[allow(dead_code, reason = "the tests of the crate use the rest")]
#[path = "../../crates/keys/tests/real/common.rs"]
mod common;
#[allow(dead_code)]
#[path = "../../crates/keys/tests/pkcs11/hsm.rs"]
mod hsm;
#[allow(dead_code)]
#[path = "../../crates/keys/tests/real/ssh_agent.rs"]
mod ssh_agent;

mod indexes;
mod table;
