//! Signers without network. The only crate that sees private keys.
