//! Key URIs on a command line. A PIN has no place in one (RFC 7512 `pin-value`); where somebody puts one
//! all the same, the refusal does not repeat it.

use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Reads values that name keys; as clap would, but for errors about a PIN.
#[derive(Clone, Copy, Debug)]
pub struct NamesKeys<T>(PhantomData<T>);

impl<T> NamesKeys<T> {
    /// Reads values of this type.
    #[must_use]
    pub fn parser() -> Self {
        Self(PhantomData)
    }
}

impl<T> TypedValueParser for NamesKeys<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Display + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let plain = |text: &str| text.parse::<T>();
        let text = value.to_string_lossy();
        if !text.to_ascii_lowercase().contains("pin-value") {
            return plain.parse_ref(command, arg, value).map_err(|error| {
                if text.contains(':') {
                    return error;
                }
                let name = arg.map(ToString::to_string).unwrap_or_default();
                let words = format!(
                    "invalid value '{text}' for '{name}': no key URI; a key file is `file:{text}`\n\nFor more information, try '--help'.\n"
                );
                Error::raw(ErrorKind::ValueValidation, words).with_cmd(command)
            });
        }
        plain(&text).map_err(|error| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let words = format!("invalid value for '{name}': {error}\n");
            Error::raw(ErrorKind::ValueValidation, words).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use keys::KeyUri;

    use super::*;

    #[test]
    fn a_pin_in_a_uri_is_not_repeated() {
        let read = |text: &str| {
            let parser = NamesKeys::<KeyUri>::parser();
            let read = parser.parse_ref(&Command::new("test"), None, OsStr::new(text));
            read.map(|uri| uri.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("pkcs11:token=a").unwrap(), "pkcs11:token=a");
        assert!(read("gpg:me").unwrap_err().contains("'gpg:me'"));
        let told = read("bo-root.pem").unwrap_err();
        assert!(told.contains("a key file is `file:bo-root.pem`"), "{told}");
        for uri in [
            "pkcs11:?pin-value=4711",
            "pkcs11:PIN-VALUE=4711",
            "pin-value=4711",
        ] {
            let told = read(uri).unwrap_err();
            assert!(!told.contains("4711"), "{told}");
        }
        let told = read("pkcs11:?pin-value=4711").unwrap_err();
        assert!(told.contains("others can see it"), "{told}");
    }
}
