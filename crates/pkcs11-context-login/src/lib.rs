//! Signing with PKCS#11 keys that want the PIN for every signature (`CKA_ALWAYS_AUTHENTICATE`).
//!
//! The login belongs between `C_SignInit` and `C_Sign` (PKCS#11 3.1, 5.6.8). `cryptoki` 0.12 makes
//! both in one step, and multi-part signing, which it splits, is not offered for ECDSA and `EdDSA`.
//! So `C_Sign` alone is called here. Nothing but this one call needs `unsafe`, and no other crate
//! of the workspace may use it.
#![allow(unsafe_code)]

use std::fmt;
use std::path::Path;

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_BYTE_PTR, CK_FUNCTION_LIST, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CK_ULONG_PTR,
};

/// Longest signature, in bytes: RSA with 8,192 bits.
const MAX_SIGNATURE: usize = 1024;

type Sign = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    CK_BYTE_PTR,
    CK_ULONG,
    CK_BYTE_PTR,
    CK_ULONG_PTR,
) -> CK_RV;

/// `C_Sign` of one module.
pub struct ContextLogin {
    sign: Sign,
    /// Keeps the code that `sign` points to in memory.
    _library: cryptoki_sys::Pkcs11,
}

/// The step of a signature that failed. Whatever it was, the session has to be closed: its signing
/// operation may still be active.
#[derive(Debug, thiserror::Error)]
pub enum ContextLoginError {
    /// `C_SignInit` failed.
    #[error("the token did not begin to sign")]
    Init(#[source] Error),
    /// The login failed; a wrong PIN shows here.
    #[error("the token did not accept the login for one signature")]
    Login(#[source] Error),
    /// `C_Sign` failed.
    #[error("the token did not sign")]
    Sign(#[source] Error),
}

impl ContextLogin {
    /// Finds `C_Sign` of a module, the file from which `cryptoki::context::Pkcs11` was made: the
    /// operating system then loads it once and both share its sessions.
    pub fn load(module: &Path) -> Result<Self, Error> {
        // SAFETY: loading a library runs its initializers. The same file has been loaded before by
        // `cryptoki`, on the word of the same operator, so this adds nothing to what could happen.
        let library = unsafe { cryptoki_sys::Pkcs11::new(module) }?;
        if library.C_GetFunctionList.is_err() {
            return Err(Error::MissingSymbol("C_GetFunctionList"));
        }
        let mut list: *mut CK_FUNCTION_LIST = std::ptr::null_mut();
        // SAFETY: the symbol exists, so the call does not panic; `list` is valid for one write.
        let answer = unsafe { library.C_GetFunctionList(&raw mut list) };
        Rv::from(answer).into_result(Function::GetFunctionList)?;
        // SAFETY: after CKR_OK the module has stored a pointer to its own static list, which lives
        // as long as the library is loaded; a null pointer becomes `None`.
        let list = unsafe { list.as_ref() };
        let sign = list.and_then(|list| list.C_Sign);
        Ok(Self {
            sign: sign.ok_or(Error::NullFunctionPointer)?,
            _library: library,
        })
    }

    /// Begins to sign, calls `login`, which must log in as
    /// [`cryptoki::session::UserType::ContextSpecific`], and signs `data`.
    pub fn sign(
        &self,
        session: &Session,
        mechanism: &Mechanism<'_>,
        key: ObjectHandle,
        login: impl FnOnce(&Session) -> Result<(), Error>,
        data: &[u8],
    ) -> Result<Vec<u8>, ContextLoginError> {
        session
            .sign_init(mechanism, key)
            .map_err(ContextLoginError::Init)?;
        login(session).map_err(ContextLoginError::Login)?;
        self.raw_sign(session, data)
            .map_err(ContextLoginError::Sign)
    }

    fn raw_sign(&self, session: &Session, data: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; MAX_SIGNATURE];
        let mut length = CK_ULONG::try_from(signature.len())?;
        let data_length = CK_ULONG::try_from(data.len())?;
        // SAFETY: `sign` lives as long as `self`, which holds its library. `data` is only read
        // (C_Sign takes it as input), `signature` is valid for `length` writes, `length` for one.
        // `Session` is not `Sync`, so no other thread uses the handle; a handle of another module
        // is refused by the callee like any unknown number.
        let answer = unsafe {
            (self.sign)(
                session.handle(),
                data.as_ptr().cast_mut(),
                data_length,
                signature.as_mut_ptr(),
                &raw mut length,
            )
        };
        Rv::from(answer).into_result(Function::Sign)?;
        signature.truncate(usize::try_from(length)?);
        Ok(signature)
    }
}

impl fmt::Debug for ContextLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextLogin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_an_error() {
        let missing = ContextLogin::load(Path::new("/nonexistent/module.so"));
        assert!(
            matches!(missing, Err(Error::LibraryLoading(_))),
            "{missing:?}"
        );
        let program = ContextLogin::load(&std::env::current_exe().unwrap());
        assert!(program.is_err(), "{program:?}");
    }
}
