//! The shared library that drives tokens, loaded once per process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use pkcs11_context_login::ContextLogin;

use super::login::RefusedPins;
use super::token::{Token, TokenInfo, lock};
use super::{Pkcs11Uri, TokenError};

/// A loaded module. PKCS#11 knows one application per process: it is initialized once, never
/// finalized, and whoever logs in does so for all keys on the token.
pub(super) struct Module {
    pub(super) api: Pkcs11,
    pub(super) context_login: ContextLogin,
    pub(super) path: PathBuf,
    /// Held while logging in, so that two threads do not spend two attempts.
    pub(super) refused: Mutex<RefusedPins>,
    tokens: Mutex<Vec<Weak<Token>>>,
}

/// Every module of this process.
static MODULES: Mutex<Vec<Arc<Module>>> = Mutex::new(Vec::new());

impl Module {
    /// Returns the module at `path`, loading it at the first time.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, TokenError> {
        let mut modules = lock(&MODULES);
        if let Some(module) = modules.iter().find(|module| module.path == path) {
            return Ok(Arc::clone(module));
        }
        let module = Self::start(path).map_err(|source| TokenError::Module {
            path: path.to_owned(),
            source,
        })?;
        modules.push(Arc::new(module));
        Ok(Arc::clone(&modules[modules.len() - 1]))
    }

    fn start(path: &Path) -> Result<Self, Error> {
        let api = Pkcs11::new(path)?;
        let context_login = ContextLogin::load(path)?;
        let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match api.initialize(locking) {
            // The same library under another name.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            api,
            context_login,
            path: path.to_owned(),
            refused: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    /// Every initialized token that is there now. One that cannot be asked is as good as absent:
    /// it must not hide the others.
    pub(super) fn tokens(&self) -> Result<Vec<TokenInfo>, TokenError> {
        let slots = self.api.get_slots_with_token();
        let slots = slots.map_err(TokenError::failed("list its slots"))?;
        let info = |slot| {
            let info = self.api.get_token_info(slot).ok()?;
            info.token_initialized()
                .then(|| TokenInfo::new(slot, &info))
        };
        Ok(slots.into_iter().filter_map(info).collect())
    }

    /// The one token that the URI names.
    pub(super) fn find_token(self: &Arc<Self>, uri: &Pkcs11Uri) -> Result<Arc<Token>, TokenError> {
        let present = self.tokens()?;
        let matching = present.iter().filter(|token| token.matches(uri));
        match matching.collect::<Vec<_>>()[..] {
            [] => Err(TokenError::NoToken { present }),
            [token] => self.connect(token),
            ref several => Err(TokenError::SeveralTokens {
                matching: several.iter().map(|token| (*token).clone()).collect(),
            }),
        }
    }

    /// Opens a token, or returns it if it is open already: its login is shared anyway.
    pub(super) fn connect(self: &Arc<Self>, info: &TokenInfo) -> Result<Arc<Token>, TokenError> {
        let mut tokens = lock(&self.tokens);
        let open = tokens.iter().filter_map(Weak::upgrade);
        let mut same = open.filter(|token| {
            token.info.slot_id == info.slot_id && token.info.is_same(info) && token.is_alive()
        });
        if let Some(token) = same.next() {
            return Ok(token);
        }
        drop(same);
        let token = Arc::new(Token::connect(self, info)?);
        tokens.retain(|token| token.strong_count() > 0);
        tokens.push(Arc::downgrade(&token));
        Ok(token)
    }
}
