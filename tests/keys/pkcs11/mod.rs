//! Tokens, for real: `SoftHSM` through its module, and through a shim that adds what it lacks.

mod foreign;
mod objects;
mod pins;
mod shim;
mod signing;
mod tokens;
