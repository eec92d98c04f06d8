//! Answers requests: authentication, faults, then the operation.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::ServerConfig;
use serde_json::Value;

use crate::ambient;
use crate::answer::{Answer, Refusal};
use crate::fault::Fault;
use crate::http::{self, Request};
use crate::operations::{self, SignRequest};
use crate::sigv4;
use crate::state::{Action, Call, State};
use crate::tls;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) stopped: AtomicBool,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // A connection that breaks is the caller's business.
                let _ = shared.serve(stream);
            });
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let answer = |request: &Request| self.answer(request);
        match &self.tls {
            None => http::serve(&stream, answer),
            Some(config) => http::serve(tls::accept(config, stream)?, answer),
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
