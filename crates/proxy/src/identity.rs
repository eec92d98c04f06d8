//! How a proxy proves that it is this user's own. A port of loopback can be taken by any user of the
//! machine: whoever answers there has to know a key that stands in a file of mode 0600.
//!
//! The answer is bound to the address at which the question arrived: another user's program cannot
//! pass the question on to the true proxy at another port and return its answer. It is also bound to
//! the trust anchor, so that a proxy for another index is not taken for this one.

use std::io;
use std::net::SocketAddr;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Before everything that is answered, so that an answer means nothing else anywhere.
const CONTEXT: &str = "countersign proxy challenge v1";

/// Bytes of the key and of a question.
const LENGTH: usize = 32;

/// What a proxy proves.
#[derive(Clone)]
pub struct Identity {
    key: hmac::Key,
    anchor: String,
}

/// A question that is asked once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

/// A new key, to be kept in a file that only its owner reads.
pub fn new_key() -> io::Result<Zeroizing<[u8; LENGTH]>> {
    let mut key = Zeroizing::new([0; LENGTH]);
    let filled = SystemRandom::new().fill(&mut *key);
    filled.map_err(|_| io::Error::other("the system gave no random bytes"))?;
    Ok(key)
}

impl Identity {
    /// The identity of a user's proxy for a trust anchor.
    #[must_use]
    pub fn new(key: &[u8; LENGTH], anchor: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            anchor: anchor.to_owned(),
        }
    }

    /// The answer to a challenge that came to `address`; `None` if it is none.
    #[must_use]
    pub fn answer(&self, challenge: &str, address: SocketAddr) -> Option<String> {
        let is_one =
            challenge.len() == 2 * LENGTH && challenge.bytes().all(|it| it.is_ascii_hexdigit());
        is_one.then(|| {
            let message = self.message(challenge, address);
            hex::encode(hmac::sign(&self.key, message.as_bytes()))
        })
    }

    /// Whether `answer` is the one to a challenge that was sent to `address`.
    #[must_use]
    pub fn accepts(&self, challenge: &Challenge, address: SocketAddr, answer: &str) -> bool {
        let message = self.message(&challenge.0, address);
        hex::decode(answer.trim())
            .is_ok_and(|tag| hmac::verify(&self.key, message.as_bytes(), &tag).is_ok())
    }

    fn message(&self, challenge: &str, address: SocketAddr) -> String {
        format!("{CONTEXT}\n{challenge}\n{address}\n{}", self.anchor)
    }
}

impl Challenge {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        Ok(Self(hex::encode(*new_key()?)))
    }

    /// Where to ask it, below the proxy's address.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/+countersign/challenge/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_address_and_anchor_answer() {
        let here: SocketAddr = "127.0.0.1:8432".parse().unwrap();
        let elsewhere: SocketAddr = "127.0.0.1:8433".parse().unwrap();
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let ours = Identity::new(&key, "main");
        let challenge = Challenge::new().unwrap();
        let answer = ours.answer(&challenge.0, here).unwrap();
        assert!(ours.accepts(&challenge, here, &answer));
        assert!(!ours.accepts(&challenge, elsewhere, &answer));
        assert!(!ours.accepts(&Challenge::new().unwrap(), here, &answer));
        assert!(!Identity::new(&other, "main").accepts(&challenge, here, &answer));
        assert!(!Identity::new(&key, "else").accepts(&challenge, here, &answer));
        for wrong in ["", "00", &"é".repeat(32), &"+1".repeat(32), &answer[1..]] {
            assert!(!ours.accepts(&challenge, here, wrong), "{wrong}");
            assert_eq!(ours.answer(wrong, here), None);
        }
    }
}
