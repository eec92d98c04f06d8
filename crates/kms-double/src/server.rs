//! The running double: a listener on loopback, and the levers a test pulls.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

use crate::ambient;
use crate::answer::{Answer, Refusal};
use crate::fault::Fault;
use crate::http::{self, Request};
use crate::keys::{KeySpec, KeyState};
use crate::operations::{self, SignRequest};
use crate::sigv4;
use crate::state::{Action, Call, Credentials, Injected, Key, Rate, State, arn};

/// A key service of one's own. Stops when it is dropped.
pub struct KmsDouble {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    stopped: AtomicBool,
}

impl KmsDouble {
    /// Starts one on a free port of loopback, with one pair of credentials and no keys.
    pub fn start() -> io::Result<Self> {
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
        format!("http://{}", self.address)
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

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // A connection that breaks is the caller's business.
                let _ = http::serve(&stream, |request| shared.answer(request));
            });
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        if let Some(answer) = ambient::answer(request) {
            return answer;
        }
        {
            let mut state = self.state();
            state.under_way += 1;
            state.peak = state.peak.max(state.under_way);
        }
        let answer = self.kms(request).unwrap_or_else(Answer::from);
        self.state().under_way -= 1;
        answer
    }

    fn kms(&self, request: &Request) -> Result<Answer, Refusal> {
        let access_key = {
            let state = self.state();
            sigv4::check(request, &state.credentials)?
                .access_key
                .clone()
        };
        let action = request
            .header("x-amz-target")
            .and_then(Action::from_target)
            .filter(|_| (request.method.as_str(), request.target.as_str()) == ("POST", "/"))
            .ok_or_else(|| Refusal::new("UnknownOperationException", ""))?;
        if request.header("content-type") != Some("application/x-amz-json-1.1") {
            return Err(Refusal::new("SerializationException", "wrong content type"));
        }
        let input: Value = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
        let fault = self.record(action, &input, access_key);
        if let Some(answer) = fault.as_ref().and_then(spoiled) {
            return Ok(answer);
        }
        if let Some(Fault::Delay(time)) = fault {
            thread::sleep(time);
        }
        self.perform(action, &input, fault.as_ref())
            .map(|value| Answer::json(200, &value))
    }

    /// Notes the call and takes the fault that is due.
    fn record(&self, action: Action, input: &Value, access_key: String) -> Option<Fault> {
        let signing = SignRequest::read(input).ok();
        let mut state = self.state();
        state.calls.push(Call {
            action,
            key: input["KeyId"].as_str().unwrap_or_default().to_owned(),
            message_length: signing.as_ref().map_or(0, |request| request.message.len()),
            message_type: signing
                .map(|request| request.message_type)
                .unwrap_or_default(),
            access_key,
        });
        state.take_fault(action)
    }

    fn perform(
        &self,
        action: Action,
        input: &Value,
        fault: Option<&Fault>,
    ) -> Result<Value, Refusal> {
        let named = operations::key_id(input)?;
        let usable = operations::usable(&self.state(), named, action)?;
        match action {
            Action::GetPublicKey => operations::public_key(&usable, fault),
            Action::Sign => operations::sign(&usable, &SignRequest::read(input)?, fault),
            Action::DescribeKey => Ok(operations::describe(self.state().key(named)?)),
        }
    }
}

/// The answer of a fault that leaves nothing of the right one.
fn spoiled(fault: &Fault) -> Option<Answer> {
    Some(match fault {
        Fault::Refuse {
            status,
            code,
            message,
        } => Answer::from(Refusal {
            status: *status,
            code,
            message: (*message).to_owned(),
        }),
        Fault::Disconnect => Answer::Disconnect,
        Fault::NotJson => Answer::text(200, "text/html", "<html>please log in</html>"),
        Fault::Flood(bytes) => Answer::text(200, "application/x-amz-json-1.1", vec![b' '; *bytes]),
        _ => return None,
    })
}
