//! Projects that a ceremony has claimed: moved from `recently-claimed` to an offline role, given other keys,
//! given back; and what the index refuses of that (PEP 480 "Producing Consistent Snapshots"; reference C.7,
//! C.9, F4, F29–F31; decision 0022).

mod dying;
mod given_back;
mod limits;
mod moved;
mod other_keys;
mod scene;
#[path = "../support/mod.rs"]
mod support;
