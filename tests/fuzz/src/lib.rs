//! The bodies of the fuzz targets and the simulator they use, as they stand in the package `countersign-tests`,
//! which replays the kept corpus through them: compiled again here, without the rest of that package.

#[path = "../../src/fuzz_bodies/mod.rs"]
mod fuzz_bodies;
#[path = "../../src/simulator/mod.rs"]
pub mod simulator;

pub use fuzz_bodies::*;
