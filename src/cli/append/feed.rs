//! Where records come from: standard input, arguments, files, or a generator.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use walctl::model::{Error, Lsn, Time};
use walctl::native::FrameKind;
use walctl::writer::RECORD_LIMIT;

use crate::cli::exit::CommandFailure;
use crate::cli::interrupt;

/// How much is asked for at a time.
const CHUNK: usize = 256 << 10;

/// How records lie in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Delimiter {
    /// A record a line.
    Lf,
    /// A zero byte after each record.
    Nul,
    /// In front of each record its length: four bytes, the lowest first.
    Len32,
}

/// A record as it was given; what it does not say is left to the flags.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub payload: &'a [u8],
    pub kind: Option<FrameKind>,
    pub tag: Option<u64>,
    pub lsn: Option<Lsn>,
    pub time: Option<Time>,
}

impl<'a> Given<'a> {
    /// Content and nothing else.
    pub fn of(payload: &'a [u8]) -> Given<'a> {
        Given { payload, kind: None, tag: None, lsn: None, time: None }
    }
}

/// Why reading ended before the end.
#[derive(Debug)]
pub enum End {
    /// It was asked for.
    Stopped,
    /// The input cannot be read, or not be used.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for End {
    fn from(error: anyhow::Error) -> End {
        End::Failed(error)
    }
}

/// Where records go: each one by itself, and `pause` when none may come for a while.
pub trait Receive {
    fn record(&mut self, given: Given<'_>) -> Result<(), End>;
    fn pause(&mut self) -> Result<(), End>;
    fn read(&mut self, bytes: u64);
    fn stopped(&self) -> bool;
}

/// Reads records from a stream until it ends.
pub fn stream(source: &File, delimiter: Delimiter, take: &mut dyn Receive) -> Result<(), End> {
    let mut records = RecordStream { delimiter, whole: 0 };
    each_chunk(source, take, &mut |held, take, last| records.take(held, take, last))
}

/// Reads JSON lines as `dump --json` writes them.
pub fn json_lines(source: &File, take: &mut dyn Receive) -> Result<(), End> {
    let mut number = 0u64;
    each_chunk(source, take, &mut |held, take, last| {
        let mut done = 0;
        while let Some(length) = memchr::memchr(b'\n', &held[done..]).or((last && done < held.len()).then(|| held.len() - done)) {
            number += 1;
            let line = held[done..done + length].trim_ascii();
            if !line.is_empty() {
                json_line(line, take).map_err(|end| at_line(end, number))?;
            }
            done = (done + length + 1).min(held.len());
        }
        Ok(done)
    })
}

fn at_line(end: End, number: u64) -> End {
    match end {
        End::Failed(error) => End::Failed(error.context(format!("line {number} of the input"))),
        stopped => stopped,
    }
}

fn json_line(line: &[u8], take: &mut dyn Receive) -> Result<(), End> {
    let value: Value = serde_json::from_slice(line).context("this is no JSON")?;
    let Value::Object(fields) = value else { return Err(wrong("this is no JSON object")) };
    let decoded;
    let payload = match (&fields.get("payload"), fields.get("payload_base64"), fields.get("payload_hex")) {
        (Some(Value::String(text)), _, _) => text.as_bytes(),
        (_, Some(Value::String(text)), _) => {
            decoded = base64::engine::general_purpose::STANDARD.decode(text).context("payload_base64 is no base64")?;
            &decoded
        }
        (_, _, Some(Value::String(text))) => {
            decoded = hex(text).ok_or_else(|| wrong("payload_hex is no hex"))?;
            &decoded
        }
        _ => return Err(wrong("there is no payload: put it into \"payload\" as text, or in \"payload_base64\"")),
    };
    if fields.get("encrypted") == Some(&Value::Bool(true)) {
        return Err(wrong("its payload is ciphertext: run dump with --key-file"));
    }
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(&format!("`{name}` is no number: {value}"))),
    };
    let kind = match fields.get("kind") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => {
            Some(FrameKind::from_name(name).ok_or_else(|| wrong(&format!("`{name}` is no kind; --kind gives all records one")))?)
        }
        Some(other) => return Err(wrong(&format!("{other} is no kind"))),
    };
    let time = match fields.get("time") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Time::parse(text).ok_or_else(|| wrong(&format!("`{text}` is no time")))?),
        Some(other) => return Err(wrong(&format!("{other} is no time"))),
    };
    take.record(Given { payload, kind, tag: number("tag")?, lsn: number("lsn")?.map(Lsn), time })
}

fn wrong(what: &str) -> End {
    End::Failed(anyhow::Error::msg(what.to_owned()))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Records in a stream.
struct RecordStream {
    delimiter: Delimiter,
    whole: u64,
}

impl RecordStream {
    /// Takes all whole records that are there; how many bytes they were.
    fn take(&mut self, held: &[u8], take: &mut dyn Receive, last: bool) -> Result<usize, End> {
        let mark = match self.delimiter {
            Delimiter::Lf => b'\n',
            Delimiter::Nul => 0,
            Delimiter::Len32 => return self.take_counted(held, take, last),
        };
        let mut done = 0;
        for end in memchr::memchr_iter(mark, held) {
            take.record(Given::of(&held[done..end]))?;
            done = end + 1;
        }
        if last && done < held.len() {
            // The last record needs no delimiter after it.
            take.record(Given::of(&held[done..]))?;
            done = held.len();
        }
        Ok(done)
    }

    fn take_counted(&mut self, held: &[u8], take: &mut dyn Receive, last: bool) -> Result<usize, End> {
        let mut done = 0;
        while let Some((length, rest)) = held[done..].split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length > RECORD_LIMIT {
                return Err(wrong(&format!(
                    "record {} of the input claims {length} bytes; {RECORD_LIMIT} are possible",
                    self.whole + 1
                )));
            }
            let Some(payload) = rest.get(..length) else { break };
            take.record(Given::of(payload))?;
            self.whole += 1;
            done += 4 + length;
        }
        if last && done < held.len() {
            return Err(wrong(&format!("the input ends inside record {}", self.whole + 1)));
        }
        Ok(done)
    }
}

/// Takes what it can of the bytes that are held: how many. The flag says that no more will come.
type Chunk<'a> = dyn FnMut(&[u8], &mut dyn Receive, bool) -> Result<usize, End> + 'a;

/// Reads a stream chunk by chunk, and keeps what was not taken for the next time.
fn each_chunk(mut source: &File, take: &mut dyn Receive, chunk: &mut Chunk<'_>) -> Result<(), End> {
    let mut held: Vec<u8> = Vec::with_capacity(2 * CHUNK);
    loop {
        if !wait_for(source.as_fd(), take)? {
            return Err(End::Stopped);
        }
        let before = held.len();
        // A record longer than a chunk is met with larger and larger reads.
        held.resize(before + CHUNK.max(before), 0);
        let count = match source.read(&mut held[before..]) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                // Not the end of the input.
                held.truncate(before);
                continue;
            }
            Err(e) => return Err(End::Failed(Error::io("read", Path::new("standard input"))(e).into())),
        };
        let ended = count == 0 && !interrupt::caught();
        held.truncate(before + count);
        take.read(count as u64);
        let done = chunk(&held, take, ended)?;
        held.drain(..done);
        if held.len() > RECORD_LIMIT {
            return Err(wrong(&format!("a record of the input is longer than {RECORD_LIMIT} bytes")));
        }
        take.pause()?;
        if ended {
            return Ok(());
        }
    }
}

/// Waits for input; false when the work is to end first.
fn wait_for(source: BorrowedFd<'_>, take: &dyn Receive) -> Result<bool, End> {
    loop {
        if take.stopped() || interrupt::caught() {
            return Ok(false);
        }
        let mut fds = [PollFd::new(&source, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            // What cannot be waited for can be read at once.
            Err(_) => return Ok(true),
        }
    }
}

/// A file as one record.
pub fn whole_file(path: &Path, take: &mut dyn Receive) -> Result<(), End> {
    let stream = walctl::disk::Stream::open("open", path, interrupt::caught).map_err(|e| End::Failed(e.into()))?;
    let mut stream = stream.take(RECORD_LIMIT as u64 + 1);
    let mut content = Vec::new();
    loop {
        let read = stream.by_ref().take(CHUNK as u64).read_to_end(&mut content);
        if take.stopped() || interrupt::caught() {
            return Err(End::Stopped);
        }
        match read.map_err(|e| End::Failed(Error::io("read", path)(e).into()))? {
            0 => break,
            count => take.read(count as u64),
        }
    }
    if content.len() > RECORD_LIMIT {
        let failure = CommandFailure { exit: crate::cli::exit::Exit::Failed, message: String::new(), next: None };
        let message = format!("{} is longer than a record can be: {RECORD_LIMIT} bytes", path.display());
        return Err(End::Failed(CommandFailure { message, ..failure }.into()));
    }
    take.record(Given::of(&content))
}

/// Records that tell their number and are otherwise noise of printable characters.
pub fn generate(count: u64, size: usize, take: &mut dyn Receive) -> Result<(), End> {
    let mut payload = Vec::with_capacity(size + 8);
    for number in 1..=count {
        if number % 1024 == 0 && (take.stopped() || interrupt::caught()) {
            return Err(End::Stopped);
        }
        fill(&mut payload, number, size);
        take.record(Given::of(&payload))?;
        take.read(payload.len() as u64);
    }
    take.pause()
}

fn fill(payload: &mut Vec<u8>, number: u64, size: usize) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    payload.clear();
    payload.extend_from_slice(number.to_string().as_bytes());
    payload.push(b' ');
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while payload.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.extend((0..8).map(|n| DIGITS[(state >> (n * 6) & 63) as usize]));
    }
    payload.truncate(size);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[derive(Default)]
    struct Kept(Vec<Vec<u8>>, Vec<(Option<u64>, Option<u64>)>);

    impl Receive for Kept {
        fn record(&mut self, given: Given<'_>) -> Result<(), End> {
            self.0.push(given.payload.to_vec());
            self.1.push((given.tag, given.lsn.map(|lsn| lsn.0)));
            Ok(())
        }

        fn pause(&mut self) -> Result<(), End> {
            Ok(())
        }

        fn read(&mut self, _: u64) {}

        fn stopped(&self) -> bool {
            false
        }
    }

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(content).expect("it takes bytes");
        io::Seek::rewind(&mut file).expect("it goes back");
        file
    }

    fn records(content: &[u8], delimiter: Delimiter) -> Result<Vec<Vec<u8>>, String> {
        let mut kept = Kept::default();
        match stream(&file(content), delimiter, &mut kept) {
            Ok(()) => Ok(kept.0),
            Err(End::Failed(error)) => Err(format!("{error:#}")),
            Err(End::Stopped) => Err("stopped".into()),
        }
    }

    #[test]
    fn a_delimiter_ends_a_record_and_the_last_one_may_lack_it() {
        assert_eq!(records(b"a\n\nb", Delimiter::Lf).expect("lines"), [&b"a"[..], b"", b"b"]);
        assert_eq!(records(b"a\nb\n", Delimiter::Lf).expect("lines").len(), 2);
        assert_eq!(records(b"a\nb\0c\0", Delimiter::Nul).expect("zeros"), [&b"a\nb"[..], b"c"]);
        assert_eq!(records(b"", Delimiter::Lf).expect("nothing").len(), 0);
        let long = vec![b'x'; 3 * CHUNK + 5];
        assert_eq!(records(&[&long[..], b"\ny\n"].concat(), Delimiter::Lf).expect("a long line"), [&long[..], b"y"]);
    }

    #[test]
    fn a_counted_record_must_be_there() {
        assert_eq!(records(b"\x01\0\0\0a\0\0\0\0", Delimiter::Len32).expect("two records"), [&b"a"[..], b""]);
        assert!(records(b"\x01\0\0\0a\x05\0\0\0bc", Delimiter::Len32).expect_err("it is cut").contains("inside record 2"));
        assert!(records(b"\x01\0", Delimiter::Len32).expect_err("it is cut").contains("inside record 1"));
        assert!(records(b"\xff\xff\xff\xff", Delimiter::Len32).expect_err("too much").contains("claims 4294967295"));
    }

    #[test]
    fn json_lines_give_what_they_say_and_wrong_ones_are_named() {
        let mut kept = Kept::default();
        let lines =
            "{\"lsn\":7,\"kind\":\"full\",\"tag\":3,\"payload\":\"h\\u00e9\",\"file\":\"x\"}\n\n{\"payload_base64\":\"/wA=\"}";
        json_lines(&file(lines.as_bytes()), &mut kept).map_err(|_| ()).expect("two records");
        assert_eq!(kept.0, ["hé".as_bytes(), &[255, 0]]);
        assert_eq!(kept.1, [(Some(3), Some(7)), (None, None)]);
        for wrong in [
            "x",
            "[]",
            "{}",
            "{\"payload\":7}",
            "{\"payload\":\"\",\"tag\":-1}",
            "{\"payload\":\"\",\"kind\":\"odd\"}",
            "{\"payload_base64\":\"*\"}",
            "{\"payload\":\"\",\"encrypted\":true}",
        ] {
            let lines = format!("{{\"payload\":\"fine\"}}\n{wrong}\n");
            let Err(End::Failed(error)) = json_lines(&file(lines.as_bytes()), &mut Kept::default()) else { panic!("{wrong}") };
            assert!(format!("{error:#}").starts_with("line 2 of the input: "), "{error:#}");
        }
    }

    #[test]
    fn generated_records_have_their_size_and_differ() {
        let mut kept = Kept::default();
        generate(100, 20, &mut kept).map_err(|_| ()).expect("nothing stops it");
        assert!(kept.0.iter().all(|record| record.len() == 20));
        assert_eq!(kept.0.iter().collect::<std::collections::HashSet<_>>().len(), 100);
    }
}
