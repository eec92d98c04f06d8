//! Lines from a child, within limits: nothing it writes may fill memory or a log.

use std::io::{self, BufRead};

/// What [`read_line`] found.
pub(super) enum Line {
    /// A whole line, without its end.
    Whole(Vec<u8>),
    /// More than the limit without a line end; the rest is still unread.
    TooLong,
    /// The end of the output.
    End,
}

/// Reads one line of at most `limit` bytes.
pub(super) fn read_line(source: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let piece = match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if piece.is_empty() {
            return Ok(if line.is_empty() {
                Line::End
            } else {
                Line::Whole(line)
            });
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(piece.len());
        if line.len() + length > limit {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(&piece[..length]);
        source.consume(end.map_or(length, |end| end + 1));
        if end.is_some() {
            return Ok(Line::Whole(line));
        }
    }
}

/// Passes over the rest of a line.
pub(super) fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let piece = source.fill_buf()?;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(piece.len(), |end| end + 1);
        source.consume(length);
        if length == 0 || end.is_some() {
            return Ok(());
        }
    }
}

/// Makes a child's words fit for a terminal: no control characters, at most `limit` characters.
pub(super) fn printable(bytes: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stops_at_the_limit() {
        let mut source = &b"12345\n123456\n1"[..];
        assert!(matches!(read_line(&mut source, 5), Ok(Line::Whole(line)) if line == b"12345"));
        assert!(matches!(read_line(&mut source, 5), Ok(Line::TooLong)));
        skip_line(&mut source).unwrap();
        assert!(matches!(read_line(&mut source, 5), Ok(Line::Whole(line)) if line == b"1"));
        assert!(matches!(read_line(&mut source, 5), Ok(Line::End)));
    }

    #[test]
    fn words_are_made_printable() {
        assert_eq!(printable(b"a\x1b[31mb\xff\r\n", 100), "a [31mb\u{fffd}");
        assert_eq!(printable("üüü".as_bytes(), 2), "üü");
    }

    proptest! {
        #[test]
        fn reads_the_lines_there_are(text in "([a-z]{0,9}\n){0,5}", buffer in 1usize..9) {
            let mut source = io::BufReader::with_capacity(buffer, text.as_bytes());
            let mut lines = Vec::new();
            while let Line::Whole(line) = read_line(&mut source, 9).unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
            prop_assert_eq!(lines, text.lines().collect::<Vec<_>>());
        }
    }
}
