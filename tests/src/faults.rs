//! A network that misbehaves on demand, between a program and the S3 server: it delays, drops, cuts and
//! answers in the server's place. One request for each connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request, as far as a plan may care.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The names and values of its headers, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub length: usize,
}

impl Asked {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It goes through.
    None,
    /// It goes through later.
    Delay(Duration),
    /// This status is the answer; the server never hears of it.
    Status(u16),
    /// The connection ends before the server hears of it.
    Lost,
    /// The server does it, and the connection ends before its answer.
    Unanswered,
    /// The server gets half of the body, then the connections end.
    Cut,
    /// It goes through without its conditions, as to a server that knows none.
    Unconditional,
}

type Plan = Box<dyn FnMut(&Asked) -> Fault + Send>;

/// The network.
pub struct Faults {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    seen: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
}

impl Faults {
    /// Leads to `server` by a plan that is asked for each request.
    #[must_use]
    pub fn before(server: u16, plan: impl FnMut(&Asked) -> Fault + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(plan)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let faults = Self {
            port,
            plan: Arc::clone(&plan),
            seen: Arc::clone(&seen),
            ended: Arc::clone(&ended),
        };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (plan, seen) = (Arc::clone(&plan), Arc::clone(&seen));
                // A connection that fails is what this is for.
                std::thread::spawn(move || drop(serve(client, server, &plan, &seen)));
            }
        });
        faults
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Another plan from now on.
    pub fn plan(&self, plan: impl FnMut(&Asked) -> Fault + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// What was asked so far; forgotten with this.
    #[must_use]
    pub fn seen(&self) -> Vec<Asked> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve(
    mut client: TcpStream,
    server: u16,
    plan: &Mutex<Plan>,
    seen: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (received, mut body) = read_head(&mut client)?;
    let asked = parse(&received);
    if asked.header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let begun = body.len();
    body.resize(asked.length, 0);
    client.read_exact(&mut body[begun..])?;
    seen.lock().unwrap().push(asked.clone());
    let fault = plan.lock().unwrap()(&asked);
    match fault {
        Fault::Delay(pause) => std::thread::sleep(pause),
        Fault::Status(status) => {
            let body = format!("<Error><Code>Fault{status}</Code></Error>");
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n");
            let end = "connection: close\r\ncontent-type: application/xml\r\n\r\n";
            return client.write_all(format!("{head}{end}{body}").as_bytes());
        }
        Fault::Lost => return client.shutdown(Shutdown::Both),
        Fault::None | Fault::Unanswered | Fault::Cut | Fault::Unconditional => {}
    }
    let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    upstream.set_nodelay(true)?;
    let sent = if fault == Fault::Cut {
        &body[..body.len() / 2]
    } else {
        &body[..]
    };
    // None of these headers is among those that have to be signed.
    let mut head = received.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    if fault == Fault::Unconditional {
        head = head.replace("\r\nif-", "\r\nx-no-if-");
    }
    upstream.write_all(&[head.as_bytes(), sent].concat())?;
    if fault == Fault::Cut {
        upstream.shutdown(Shutdown::Both)?;
        return client.shutdown(Shutdown::Both);
    }
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if fault == Fault::Unanswered {
        return client.shutdown(Shutdown::Both);
    }
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Write)
}

fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1 << 14];
    loop {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
    }
}

fn parse(head: &str) -> Asked {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut next = || first.next().unwrap_or_default().to_owned();
    let (method, target) = (next(), next());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut asked = Asked {
        method,
        target,
        headers,
        length: 0,
    };
    let length = asked.header("content-length");
    asked.length = length.map_or(0, |length| length.parse().unwrap());
    asked
}

/// Asks a server on loopback without credentials; the whole answer as text.
#[must_use]
pub fn ask(port: u16, method: &str, target: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
