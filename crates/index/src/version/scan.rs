//! The grammar of versions (PEP 440 "Appendix B"), read from left to right.

use super::{Dev, Key, Local, Pre};

pub(super) const FORM: &str = "is not of the form of PEP 440";
const NUMBER: &str = "has a number above 2^64";

/// What is left of a version in lower case. Each method takes its part or leaves all in place.
pub(super) struct Scan<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Scan<'a> {
    /// The release as written, and the key.
    pub(super) fn version(&mut self) -> Result<(Vec<u64>, Key), &'static str> {
        self.literal("v");
        let mut first = self.number()?;
        let mut epoch = 0;
        if self.literal("!") {
            epoch = first;
            first = self.number()?;
        }
        let release = self.release(first)?;
        let pre = self.pre()?;
        let post = self.post()?;
        let dev = match self.tagged(&["dev"])? {
            Some((_, number)) => Dev::Number(number),
            None => Dev::None,
        };
        let local = if self.literal("+") {
            Some(self.local()?)
        } else {
            None
        };
        let pre = match (pre, post, dev) {
            (Pre::None, None, Dev::Number(_)) => Pre::DevOfFinal,
            _ => pre,
        };
        let significant = significant(&release).to_vec();
        let key = Key {
            epoch,
            release: significant,
            pre,
            post,
            dev,
            local,
        };
        Ok((release, key))
    }

    /// The numbers between dots, after the first.
    fn release(&mut self, first: u64) -> Result<Vec<u64>, &'static str> {
        let mut release = vec![first];
        while self.rest.strip_prefix('.').is_some_and(starts_with_digit) {
            self.literal(".");
            release.push(self.number()?);
        }
        Ok(release)
    }

    fn pre(&mut self) -> Result<Pre, &'static str> {
        let spellings = ["alpha", "a", "beta", "b", "preview", "pre", "rc", "c"];
        Ok(match self.tagged(&spellings)? {
            None => Pre::None,
            Some((0 | 1, number)) => Pre::Alpha(number),
            Some((2 | 3, number)) => Pre::Beta(number),
            Some((_, number)) => Pre::Candidate(number),
        })
    }

    /// `-N`, or a tag like the others.
    fn post(&mut self) -> Result<Option<u64>, &'static str> {
        if self.rest.strip_prefix('-').is_some_and(starts_with_digit) {
            self.literal("-");
            return self.number().map(Some);
        }
        Ok(self
            .tagged(&["post", "rev", "r"])?
            .map(|(_, number)| number))
    }

    /// An optional separator, one of `tags`, an optional separator, an optional number (0 if
    /// absent). `None`: there is no such tag here.
    fn tagged(&mut self, tags: &[&str]) -> Result<Option<(usize, u64)>, &'static str> {
        let start = self.rest;
        self.separator();
        let Some(which) = tags.iter().position(|tag| self.literal(tag)) else {
            self.rest = start;
            return Ok(None);
        };
        self.separator();
        let number = if starts_with_digit(self.rest) {
            self.number()?
        } else {
            0
        };
        Ok(Some((which, number)))
    }

    fn local(&mut self) -> Result<Vec<Local>, &'static str> {
        let mut parts = Vec::new();
        loop {
            let part = self.take_while(|b| b.is_ascii_alphanumeric());
            parts.push(if part.is_empty() {
                return Err(FORM);
            } else if part.bytes().all(|b| b.is_ascii_digit()) {
                Local::Number(part.parse().map_err(|_| NUMBER)?)
            } else {
                Local::Text(part.to_owned())
            });
            if !self.separator() {
                return Ok(parts);
            }
        }
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        if !starts_with_digit(self.rest) {
            return Err(FORM);
        }
        self.take_while(|b| b.is_ascii_digit())
            .parse()
            .map_err(|_| NUMBER)
    }

    fn separator(&mut self) -> bool {
        self.literal("-") || self.literal("_") || self.literal(".")
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'a str {
        let end = self
            .rest
            .bytes()
            .position(|b| !is_part(b))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn literal(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// Without the zeros at the end, which make no difference to the order.
fn significant(release: &[u64]) -> &[u64] {
    let end = release
        .iter()
        .rposition(|part| *part != 0)
        .map_or(0, |at| at + 1);
    &release[..end]
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}
