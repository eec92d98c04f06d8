//! Decides whether received bytes are canonical already.

/// Decides in one scan whether `text` is one canonical JSON value: then it may be verified as it
/// stands. Canonical objects have strictly ascending keys, so no key stands twice in them.
#[must_use]
pub fn is_canonical(text: &[u8]) -> bool {
    let mut scan = Scan { rest: text };
    scan.value(MAX_DEPTH).is_some() && scan.rest.is_empty() && std::str::from_utf8(text).is_ok()
}

/// As deep as `serde_json` goes, which gives up at the 128th level; the scan recurses, so it needs a
/// bound of its own.
const MAX_DEPTH: usize = 127;

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(drop),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.integer(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.literal(b"{")?;
        if self.literal(b"}").is_some() {
            return Some(());
        }
        let mut previous: Option<&[u8]> = None;
        loop {
            let key = self.string()?;
            if previous.is_some_and(|previous| !ascending(previous, key)) {
                return None;
            }
            previous = Some(key);
            self.literal(b":")?;
            self.value(depth)?;
            if self.literal(b"}").is_some() {
                return Some(());
            }
            self.literal(b",")?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.literal(b"[")?;
        if self.literal(b"]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.literal(b"]").is_some() {
                return Some(());
            }
            self.literal(b",")?;
        }
    }

    /// The text between the quotes, escapes and all.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.literal(b"\"")?;
        let text = self.rest;
        let mut at = 0;
        loop {
            match *text.get(at)? {
                b'"' => break,
                b'\\' if matches!(text.get(at + 1)?, b'"' | b'\\') => at += 2,
                b'\\' => return None,
                _ => at += 1,
            }
        }
        self.rest = &text[at + 1..];
        Some(&text[..at])
    }

    /// An integer of 64 bits without sign of zero, leading zeros, fraction or exponent.
    fn integer(&mut self) -> Option<()> {
        let sign = usize::from(self.rest.first() == Some(&b'-'));
        let digits = self.rest[sign..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = std::str::from_utf8(&self.rest[..sign + digits]).ok()?;
        let canonical = match self.rest.get(sign)? {
            b'0' => sign == 0 && digits == 1,
            _ => number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok(),
        };
        self.rest = &self.rest[sign + digits..];
        canonical.then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }
}

/// Whether two keys, still escaped, are in strictly ascending order of their unescaped bytes.
fn ascending(first: &[u8], second: &[u8]) -> bool {
    if first.contains(&b'\\') || second.contains(&b'\\') {
        unescaped(first).lt(unescaped(second))
    } else {
        first < second
    }
}

fn unescaped(key: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut escaped = false;
    key.iter().copied().filter(move |byte| {
        escaped = !escaped && *byte == b'\\';
        !escaped
    })
}
