//! Strict JSON, scanned without building anything: a log of megabyte lines is checked at the speed of its bytes.
//!
//! The text must be UTF-8 already. Nesting is kept in a bit a level, so no depth of hostile brackets costs the stack.

/// A position in a text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// One bit a level: set where it is an object.
    levels: Vec<u64>,
    /// The deepest nesting met below the place where values were skipped.
    pub(super) deepest: usize,
}

/// The text of a string between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// As it stands there.
    pub(super) raw: &'a [u8],
    /// It holds escapes, so it is not what it means.
    pub(super) escaped: bool,
}

impl Text<'_> {
    /// What it means.
    pub(super) fn meaning(&self) -> Option<String> {
        if !self.escaped {
            return String::from_utf8(self.raw.to_vec()).ok();
        }
        let quoted = [b"\"", self.raw, b"\""].concat();
        serde_json::from_slice(&quoted).ok()
    }

    /// What it means, for showing it.
    pub(super) fn meaning_or_raw(&self) -> std::borrow::Cow<'_, str> {
        match std::str::from_utf8(self.raw) {
            Ok(text) if !self.escaped => text.into(),
            _ => self.meaning().unwrap_or_else(|| String::from_utf8_lossy(self.raw).into_owned()).into(),
        }
    }

    /// Whether it means this.
    pub(super) fn is(&self, word: &str) -> bool {
        if self.escaped { self.meaning().is_some_and(|text| text == word) } else { self.raw == word.as_bytes() }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes: text, at: 0, levels: Vec::new(), deepest: 0 }
    }

    /// How far it has come.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether only white space is left.
    pub(super) fn is_done(&mut self) -> bool {
        self.space();
        self.at == self.bytes.len()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// An object: `member` is called behind each key and must take the value. `None` when the text is wrong, or `member` said so.
    #[inline]
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Option<()>) -> Option<()> {
        self.space();
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            self.space();
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// A key with its colon.
    #[inline]
    fn key(&mut self) -> Option<Text<'a>> {
        self.space();
        let key = self.quoted()?;
        self.space();
        self.take(b':')?;
        Some(key)
    }

    /// A string.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Text<'a>> {
        self.space();
        self.quoted()
    }

    #[inline]
    fn quoted(&mut self) -> Option<Text<'a>> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(&self.bytes[self.at..]);
            match self.peek()? {
                b'"' => {
                    let raw = &self.bytes[start..self.at];
                    self.at += 1;
                    return Some(Text { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                // A control character must be escaped.
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        let mark = self.peek()?;
        self.at += 1;
        match mark {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.unit()? {
                // One half of a pair alone is no character.
                0xD800..=0xDBFF => {
                    self.take(b'\\')?;
                    self.take(b'u')?;
                    matches!(self.unit()?, 0xDC00..=0xDFFF).then_some(())
                }
                0xDC00..=0xDFFF => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?))
    }

    /// A number, as it stands there.
    #[inline]
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        self.space();
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.take(b'.').is_some() {
            self.peek()?.is_ascii_digit().then(|| self.digits())?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.peek()?.is_ascii_digit().then(|| self.digits())?;
        }
        Some(&self.bytes[start..self.at])
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// Any value, checked and passed over.
    pub(super) fn value(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            self.space();
            let opened = match self.peek()? {
                b'"' => self.quoted().map(|_| false)?,
                b'{' | b'[' => {
                    depth += 1;
                    self.open(depth)?
                }
                b't' => self.word(b"true").map(|()| false)?,
                b'f' => self.word(b"false").map(|()| false)?,
                b'n' => self.word(b"null").map(|()| false)?,
                _ => self.number().map(|_| false)?,
            };
            if !opened && self.close(&mut depth)? {
                return Some(());
            }
        }
    }

    /// Enters an object or array. Whether a value is due there; an empty one is left for `close`.
    fn open(&mut self, depth: usize) -> Option<bool> {
        let object = self.peek()? == b'{';
        self.at += 1;
        self.deepest = self.deepest.max(depth);
        let (word, bit) = ((depth - 1) / 64, 1 << ((depth - 1) % 64));
        if self.levels.len() <= word {
            self.levels.push(0);
        }
        if object {
            self.levels[word] |= bit;
        } else {
            self.levels[word] &= !bit;
        }
        self.space();
        match (object, self.peek()?) {
            (true, b'}') | (false, b']') => Some(false),
            (true, _) => self.key().map(|_| true),
            (false, _) => Some(true),
        }
    }

    /// Behind a value: leaves what ends there. Whether all of it has ended; if not, the next value is due.
    #[inline]
    fn close(&mut self, depth: &mut usize) -> Option<bool> {
        while *depth > 0 {
            self.space();
            let object = self.levels[(*depth - 1) / 64] >> ((*depth - 1) % 64) & 1 == 1;
            match (self.peek()?, object) {
                (b',', true) => {
                    self.at += 1;
                    self.key()?;
                    return Some(false);
                }
                (b',', false) => {
                    self.at += 1;
                    return Some(false);
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    *depth -= 1;
                }
                _ => return None,
            }
        }
        Some(true)
    }
}

/// How many bytes from the start are neither a quote nor a backslash nor a control character.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let mut count = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let (quote, back) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5C));
        // The lowest byte that is marked is marked rightly; what a borrow marks above it does not matter.
        let marks =
            (quote.wrapping_sub(ONES) & !quote) | (back.wrapping_sub(ONES) & !back) | (word.wrapping_sub(ONES * 0x20) & !word);
        let marks = marks & TOPS;
        if marks != 0 {
            return count + (marks.trailing_zeros() / 8) as usize;
        }
        count += 8;
    }
    let rest = &bytes[count..];
    count + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1F)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> bool {
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.value().is_some() && scanner.is_done()
    }

    #[test]
    fn what_it_takes_and_refuses_is_what_serde_json_takes_and_refuses() {
        let sound = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "10",
            "-1.5e+7",
            "1E9",
            "\"\"",
            "\"a\\n\\u00e9\\ud83d\\ude00\"",
            "[]",
            "{}",
            " [ 1 , [ ] ] ",
            "{\"a\":{\"b\":[{},{\"c\":null}]},\"d\":\"}\"}",
            "\"é\u{7f}\"",
            "[\"12345678\\\"9\",\"1234567\"]",
        ];
        let broken = [
            "",
            "nul",
            "truex",
            "01",
            "-",
            "1.",
            "1e",
            ".5",
            "+1",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\u12\"",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[}",
            "{]",
            "[1",
            "{\"a\":1",
            "\"a\nb\"",
            "\"1234567\u{1}\"",
            "1 1",
            "[[]",
            "]",
            "\u{0}",
        ];
        for text in sound.into_iter().chain(broken) {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(whole(text), expected, "{text:?}");
        }
        assert!(sound.into_iter().all(whole));
    }

    #[test]
    fn every_changed_byte_of_a_text_is_judged_as_serde_json_judges_it() {
        let text = br#"{"a":[1,-2.5e3,true,null,{"b":"x\"y\u00e9"}],"c":{},"d":"0123456789abcdef"}"#;
        for at in 0..text.len() {
            for byte in 0..=0x7Fu8 {
                let mut changed = text.to_vec();
                changed[at] = byte;
                let changed = String::from_utf8(changed).expect("ASCII");
                let expected = serde_json::from_str::<serde_json::Value>(&changed).is_ok();
                // Its numbers have a range; ours are only text.
                if whole(&changed) != expected {
                    assert!(changed.contains("5e") || changed.contains("e3"), "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_million_brackets_cost_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        let mut scanner = Scanner::new(deep.as_bytes());
        assert!(scanner.value().is_some());
        assert_eq!(scanner.deepest, 1_000_000);
        assert!(!whole(&"{\"a\":".repeat(1_000_000)));
    }

    #[test]
    fn the_plain_prefix_ends_at_the_first_special_byte_wherever_it_stands() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0, 0x1F] {
                for at in 0..length {
                    let mut bytes = vec![0xC3; length];
                    bytes[at] = special;
                    assert_eq!(plain_prefix(&bytes), at, "{special:#x} at {at} of {length}");
                }
            }
            assert_eq!(plain_prefix(&vec![b'x'; length]), length);
        }
    }
}
