//! What bodies of events hold: lists of transactions, and statements. Pure functions over bytes; a body that is not what its type says gives
//! `None`, never damage.

/// Bytes that are taken from the front.
pub struct Body<'a>(pub &'a [u8]);

impl<'a> Body<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A little-endian number of up to eight bytes.
    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number of one, three, four or nine bytes.
    pub fn packed(&mut self) -> Option<u64> {
        match self.number(1)? {
            0xFC => self.number(2),
            0xFD => self.number(3),
            0xFE => self.number(8),
            small @ 0..=250 => Some(small),
            _ => None,
        }
    }

    pub fn text(&mut self, count: usize) -> Option<String> {
        Some(String::from_utf8_lossy(self.take(count)?).into_owned())
    }
}

/// The last transaction of each domain and server, as a file of MariaDB begins with them.
pub fn gtid_list(body: &[u8]) -> Option<Vec<(u32, u32, u64)>> {
    let mut body = Body(body);
    let count = body.number(4)? & 0x0FFF_FFFF;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push((body.number(4)? as u32, body.number(4)? as u32, body.number(8)?));
    }
    Some(list)
}

/// The intervals of transactions that were before, as a file of MySQL begins with them: first, and last and one more.
pub type Intervals = Vec<([u8; 16], u64, u64)>;

pub fn previous_gtids(body: &[u8]) -> Option<Intervals> {
    let mut body = Body(body);
    let count = body.number(8)?;
    // Lists with tags are laid out in another way, and say so in the highest byte.
    if count >> 56 != 0 {
        return None;
    }
    let mut all = Vec::new();
    for _ in 0..count {
        let uuid = body.take(16)?.try_into().ok()?;
        for _ in 0..body.number(8)? {
            all.push((uuid, body.number(8)?, body.number(8)?));
        }
    }
    body.0.is_empty().then_some(all)
}

/// A statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    pub thread: u32,
    pub seconds: u32,
    pub error: u16,
    pub database: &'a [u8],
    pub text: &'a [u8],
}

pub fn query(bytes: &[u8]) -> Option<Query<'_>> {
    let mut body = Body(bytes);
    let (thread, seconds) = (body.number(4)? as u32, body.number(4)? as u32);
    let database = body.number(1)? as usize;
    let error = body.number(2)? as u16;
    let status = body.number(2)? as usize;
    body.take(status)?;
    let database = body.take(database)?;
    body.take(1)?;
    Some(Query { thread, seconds, error, database, text: body.0 })
}

/// The first word of a statement, in capitals: all that is shown of it unless somebody asks for more.
pub fn first_word(text: &[u8]) -> String {
    let mut text = text;
    // Comments in front of it can hold anything.
    loop {
        text = text.trim_ascii_start();
        let rest = if text.starts_with(b"/*") && !text.starts_with(b"/*!") {
            text.windows(2).position(|two| two == b"*/").map(|end| &text[end + 2..])
        } else if text.starts_with(b"-- ") || text.starts_with(b"#") {
            text.iter().position(|byte| *byte == b'\n').map(|end| &text[end..])
        } else {
            break;
        };
        let Some(rest) = rest else { break };
        text = rest;
    }
    let end = text.iter().take(24).position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len().min(24));
    String::from_utf8_lossy(&text[..end]).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_statement_the_first_word_is_shown_and_no_comment_in_front_of_it() {
        for (text, word) in [
            ("insert into t values ('secret')", "INSERT"),
            ("/* secret */ update t", "UPDATE"),
            ("-- secret\n delete from t", "DELETE"),
            ("/* unfinished", ""),
            ("", ""),
        ] {
            assert_eq!(first_word(text.as_bytes()), word, "{text}");
        }
    }
}
