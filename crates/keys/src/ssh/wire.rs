//! The data types of SSH (RFC 4251 5), in the agent's messages and in key files.

/// Reads values one after another; `None` wherever something is cut off or too long.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// A `string`: bytes behind their length.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// A `string` of text.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// Appends a `string`; `None` if it is longer than one can be.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let length = u32::try_from(bytes.len()).ok()?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_read_back(one: Vec<u8>, two: Vec<u8>) {
            let mut out = Vec::new();
            put_string(&mut out, &one).unwrap();
            put_string(&mut out, &two).unwrap();
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.string(), Some(&one[..]));
            prop_assert_eq!(reader.string(), Some(&two[..]));
            prop_assert_eq!((reader.rest().len(), reader.u32()), (0, None));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.string().is_some() {}
            let _ = (reader.u32(), reader.text());
        }
    }
}
