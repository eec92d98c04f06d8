//! The signer behind `exec:`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};

use metadata::{KeyId, PublicKey, Signature, UnverifiedSignature};

use super::child::Child;
use super::protocol::{Request, VERSION, Wants};
use crate::file_key::unusable;
use crate::uri::is_program;
use crate::{
    ExecCommand, ExecError, ExecUri, KeyError, KeyUri, LoadOptions, SignatureCheck, Signer,
};

/// A key some other program holds.
pub(crate) struct ExecSigner {
    name: String,
    child: Child,
    wants: Wants,
    places: Places,
    public: PublicKey,
    keyid: KeyId,
    check: SignatureCheck,
}

impl ExecSigner {
    /// Starts the program and asks it for its abilities and its public key.
    pub(crate) fn open(uri: &ExecUri, options: LoadOptions) -> Result<Self, KeyError> {
        let name = KeyUri::Exec(uri.clone()).to_string();
        let failed = |source| exec_error(&name, source);
        let command = command(uri, options).map_err(failed)?;
        let log = options.child_log.map(|log| (name.clone(), log));
        let child = Child::start(command, options.environment, options.timeout, log);
        let child = child.map_err(failed)?;
        let hello = child.ask(Request::hello()).map_err(failed)?;
        let hello = hello
            .hello()
            .map_err(|why| failed(child.refuse("hello", why)))?;
        if hello.version != VERSION {
            return Err(failed(ExecError::Version {
                found: hello.version,
                known: VERSION,
            }));
        }
        let answer = child.ask(Request::public()).map_err(failed)?;
        let public = answer
            .public()
            .map_err(|why| failed(child.refuse("public", why)))?;
        if hello.wants == Wants::Digest && public.scheme() == "ed25519" {
            let scheme = public.scheme().to_owned();
            return Err(failed(ExecError::WantsDigest { scheme }));
        }
        Ok(Self {
            check: SignatureCheck::new(&public).map_err(|flaw| unusable(&name, flaw))?,
            keyid: public.id(),
            wants: hello.wants,
            places: Places::new(hello.at_once),
            child,
            public,
            name,
        })
    }
}

/// The command the operator's URI or configuration names.
fn command<'a>(uri: &'a ExecUri, options: LoadOptions<'a>) -> Result<&'a ExecCommand, ExecError> {
    let name = match uri {
        ExecUri::Command(command) => return Ok(command),
        ExecUri::Named(name) => name,
    };
    let found = options
        .exec_commands
        .iter()
        .find(|(known, command)| known == name && is_program(&command.program));
    found
        .map(|(_, command)| command)
        .ok_or_else(|| ExecError::NoCommand { name: name.clone() })
}

impl Signer for ExecSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn key_id(&self) -> &KeyId {
        &self.keyid
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let failed = |source| exec_error(&self.name, source);
        let request = Request::sign(message, self.wants);
        let answer = {
            let _place = self.places.take();
            self.child.ask(request).map_err(failed)?
        };
        let bytes = answer
            .signature()
            .map_err(|why| failed(self.child.refuse("sign", why)))?;
        self.check.accept(self, message, bytes)
    }

    /// As many at once as the child takes.
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Vec<UnverifiedSignature>, KeyError> {
        let threads = usize::from(self.places.count).min(messages.len()).max(1);
        let one = |message: &&[u8]| self.sign(message).map(UnverifiedSignature::from);
        // The thread that is `first` signs that document and every `threads`th after it.
        let share = |first: usize| {
            let mine = messages.iter().skip(first).step_by(threads);
            mine.map(one).collect::<Result<VecDeque<_>, _>>()
        };
        let mut shares = std::thread::scope(|scope| {
            let share = &share;
            let others: Vec<_> = (1..threads)
                .map(|first| scope.spawn(move || share(first)))
                .collect();
            let mut shares = vec![share(0)?];
            for other in others {
                let gone = || exec_error(&self.name, ExecError::Gone);
                shares.push(other.join().map_err(|_| gone())??);
            }
            Ok::<_, KeyError>(shares)
        })?;
        let in_order = (0..messages.len()).map(|at| shares[at % threads].pop_front());
        Ok(in_order.flatten().collect())
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for ExecSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecSigner({}, {})", self.name, self.keyid)
    }
}

fn exec_error(key: &str, source: ExecError) -> KeyError {
    KeyError::Exec {
        key: key.to_owned(),
        source,
    }
}

/// As many requests under way as the child takes at once.
struct Places {
    count: u16,
    free: Mutex<u16>,
    freed: Condvar,
}

struct Place<'a>(&'a Places);

impl Places {
    fn new(count: u16) -> Self {
        Self {
            count,
            free: Mutex::new(count),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place. Whoever has one gives it back within the time-out.
    fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
