//! Keys on PKCS#11 tokens: smart cards, `YubiKeys`, HSMs, whatever has a module.
//!
//! The module is code that runs in this process, so it is named by an absolute path from the
//! operator's configuration or command line. What it answers is not trusted: every signature is
//! verified before it is handed out, and no PIN is sent twice or when it could lock the token.

mod error;
mod generate;
mod key;
mod list;
mod login;
mod module;
mod object;
mod public;
mod signing;
mod token;
mod uri;

use std::path::Path;

pub use error::{ObjectName, TokenError};
pub use generate::{NewTokenKey, TokenKeyType};
pub use key::Pkcs11Key;
pub use list::{TokenKey, TokenKeys, list_token_keys, show_token_key};
pub use token::{PinState, TokenInfo};
pub use uri::Pkcs11Uri;

/// What opening a key on a token takes beside its URI.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pkcs11Options<'a> {
    /// The module for URIs without `module-path`.
    pub module: Option<&'a Path>,
    /// Send the PIN even if a wrong one would lock the token.
    pub force_last_attempt: bool,
}

impl<'a> Pkcs11Options<'a> {
    /// The module of a URI.
    fn module(self, uri: &'a Pkcs11Uri) -> Result<&'a Path, TokenError> {
        let named = uri.module_path.as_deref().or(self.module);
        named.ok_or(TokenError::NoModule)
    }
}
