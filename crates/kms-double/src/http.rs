//! As much HTTP/1.1 as SDKs speak: requests with `Content-Length`, connections that are kept.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::answer::Answer;

/// Most bytes of a request line or header line, and of a body.
const MAX_LINE: u64 = 16 * 1024;
const MAX_BODY: usize = 64 * 1024;

/// A request as it came over the wire.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// Names in lower case, in the order received.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header that stands once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(found, _)| found == name);
        let value = values.next().map(|(_, value)| value.as_str());
        value.filter(|_| values.next().is_none())
    }
}

/// Answers the requests of one connection, one after another, until it ends.
pub(crate) fn serve(
    stream: impl Read + Write,
    answer: impl Fn(&Request) -> Answer,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        match answer(&request) {
            Answer::Disconnect => return Ok(()),
            Answer::Body {
                status,
                headers,
                body,
            } => write(reader.get_mut(), status, &headers, &body)?,
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Ok(None);
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map_or(Ok(0), str::parse)
        .map_err(|_| io::ErrorKind::InvalidData)?;
    if length > MAX_BODY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(MAX_LINE).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn write(stream: &mut impl Write, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    let mut answer = format!(
        "HTTP/1.1 {status} Answer\r\n{headers}content-length: {}\r\n\
         x-amzn-requestid: 00000000-0000-0000-0000-000000000000\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    stream.write_all(&answer)?;
    stream.flush()
}
