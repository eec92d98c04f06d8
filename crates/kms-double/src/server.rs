//! The running double: a listener on loopback, and the levers a test pulls.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustls::ServerConfig;

use crate::ambient;
use crate::fault::Fault;
use crate::keys::{KeySpec, KeyState};
use crate::service::Shared;
use crate::state::{Action, Call, Credentials, Injected, Key, Rate, State, arn};
use crate::tls;

/// A key service of one's own. Stops when it is dropped.
pub struct KmsDouble {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl KmsDouble {
    /// Starts one on a free port of loopback, with one pair of credentials and no keys.
    pub fn start() -> io::Result<Self> {
        Self::listen(None)
    }

    /// The same over TLS, with a certificate and its key in PEM files.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> io::Result<Self> {
        tls::config(certificate, key)
            .map(Some)
            .and_then(Self::listen)
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let mut credentials = vec![Credentials {
            access_key: "AKIAEXAMPLE".to_owned(),
            secret_key: "planted+secret/of+the+double".to_owned(),
            session_token: None,
        }];
        credentials.extend(ambient::temporary());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                credentials,
                ..State::default()
            }),
            stopped: AtomicBool::new(false),
            tls,
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new()
            .name("kms-double".to_owned())
            .spawn(move || accepting.accept(&listener))?;
        Ok(Self { address, shared })
    }

    /// Makes a key and returns its id.
    #[must_use]
    pub fn create_key(&self, spec: KeySpec) -> String {
        let material = Arc::new(spec.generate());
        let mut state = self.state();
        let id = format!("1234abcd-12ab-34cd-56ef-{:012}", state.keys.len());
        let key = Key {
            arn: arn(&id),
            spec,
            state: KeyState::Enabled,
            material,
        };
        state.keys.insert(id.clone(), key);
        id
    }

    /// Makes an alias (`alias/NAME`) of a key, or points it to another key.
    pub fn point_alias(&self, alias: &str, id: &str) {
        self.state().aliases.insert(alias.to_owned(), id.to_owned());
    }

    /// Enables, disables or condemns a key.
    pub fn set_state(&self, id: &str, state: KeyState) {
        self.state().keys.get_mut(id).unwrap().state = state;
    }

    /// Gives a key other material under the same id, which the real service never does.
    pub fn replace_material(&self, id: &str) {
        let mut state = self.state();
        let key = state.keys.get_mut(id).unwrap();
        key.material = Arc::new(key.spec.generate());
    }

    /// Lets the key policy deny an action on all keys.
    pub fn deny(&self, action: Action) {
        self.state().denied.push(action);
    }

    /// Lets the next `times` requests for `action` go wrong.
    pub fn inject(&self, action: Action, fault: Fault, times: u32) {
        self.state().faults.push(Injected {
            action,
            fault,
            left: times,
        });
    }

    /// Throttles what exceeds `per_second` requests.
    pub fn limit_rate(&self, per_second: u32) {
        self.state().rate = Some(Rate::new(per_second));
    }

    /// Where it listens, as the `endpoint` of a key URI.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The permanent credentials it accepts.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.state().credentials[0].clone()
    }

    /// Its permanent credentials as a shared credentials file, profile `default`.
    #[must_use]
    pub fn credentials_file(&self) -> String {
        let Credentials {
            access_key,
            secret_key,
            ..
        } = self.credentials();
        format!(
            "[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
        )
    }

    /// The requests that passed authentication so far, those that were made to fail included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many requests for `action` passed authentication so far.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        let state = self.state();
        state
            .calls
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    /// The most requests that were being answered at once since [`Self::forget_peak`].
    #[must_use]
    pub fn peak(&self) -> usize {
        self.state().peak
    }

    /// Starts measuring [`Self::peak`] anew.
    pub fn forget_peak(&self) {
        self.state().peak = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for KmsDouble {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the listener, which then ends; it has nothing to say.
        let _ = TcpStream::connect(self.address);
    }
}
