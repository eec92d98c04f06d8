//! Decides whether received bytes are canonical already, and takes such bytes apart while it looks:
//! in canonical text no key stands twice and no number is more than an integer, so nothing has to be
//! read a second time to know that.

/// Decides in one scan whether `text` is one canonical JSON value: then it may be verified as it
/// stands. Canonical objects have strictly ascending keys, so no key stands twice in them.
#[must_use]
pub fn is_canonical(text: &[u8]) -> bool {
    Scan::new(text).is_some_and(|mut scan| scan.value(MAX_DEPTH).is_some() && scan.is_at_end())
}

/// As deep as `serde_json` goes, which gives up at the 128th level; the scan recurses, so it needs a
/// bound of its own.
pub(crate) const MAX_DEPTH: usize = 127;

/// A walk over text that may be canonical JSON. Every step says `None` at the first byte that is not:
/// whoever walks then reads the text in the general way, which also knows what is wrong with it.
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

/// A string between its quotes, escapes and all.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> Quoted<'a> {
    /// What it says, if that needs no unescaping.
    pub(crate) fn plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.text)
    }
}

impl<'a> Scan<'a> {
    /// At the beginning of `text`, if that is UTF-8.
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(text).ok().map(Self::of)
    }

    /// At the beginning of `text`.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Steps as `step` does, or not at all.
    pub(crate) fn attempt<T>(&mut self, step: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let done = step(self);
        if done.is_none() {
            self.at = start;
        }
        done
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn bytes(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// What is before it.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over one value of at most `depth` levels.
    pub(crate) fn value(&mut self, depth: usize) -> Option<()> {
        match self.bytes().first()? {
            b'{' => {
                let inner = depth.checked_sub(1)?;
                self.object(|scan, _| scan.value(inner))
            }
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(drop),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.integer(),
        }
    }

    /// Steps over one value and gives its text.
    pub(crate) fn raw(&mut self, depth: usize) -> Option<&'a str> {
        let start = self.at;
        self.value(depth)?;
        self.text.get(start..self.at)
    }

    /// Steps over an object; `each` is told every key and steps over the value.
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Quoted<'a>) -> Option<()>,
    ) -> Option<()> {
        self.literal(b"{")?;
        if self.literal(b"}").is_some() {
            return Some(());
        }
        let mut previous: Option<Quoted<'a>> = None;
        loop {
            let key = self.string()?;
            if previous.is_some_and(|previous| !ascending(previous, key)) {
                return None;
            }
            previous = Some(key);
            self.literal(b":")?;
            each(self, key)?;
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

    fn string(&mut self) -> Option<Quoted<'a>> {
        self.literal(b"\"")?;
        let (rest, mut at, mut escaped) = (self.bytes(), 0, false);
        loop {
            at += quote_or_backslash(&rest[at..])?;
            if rest[at] == b'"' {
                break;
            }
            if !matches!(rest.get(at + 1)?, b'"' | b'\\') {
                return None;
            }
            escaped = true;
            at += 2;
        }
        let text = self.text.get(self.at..self.at + at)?;
        self.at += at + 1;
        Some(Quoted { text, escaped })
    }

    /// An integer of 64 bits without sign of zero, leading zeros, fraction or exponent.
    fn integer(&mut self) -> Option<()> {
        if self.bytes().first() != Some(&b'-') {
            return self.number().map(drop);
        }
        let start = self.at;
        self.literal(b"-")?;
        let digits = self.digits()?;
        let number = self.text.get(start..self.at)?;
        (!digits.starts_with('0') && number.parse::<i64>().is_ok()).then_some(())
    }

    /// The same, not negative; its value.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let digits = self.digits()?;
        (digits == "0" || !digits.starts_with('0'))
            .then(|| digits.parse().ok())
            .flatten()
    }

    fn digits(&mut self) -> Option<&'a str> {
        let digits = self.bytes().iter().take_while(|b| b.is_ascii_digit());
        self.take(digits.count())
    }

    /// Steps over exactly these bytes.
    pub(crate) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.bytes()
            .starts_with(literal)
            .then(|| self.at += literal.len())
    }

    /// Steps over as many bytes as asked and gives them.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let text = self.text.get(self.at..self.at.checked_add(bytes)?)?;
        self.at += bytes;
        Some(text)
    }
}

/// Where the first `"` or `\` stands. Eight bytes are looked at together: strings are most of every
/// document.
pub(crate) fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest bit set is that of the first byte that is zero.
    let zero_bytes = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let mut at = 0;
    while let Some(eight) = text[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let quotes = zero_bytes(word ^ (LOW * u64::from(b'"')));
        let found = quotes | zero_bytes(word ^ (LOW * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let left = text[at..].iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(at + left)
}

/// Whether two keys, still escaped, are in strictly ascending order of their unescaped bytes.
fn ascending(first: Quoted<'_>, second: Quoted<'_>) -> bool {
    let (one, other) = (first.text.as_bytes(), second.text.as_bytes());
    if first.escaped || second.escaped {
        unescaped(one).lt(unescaped(other))
    } else {
        one < other
    }
}

fn unescaped(key: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut escaped = false;
    key.iter().copied().filter(move |byte| {
        escaped = !escaped && *byte == b'\\';
        !escaped
    })
}
