//! Credentials for private indexes: what the user's netrc file has for the host, else what the keyring has
//! for the user whom the URL names. They go to that host and to no other, and only where nobody on the
//! way can read them; a redirect to another host leaves them behind (in `reqwest`).

use client::is_safe_on_the_way;
use url::Url;

use crate::keyring::KeyringProvider;
use crate::netrc;

/// The URL with the credentials for its host, if there are some and the URL has no password itself.
pub(crate) fn with_credentials(url: &Url, keyring: KeyringProvider) -> Url {
    let mut url = url.clone();
    if !is_safe_on_the_way(&url) || url.password().is_some() {
        return url;
    }
    // Only URLs without a host refuse what is set here.
    if let Some(found) = netrc::credentials(&url) {
        let _ = url.set_username(&found.login);
        let _ = url.set_password(Some(&found.password));
    } else if let Some(password) = keyring.password(&url) {
        let _ = url.set_password(Some(&password));
    }
    url
}

/// The same for two URLs; the keyring is asked once if both are at one host.
pub(crate) fn with_credentials_both(
    (one, other): (&Url, &Url),
    keyring: KeyringProvider,
) -> (Url, Url) {
    let first = with_credentials(one, keyring);
    let is_same = one.origin() == other.origin() && one.username() == other.username();
    if !is_same || first.password().is_none() || other.password().is_some() {
        return (first, with_credentials(other, keyring));
    }
    let mut second = other.clone();
    let _ = second.set_username(first.username());
    let _ = second.set_password(first.password());
    (first, second)
}
