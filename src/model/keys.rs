//! Keys for encrypted payloads, as they stand in a key file.

use std::fmt;

use super::Error;

/// AES-256 keys, oldest first. Never printed.
#[derive(Clone, Default)]
pub struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// Reads the text of a key file: a key of 64 hex digits a line; empty lines and lines that begin with `#` do not count.
    ///
    /// A build without the feature `encryption` takes none.
    pub fn parse(text: &str) -> Result<Keys, Error> {
        if cfg!(not(feature = "encryption")) {
            return Err(Error::Input { what: "this build cannot encrypt or decrypt: it lacks the feature `encryption`".into() });
        }
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line itself is a secret, or half of one: say where it is, never what it is.
            let key = hex32(line).ok_or_else(|| Error::Input {
                what: format!("line {} of the key file is not a key of 64 hex digits", number + 1),
            })?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(Error::Input { what: "the key file holds no key".into() });
        }
        Ok(Keys(keys))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key to write with: the newest.
    #[must_use]
    pub fn newest(&self) -> Option<&[u8; 32]> {
        self.0.last()
    }

    /// The keys to try when reading, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.0.iter().rev()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

fn hex32(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_oldest_first_and_never_shown() {
        let text = format!("# old\n{}\n\n{}\n", "00".repeat(32), "fF".repeat(32));
        let keys = Keys::parse(&text).expect("two good lines");
        assert_eq!(keys.newest(), Some(&[0xff; 32]));
        assert_eq!(keys.newest_first().count(), 2);
        assert_eq!(format!("{keys:?}"), "Keys(2)");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_alone() {
        let text = format!("{}\nsecret-and-wrong\n", "00".repeat(32));
        let error = Keys::parse(&text).expect_err("the second line is no key").to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
        assert!(Keys::parse("\n").is_err());
        assert!(Keys::parse(&"é".repeat(32)).is_err());
    }
}
