//! From bytes to a command or an annotation, and what is wrong where neither stands.

use super::kinds::kind_of;
use crate::disk::Cursor;

/// Lines that begin with `#` are not longer.
const LONGEST_NOTE: usize = 1024;
/// Names of commands are not longer, nor numbers of databases.
const NAME: usize = 64;
/// How much is looked at in one piece before a command is read argument by argument.
const NEAR: usize = 4096;

/// What a command does to the commands around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Multi,
    Exec,
    Select(Option<u32>),
    Nothing,
}

/// A whole command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AofCommand {
    pub at: u64,
    pub end: u64,
    /// How many arguments it has, its name among them.
    pub arguments: u64,
    /// Its name, if it is a known one.
    pub kind: Option<&'static str>,
    /// Its name could be one.
    pub plausible: bool,
    pub effect: Effect,
}

/// What grammar asked for where other bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `*` or `#`.
    Begin,
    /// `$` in front of a length.
    Dollar,
    /// A decimal number.
    Number,
    /// `\r\n` behind a number.
    LineEnd,
    /// `\r\n` behind the bytes of an argument.
    ArgumentEnd,
    /// `\r\n` behind an annotation.
    NoteEnd,
}

impl Wanted {
    /// What stands there, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Wanted::Begin => "a byte that is neither * nor #",
            Wanted::Dollar => "no $ in front of a length",
            Wanted::Number => "no number",
            Wanted::LineEnd => "no line end behind a number",
            Wanted::ArgumentEnd => "no line end behind the bytes of an argument: its length is wrong, or they are",
            Wanted::NoteEnd => "no line end behind an annotation",
        }
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    Command(AofCommand),
    /// An annotation, its end, and the time that it gives in seconds.
    Note {
        end: u64,
        seconds: Option<u64>,
    },
    /// Nothing more.
    Ends,
    /// The file ends, or is not given, inside a command.
    Short,
    /// Other bytes.
    Bad {
        at: u64,
        wanted: Wanted,
    },
}

/// ByteSource that can be asked for by their places.
trait ByteSource {
    fn at(&mut self, offset: u64, want: usize) -> &[u8];
}

impl ByteSource for Cursor {
    fn at(&mut self, offset: u64, want: usize) -> &[u8] {
        self.bytes(offset, want)
    }
}

/// A piece of a file.
struct NearBytes<'a> {
    start: u64,
    bytes: &'a [u8],
}

impl ByteSource for NearBytes<'_> {
    fn at(&mut self, offset: u64, want: usize) -> &[u8] {
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX).min(self.bytes.len());
        &self.bytes[from..from.saturating_add(want).min(self.bytes.len())]
    }
}

/// What stands at `at`. `budget` is what may be spent on arguments that have to be read one by one; each takes from it.
pub fn stands(cursor: &mut Cursor, at: u64, budget: &mut u64) -> Here {
    let near = cursor.bytes(at, NEAR);
    let all = near.len() < NEAR;
    let here = parse(&mut NearBytes { start: at, bytes: near }, at, &mut u64::MAX.clone());
    match here {
        // Where the piece ends, the file need not.
        Here::Short if !all => parse(cursor, at, budget),
        other => other,
    }
}

/// What stands at the begin of bytes that may be all there is or not.
pub fn stands_in(head: &[u8]) -> Here {
    parse(&mut NearBytes { start: 0, bytes: head }, 0, &mut u64::MAX.clone())
}

fn parse(bytes: &mut impl ByteSource, at: u64, budget: &mut u64) -> Here {
    match bytes.at(at, 1).first() {
        None => return Here::Ends,
        Some(b'#') => return note(bytes, at),
        Some(b'*') => {}
        Some(_) => return Here::Bad { at, wanted: Wanted::Begin },
    }
    let (arguments, mut next) = match number(bytes, at) {
        Ok((0, _)) => return Here::Bad { at: at + 1, wanted: Wanted::Number },
        Ok(line) => line,
        Err(here) => return here,
    };
    let mut command = AofCommand { at, end: next, arguments, kind: None, plausible: false, effect: Effect::Nothing };
    for index in 0..arguments {
        match bytes.at(next, 1).first() {
            None => return Here::Short,
            Some(b'$') => {}
            Some(_) => return Here::Bad { at: next, wanted: Wanted::Dollar },
        }
        let (length, start) = match number(bytes, next) {
            Ok(line) => line,
            Err(here) => return here,
        };
        let Some(end) = start.checked_add(length) else { return Here::Short };
        match bytes.at(end, 2) {
            b"\r\n" => {}
            b"" | b"\r" => return Here::Short,
            [b'\r', _] => return Here::Bad { at: end + 1, wanted: Wanted::ArgumentEnd },
            _ => return Here::Bad { at: end, wanted: Wanted::ArgumentEnd },
        }
        if index < 2 {
            let short = usize::try_from(length).unwrap_or(usize::MAX).min(NAME + 1);
            command.learn(index, bytes.at(start, short));
        }
        next = end + 2;
        match budget.checked_sub(1) {
            Some(left) => *budget = left,
            None => return Here::Short,
        }
    }
    command.end = next;
    Here::Command(command)
}

impl AofCommand {
    /// What its name says, and the argument behind it.
    fn learn(&mut self, index: u64, argument: &[u8]) {
        if index == 0 {
            self.kind = kind_of(argument);
            let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-|:".contains(byte);
            self.plausible = !argument.is_empty() && argument.len() <= NAME && argument.iter().all(letter);
            self.effect = match self.kind {
                Some("MULTI") => Effect::Multi,
                Some("EXEC") => Effect::Exec,
                Some("SELECT") => Effect::Select(None),
                _ => Effect::Nothing,
            };
        } else if let Effect::Select(database) = &mut self.effect {
            *database = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok());
        }
    }
}

/// The number behind the mark at `at`, and where the line behind it begins.
fn number(bytes: &mut impl ByteSource, at: u64) -> Result<(u64, u64), Here> {
    // As many digits as lengths have that a file can hold.
    const DIGITS: usize = 18;
    let line = bytes.at(at + 1, DIGITS + 3);
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let bad = |skip: usize, wanted| Here::Bad { at: at + 1 + skip as u64, wanted };
    let number: u64 = line[..digits].iter().take(DIGITS).fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    match (&line[..digits], line.get(digits), line.get(digits + 1)) {
        ([], None, _) => Err(Here::Short),
        ([], Some(_), _) => Err(bad(0, Wanted::Number)),
        // Nobody writes a number with a zero in front.
        ([b'0', _, ..], ..) => Err(bad(0, Wanted::Number)),
        _ if digits > DIGITS => Err(bad(0, Wanted::Number)),
        (_, None, _) | (_, Some(b'\r'), None) => Err(Here::Short),
        (_, Some(b'\r'), Some(b'\n')) => Ok((number, at + 1 + digits as u64 + 2)),
        (_, Some(b'\r'), _) => Err(bad(digits + 1, Wanted::LineEnd)),
        _ => Err(bad(digits, Wanted::LineEnd)),
    }
}

fn note(bytes: &mut impl ByteSource, at: u64) -> Here {
    let line = bytes.at(at, LONGEST_NOTE);
    let Some(length) = line.iter().position(|byte| *byte == b'\n') else {
        let short = line.len() < LONGEST_NOTE;
        return if short { Here::Short } else { Here::Bad { at: at + LONGEST_NOTE as u64, wanted: Wanted::NoteEnd } };
    };
    if length == 0 || line[length - 1] != b'\r' {
        return Here::Bad { at: at + length as u64, wanted: Wanted::NoteEnd };
    }
    let text = std::str::from_utf8(&line[..length - 1]).unwrap_or_default();
    let seconds = text.strip_prefix("#TS:").and_then(|digits| digits.parse().ok());
    Here::Note { end: at + length as u64 + 1, seconds }
}

/// The arguments of a command whose bytes are at hand, its name first; none where it is not one whole command.
pub fn arguments_of(payload: &[u8]) -> Option<Vec<&[u8]>> {
    let mut bytes = NearBytes { start: 0, bytes: payload };
    let (count, mut next) = number(&mut bytes, 0).ok()?;
    let mut arguments = Vec::new();
    for _ in 0..count {
        let (length, start) = number(&mut bytes, next).ok()?;
        let end = start.checked_add(length)?;
        arguments.push(payload.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?);
        next = end + 2;
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::stands_in as at_start;
    use super::*;

    #[test]
    fn a_command_is_whole_at_its_last_byte_and_short_before() {
        let text = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";
        let whole = AofCommand {
            at: 0,
            end: text.len() as u64,
            arguments: 2,
            kind: Some("SELECT"),
            plausible: true,
            effect: Effect::Select(Some(3)),
        };
        assert_eq!(at_start(text), Here::Command(whole));
        for cut in 1..text.len() {
            assert_eq!(at_start(&text[..cut]), Here::Short, "cut to {cut} bytes");
        }
        assert_eq!(at_start(b""), Here::Ends);
    }

    #[test]
    fn bytes_that_grammar_does_not_allow_are_named_with_their_place() {
        for (text, at, wanted) in [
            (&b"+1\r\n$1\r\na\r\n"[..], 0, Wanted::Begin),
            (b"*x\r\n", 1, Wanted::Number),
            (b"*0\r\n", 1, Wanted::Number),
            (b"*01\r\n", 1, Wanted::Number),
            (b"*1234567890123456789\r\n", 1, Wanted::Number),
            (b"*1\n$1\r\na\r\n", 2, Wanted::LineEnd),
            (b"*1\r\nx1\r\na\r\n", 4, Wanted::Dollar),
            (b"*1\r\n$-1\r\na\r\n", 5, Wanted::Number),
            (b"*1\r\n$1\r\nab\r\n", 9, Wanted::ArgumentEnd),
            (b"#TS:1\n", 5, Wanted::NoteEnd),
        ] {
            assert_eq!(at_start(text), Here::Bad { at, wanted }, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_annotation_may_give_a_time() {
        assert_eq!(at_start(b"#TS:1795192334\r\n"), Here::Note { end: 16, seconds: Some(1_795_192_334) });
        assert_eq!(at_start(b"#other\r\n"), Here::Note { end: 8, seconds: None });
        assert_eq!(at_start(b"#TS:17951"), Here::Short);
    }

    #[test]
    fn arguments_are_those_of_the_bytes_whatever_they_hold() {
        assert_eq!(arguments_of(b"*2\r\n$3\r\nDEL\r\n$4\r\na\r\nb\r\n"), Some(vec![&b"DEL"[..], b"a\r\nb"]));
        assert_eq!(arguments_of(b"*2\r\n$3\r\nDEL\r\n$4\r\na"), None);
    }
}
