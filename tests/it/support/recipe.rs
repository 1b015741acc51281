//! From a recipe in words to the bytes of a log, whole or hurt.
//!
//! The encoder is written from the format page alone and shares no code with the library, so that writer and reader cannot drift
//! together. A line is an instruction; empty lines and lines that begin with `#` do not count.
//!
//! ```text
//! [OPTION…] record TEXT | hex DIGITS | fill COUNT [BYTE]     a frame; with `kind K` the payload may be left out
//!     options: kind K, tag N, time N, lsn N, unsynced N, lz4, encrypted, more, split N, times N
//! group … sync          frames that one sync made durable; outside, each frame is a group of its own
//! batch … end           frames that stand or fall together
//! close | seal [DIGITS] | pad N       control frames; pad fills up to a multiple of N
//! hole A B [chain N] REASON           LSNs A to B are known to be gone; what comes next has LSN B + 1
//! facts JSON                          what another format said about the next record
//! segment | begin N | skip N | block N | other log | chain N   the next segment; LSNs to begin with or to leave out; its header
//! in N                  what follows hurts segment N (from 1); without it, the last one
//! zeros N | raw DIGITS | copy PLACE N | cut N | cut to PLACE | flip PLACE BIT | zero PLACE N | put PLACE DIGITS
//! version N | flags N | header AT DIGITS    patches the header, with its sum made right again
//! resum PLACE           makes the sum of the frame there right again
//! unbound               from here on, encrypted payloads are bound to their frames' headers alone
//! drop segment N | rename N NAME | file NAME TEXT
//! ```
//! A place is an offset, or `@LSN` for the frame with that LSN, with `+N` behind it if wanted. In a text, `\n`, `\t`, `\\` and `\xNN`
//! are what they are in Rust.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use sha2::{Digest, Sha256};

/// The key that `encrypted` takes, as it stands in a key file.
pub const KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
const FIRST_TIME: u64 = 1_700_000_000_000_000;
const KINDS: [(&str, u8); 13] = [
    ("full", 0),
    ("first", 1),
    ("middle", 2),
    ("last", 3),
    ("checkpoint", 4),
    ("txn-begin", 5),
    ("txn-commit", 6),
    ("txn-abort", 7),
    ("pad", 16),
    ("close", 17),
    ("seal", 18),
    ("hole", 19),
    ("facts", 20),
];

/// A log that came out of a recipe.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Segments in order.
    pub segments: Vec<Segment>,
    /// Other files: name and content.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A segment that came out of a recipe.
#[derive(Clone, Debug)]
pub struct Segment {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Its frames as they were written, before anything was hurt.
    pub frames: Vec<Frame>,
    seed: u32,
    chain: u32,
}

/// A frame that came out of a recipe.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub lsn: u64,
    pub kind: u8,
    pub offset: usize,
    /// Header and payload alone: what its sum covers, and the sum.
    pub summed_end: usize,
}

impl Made {
    /// Writes the log into a folder, which is made.
    pub fn write_to(&self, dir: &Path) {
        fs::create_dir_all(dir).expect("a folder can be made in the sandbox");
        for segment in &self.segments {
            fs::write(dir.join(&segment.name), &segment.bytes).expect("the sandbox has room");
        }
        for (name, content) in &self.files {
            fs::write(dir.join(name), content).expect("the sandbox has room");
        }
    }
}

impl Made {
    /// What lies where: offset, kind and LSN of each frame that was written, and what became of it.
    pub fn draw(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            let _ = writeln!(text, "{}, {} bytes", segment.name, segment.bytes.len());
            segment.draw(&mut text);
        }
        for (name, content) in &self.files {
            let _ = writeln!(text, "{name}, {} bytes", content.len());
        }
        text
    }
}

impl Segment {
    fn draw(&self, text: &mut String) {
        let header = self.state(0, 60, |bytes| crc32fast::hash(&bytes[..56]).to_le_bytes() == bytes[56..60]);
        let _ = writeln!(text, "{:>7}  header{header}", 0);
        let mut end = 4096;
        for frame in &self.frames {
            let kind = KINDS.iter().find(|(_, kind)| *kind == frame.kind).map_or("unknown", |(name, _)| name);
            let state = self.state(frame.offset, frame.summed_end, |bytes| {
                let mut sum = crc32fast::Hasher::new_with_initial(self.seed.wrapping_add(frame.offset as u32));
                sum.update(&bytes[8..]);
                sum.finalize().to_le_bytes() == bytes[4..8] && bytes[..4] == *b"WLF1"
            });
            let _ = writeln!(text, "{:>7}  {kind:<12} {}{state}", frame.offset, frame.lsn);
            end = frame.summed_end.next_multiple_of(8);
        }
        let behind = self.bytes.get(end..).unwrap_or_default();
        if !behind.is_empty() {
            let what = if behind.iter().all(|b| *b == 0) { "zeros" } else { "others" };
            let _ = writeln!(text, "{end:>7}  {what:<12} {} bytes", behind.len());
        }
    }

    /// What became of bytes that were written: nothing to say when they are whole.
    fn state(&self, from: usize, to: usize, is_whole: impl Fn(&[u8]) -> bool) -> &'static str {
        match self.bytes.get(from..to) {
            None if self.bytes.len() <= from => "  cut away",
            None => "  cut short",
            Some(bytes) if bytes.iter().all(|b| *b == 0) => "  zeroed",
            Some(bytes) if !is_whole(bytes) => "  hurt",
            Some(_) => "",
        }
    }
}

/// Follows a recipe.
pub fn cook(recipe: &str) -> Result<Made, String> {
    let mut kitchen = Kitchen::new();
    for (number, line) in recipe.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        kitchen.follow(line).map_err(|why| format!("line {}: `{line}`: {why}", number + 1))?;
    }
    kitchen.end_batch()?;
    Ok(kitchen.made)
}

struct Kitchen {
    made: Made,
    log_id: [u8; 16],
    next_lsn: u64,
    time: u64,
    block: u32,
    chain: Option<u32>,
    group: Option<u64>,
    in_batch: bool,
    /// The last frame of a batch is held back until it is known whether another one follows.
    held: Option<Options>,
    hurt: Option<usize>,
    unbound: bool,
}

#[derive(Clone, Debug, Default)]
struct Options {
    kind: Option<u8>,
    tag: u64,
    time: Option<u64>,
    lsn: Option<u64>,
    unsynced: Option<u16>,
    lz4: bool,
    encrypted: bool,
    more: bool,
    split: Option<usize>,
    times: usize,
    payload: Vec<u8>,
}

impl Kitchen {
    fn new() -> Kitchen {
        Kitchen {
            made: Made::default(),
            log_id: *b"recipe's log id!",
            next_lsn: 1,
            time: FIRST_TIME,
            block: 0,
            chain: None,
            group: None,
            in_batch: false,
            held: None,
            hurt: None,
            unbound: false,
        }
    }

    fn follow(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["group"] => self.group = Some(self.next_lsn),
            ["sync"] => self.group = None,
            ["batch"] => {
                self.end_batch()?;
                self.in_batch = true;
                self.group.get_or_insert(self.next_lsn);
            }
            ["end"] => {
                self.end_batch()?;
                self.group = None;
            }
            ["close"] => self.control(17, &[])?,
            ["seal"] => self.control(18, &[])?,
            ["seal", digits] => self.control(18, &hex(digits)?)?,
            ["pad", block] => self.pad(number(block)?)?,
            ["hole", first, last, "chain", sum, ..] => {
                let reason = line.splitn(6, ' ').nth(5).unwrap_or_default();
                self.hole(number(first)?, number(last)?, Some(number(sum)?), reason)?;
            }
            ["hole", first, last, ..] => {
                let reason = line.splitn(4, ' ').nth(3).unwrap_or_default();
                self.hole(number(first)?, number(last)?, None, reason)?;
            }
            ["facts", ..] => {
                let payload = line.split_once(' ').map_or(Vec::new(), |(_, json)| json.as_bytes().to_vec());
                // It has the LSN and the time of the record behind it.
                let (lsn, time) = (Some(self.next_lsn), Some(self.time + 1000));
                self.add_frame(Options { kind: Some(20), lsn, time, payload, ..Options::default() })?;
            }
            ["segment"] => self.begin_segment()?,
            ["begin", lsn] => self.next_lsn = number(lsn)?,
            ["skip", count] => self.next_lsn += number::<u64>(count)?,
            ["block", size] => self.block = number(size)?,
            ["other", "log"] => self.log_id = *b"another log's id",
            ["chain", sum] => self.chain = Some(number(sum)?),
            ["in", segment] => self.hurt = Some(number::<usize>(segment)?.checked_sub(1).ok_or("segments count from 1")?),
            ["zeros", count] => {
                let count: usize = number(count)?;
                self.grow(|bytes| bytes.resize(bytes.len() + count, 0))?;
            }
            ["raw", digits] => {
                let more = hex(digits)?;
                self.grow(|bytes| bytes.extend_from_slice(&more))?;
            }
            ["copy", place, count] => {
                let at = self.place(place)?;
                let count: usize = number(count)?;
                let copy = self.target()?.bytes.get(at..at + count).ok_or("no bytes there")?.to_vec();
                self.grow(|bytes| bytes.extend_from_slice(&copy))?;
            }
            ["cut", "to", place] => {
                let at = self.place(place)?;
                self.target()?.bytes.truncate(at);
            }
            ["cut", count] => {
                let count: usize = number(count)?;
                let bytes = &mut self.target()?.bytes;
                bytes.truncate(bytes.len().saturating_sub(count));
            }
            ["flip", place, bit] => {
                let (at, bit) = (self.place(place)?, number::<u32>(bit)?);
                *self.target()?.bytes.get_mut(at).ok_or("no byte there")? ^= 1u8.checked_shl(bit).ok_or("bits go from 0 to 7")?;
            }
            ["zero", place, count] => {
                let (at, count) = (self.place(place)?, number::<usize>(count)?);
                self.target()?.bytes.get_mut(at..at + count).ok_or("no bytes there")?.fill(0);
            }
            ["put", place, digits] => {
                let (at, new) = (self.place(place)?, hex(digits)?);
                self.target()?.bytes.get_mut(at..at + new.len()).ok_or("no bytes there")?.copy_from_slice(&new);
            }
            ["version", version] => self.patch_header(8, &number::<u16>(version)?.to_le_bytes())?,
            ["flags", flags] => self.patch_header(10, &number::<u16>(flags)?.to_le_bytes())?,
            ["header", at, ..] => {
                let digits = line.splitn(3, ' ').nth(2).unwrap_or_default();
                self.patch_header(number(at)?, &hex(digits)?)?;
            }
            ["resum", place] => self.resum(place)?,
            ["unbound"] => self.unbound = true,
            ["drop", "segment", which] => {
                let at = number::<usize>(which)?.wrapping_sub(1);
                self.made.segments.get(at).ok_or("no such segment")?;
                self.made.segments.remove(at);
            }
            ["rename", which, name] => {
                let at = number::<usize>(which)?.wrapping_sub(1);
                self.made.segments.get_mut(at).ok_or("no such segment")?.name = name.to_owned();
            }
            ["file", name, ..] => {
                let text = line.splitn(3, ' ').nth(2).unwrap_or_default();
                self.made.files.push((name.to_owned(), unescape(text)?));
            }
            _ => return self.frame_line(line),
        }
        Ok(())
    }

    fn frame_line(&mut self, line: &str) -> Result<(), String> {
        let mut options = Options { times: 1, ..Options::default() };
        let mut rest = line;
        loop {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let mut argument = || {
                let (value, next) = after.split_once(' ').unwrap_or((after, ""));
                rest = next;
                value
            };
            match word {
                "record" => options.payload = unescape(after)?,
                "hex" => options.payload = hex(after)?,
                "fill" => {
                    let (count, byte) = after.split_once(' ').unwrap_or((after, "97"));
                    options.payload = vec![number(byte)?; number(count)?];
                }
                "lz4" | "encrypted" | "more" => {
                    match word {
                        "lz4" => options.lz4 = true,
                        "encrypted" => options.encrypted = true,
                        _ => options.more = true,
                    }
                    rest = after;
                    continue;
                }
                "kind" => {
                    let name = argument();
                    let known = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
                    options.kind = Some(known.map_or_else(|| number(name), Ok)?);
                    continue;
                }
                "tag" => {
                    options.tag = number(argument())?;
                    continue;
                }
                "time" => {
                    options.time = Some(number(argument())?);
                    continue;
                }
                "lsn" => {
                    options.lsn = Some(number(argument())?);
                    continue;
                }
                "unsynced" => {
                    let value = argument();
                    options.unsynced = Some(if value == "unknown" { u16::MAX } else { number(value)? });
                    continue;
                }
                "split" => {
                    options.split = Some(number(argument())?);
                    continue;
                }
                "times" => {
                    options.times = number(argument())?;
                    continue;
                }
                "" if options.kind.is_some() => {}
                _ => return Err(format!("`{word}` is no word of a recipe")),
            }
            break;
        }
        for _ in 0..options.times {
            self.add(options.clone())?;
        }
        Ok(())
    }

    fn add(&mut self, options: Options) -> Result<(), String> {
        let Some(size) = options.split else { return self.add_frame(options) };
        let pieces: Vec<Vec<u8>> = options.payload.chunks(size.max(1)).map(<[u8]>::to_vec).collect();
        let lone = self.group.is_none();
        self.group.get_or_insert(self.next_lsn);
        for (index, payload) in pieces.iter().enumerate() {
            let kind = match index {
                _ if pieces.len() == 1 => 0,
                0 => 1,
                _ if index + 1 == pieces.len() => 3,
                _ => 2,
            };
            self.add_frame(Options { kind: Some(kind), payload: payload.clone(), ..options.clone() })?;
        }
        if lone {
            self.group = None;
        }
        Ok(())
    }

    /// Gives a data frame its number and time, and writes it, or holds it back in a batch.
    fn add_frame(&mut self, mut options: Options) -> Result<(), String> {
        let kind = *options.kind.get_or_insert(0);
        let lsn = *options.lsn.get_or_insert(self.next_lsn);
        options.time.get_or_insert(self.time);
        self.time += 1000;
        if kind < 16 {
            self.next_lsn = lsn.saturating_add(1);
        }
        let before = self.group.map_or(0, |first| lsn.saturating_sub(first));
        options.unsynced.get_or_insert(u16::try_from(before).unwrap_or(u16::MAX));
        if self.made.segments.is_empty() {
            self.new_segment(lsn);
        }
        if !self.in_batch {
            return self.write(&options);
        }
        if let Some(before) = self.held.replace(options) {
            self.write(&Options { more: true, ..before })?;
        }
        Ok(())
    }

    fn end_batch(&mut self) -> Result<(), String> {
        if let Some(last) = self.held.take() {
            self.write(&last)?;
        }
        self.in_batch = false;
        Ok(())
    }

    fn control(&mut self, kind: u8, payload: &[u8]) -> Result<(), String> {
        self.end_batch()?;
        self.group = None;
        self.add_frame(Options { kind: Some(kind), payload: payload.to_vec(), ..Options::default() })
    }

    fn hole(&mut self, first: u64, last: u64, chain: Option<u32>, reason: &str) -> Result<(), String> {
        let mut payload = b"WLHO\x01\0\x01".to_vec();
        payload.push(u8::from(chain.is_some()));
        for number in [first, last, self.time - 1000, 0] {
            payload.extend_from_slice(&number.to_le_bytes());
        }
        payload.extend_from_slice(&chain.unwrap_or(0).to_le_bytes());
        payload.extend_from_slice(&u32::try_from(reason.len()).map_err(|e| e.to_string())?.to_le_bytes());
        payload.extend_from_slice(reason.as_bytes());
        self.end_batch()?;
        self.group = None;
        if self.made.segments.is_empty() {
            self.new_segment(first);
        }
        self.next_lsn = last + 1;
        self.add_frame(Options { kind: Some(19), payload, ..Options::default() })
    }

    fn pad(&mut self, block: usize) -> Result<(), String> {
        self.end_batch()?;
        let length = self.made.segments.last().ok_or("there is no segment yet")?.bytes.len();
        let mut room = length.next_multiple_of(block) - length;
        if room < 40 {
            room += block;
        }
        let lsn = self.next_lsn;
        let options = Options { kind: Some(16), payload: vec![0; room - 40], lsn: Some(lsn), ..Options::default() };
        self.add_frame(options)
    }

    fn begin_segment(&mut self) -> Result<(), String> {
        self.end_batch()?;
        self.group = None;
        self.new_segment(self.next_lsn);
        Ok(())
    }

    fn new_segment(&mut self, first_lsn: u64) {
        let chain = self.made.segments.last().map_or(0, |before| before.chain);
        let mut bytes = vec![0; 4096];
        bytes[..8].copy_from_slice(&[0x89, 0x57, 0x41, 0x4C, 0x0D, 0x0A, 0x1A, 0x0A]);
        bytes[8..10].copy_from_slice(&1u16.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.block.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.log_id);
        bytes[32..40].copy_from_slice(&first_lsn.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.time.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.chain.take().unwrap_or(chain).to_le_bytes());
        sum_header(&mut bytes);
        let mut seed = crc32fast::Hasher::new();
        seed.update(&self.log_id);
        seed.update(&first_lsn.to_le_bytes());
        let name = format!("{:020}.wal", first_lsn);
        self.made.segments.push(Segment { name, bytes, frames: Vec::new(), seed: seed.finalize(), chain });
    }

    fn write(&mut self, options: &Options) -> Result<(), String> {
        let segment = self.made.segments.last_mut().ok_or("there is no segment yet")?;
        let offset = segment.bytes.len();
        let flags = u8::from(options.lz4) | u8::from(options.encrypted) << 1 | u8::from(options.more) << 2;
        let mut stored = options.payload.clone();
        if options.lz4 {
            let mut packed = u32::try_from(stored.len()).map_err(|e| e.to_string())?.to_le_bytes().to_vec();
            packed.extend(lz4_flex::block::compress(&stored));
            stored = packed;
        }
        let length = stored.len() + if options.encrypted { 28 } else { 0 };
        let (kind, lsn) = (options.kind.unwrap_or(0), options.lsn.unwrap_or(0));
        let mut frame = Vec::with_capacity(40 + length + 8);
        frame.extend_from_slice(b"WLF1\0\0\0\0");
        frame.extend_from_slice(&u32::try_from(length).map_err(|e| e.to_string())?.to_le_bytes());
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&options.unsynced.unwrap_or(0).to_le_bytes());
        frame.extend_from_slice(&lsn.to_le_bytes());
        frame.extend_from_slice(&options.time.unwrap_or(0).to_le_bytes());
        frame.extend_from_slice(&options.tag.to_le_bytes());
        if options.encrypted {
            mark_encrypted(&mut segment.bytes, !self.unbound);
            // A nonce that differs from frame to frame and is the same in each run.
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&lsn.to_le_bytes());
            let mut aad = (offset as u64).to_le_bytes().to_vec();
            aad.extend_from_slice(&frame[8..40]);
            let (key, aad) = match self.unbound {
                true => ([0x6b; 32], &aad[8..]),
                false => (hkdf(&segment.bytes[16..32], &[b"walctl payloads", &segment.bytes[32..40]]), &aad[..]),
            };
            let sealed = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key))
                .encrypt(&Nonce::from(nonce), Payload { msg: &stored, aad })
                .map_err(|e| e.to_string())?;
            stored = [&nonce[..], &sealed].concat();
        }
        frame.extend_from_slice(&stored);
        let start = segment.seed.wrapping_add(u32::try_from(offset).map_err(|e| e.to_string())?);
        let mut sum = crc32fast::Hasher::new_with_initial(start);
        sum.update(&frame[8..]);
        segment.chain = sum.finalize();
        frame[4..8].copy_from_slice(&segment.chain.to_le_bytes());
        let summed_end = offset + frame.len();
        frame.resize(frame.len().next_multiple_of(8), 0);
        segment.bytes.extend_from_slice(&frame);
        segment.frames.push(Frame { lsn, kind, offset, summed_end });
        Ok(())
    }

    /// The segment that is to be hurt. What is held back is written first.
    fn target(&mut self) -> Result<&mut Segment, String> {
        self.end_batch()?;
        let at = self.hurt.unwrap_or(self.made.segments.len().wrapping_sub(1));
        self.made.segments.get_mut(at).ok_or_else(|| "no such segment".to_owned())
    }

    fn grow(&mut self, how: impl FnOnce(&mut Vec<u8>)) -> Result<(), String> {
        if self.made.segments.is_empty() {
            self.begin_segment()?;
        }
        how(&mut self.target()?.bytes);
        Ok(())
    }

    fn patch_header(&mut self, at: usize, value: &[u8]) -> Result<(), String> {
        let bytes = &mut self.target()?.bytes;
        bytes.get_mut(at..at + value.len()).ok_or("the header is not there")?.copy_from_slice(value);
        sum_header(bytes);
        Ok(())
    }

    fn resum(&mut self, place: &str) -> Result<(), String> {
        let at = self.place(place)?;
        let segment = self.target()?;
        let seed = segment.seed.wrapping_add(u32::try_from(at).map_err(|e| e.to_string())?);
        let frame = segment.bytes.get_mut(at..).filter(|rest| rest.len() >= 40).ok_or("no frame there")?;
        let length = u32::from_le_bytes([frame[8], frame[9], frame[10], frame[11]]) as usize;
        let mut sum = crc32fast::Hasher::new_with_initial(seed);
        sum.update(frame.get(8..40 + length).ok_or("the frame is longer than the file")?);
        frame[4..8].copy_from_slice(&sum.finalize().to_le_bytes());
        Ok(())
    }

    fn place(&mut self, text: &str) -> Result<usize, String> {
        let Some(lsn) = text.strip_prefix('@') else { return number(text) };
        let (lsn, more) = lsn.split_once('+').unwrap_or((lsn, "0"));
        let (lsn, more): (u64, usize) = (number(lsn)?, number(more)?);
        let segment = self.target()?;
        let frame = segment.frames.iter().find(|f| f.lsn == lsn).ok_or("no frame there has this LSN")?;
        Ok(frame.offset + more)
    }
}

fn sum_header(bytes: &mut [u8]) {
    let sum = crc32fast::hash(&bytes[..56]);
    bytes[56..60].copy_from_slice(&sum.to_le_bytes());
}

/// Says in the header that payloads are encrypted, and with which key; and where they are bound, authenticates it and copies it.
fn mark_encrypted(bytes: &mut [u8], bound: bool) {
    let salt = *b"salt of a recipe";
    let id = Sha256::new().chain_update(b"walctl key id").chain_update(salt).chain_update([0x6b; 32]).finalize();
    bytes[10] |= 1 | u8::from(bound) << 1;
    bytes[64..72].copy_from_slice(&id[..8]);
    bytes[72..88].copy_from_slice(&salt);
    sum_header(bytes);
    if bound {
        let mac = hkdf(&bytes[16..32], &[b"walctl header", &bytes[..88]]);
        bytes[88..104].copy_from_slice(&mac[..16]);
        bytes.copy_within(..104, 2048);
    }
}

/// HKDF-SHA256 of the key: its first 32 bytes.
fn hkdf(salt: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let extracted = hmac(salt, &[&[0x6b; 32]]);
    hmac(&extracted, &[&info.concat(), &[1]])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(parts.concat()).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits here"))
}

fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u32> = digits.chars().filter(|c| *c != ' ').map_while(|c| c.to_digit(16)).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err("hex digits come in pairs".into());
    }
    Ok(digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two hex digits fit a byte")).collect())
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => bytes.extend(hex(&chars.by_ref().take(2).collect::<String>())?),
            _ => return Err("an escape is \\n, \\t, \\\\ or \\xNN".into()),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(recipe: &str) -> Made {
        cook(recipe).unwrap_or_else(|why| panic!("{why}"))
    }

    fn u16_at(bytes: &[u8], at: usize) -> u16 {
        u16::from_le_bytes([bytes[at], bytes[at + 1]])
    }

    #[test]
    fn a_record_stands_behind_the_header_with_a_sum_that_fits_its_place() {
        let made = made("record alpha");
        let bytes = &made.segments[0].bytes;
        assert_eq!(made.segments[0].name, "00000000000000000001.wal");
        assert_eq!((bytes.len(), &bytes[4096..4100], &bytes[4136..4141]), (4096 + 48, &b"WLF1"[..], &b"alpha"[..]));
        let seed = crc32fast::hash(&[&b"recipe's log id!"[..], &1u64.to_le_bytes()].concat());
        let mut sum = crc32fast::Hasher::new_with_initial(seed + 4096);
        sum.update(&bytes[4104..4141]);
        assert_eq!(bytes[4100..4104], sum.finalize().to_le_bytes());
    }

    #[test]
    fn a_group_counts_what_was_not_yet_synced() {
        let made = made("record a\ngroup\nrecord b\nrecord c\nrecord d\nsync\nrecord e\nclose");
        let segment = &made.segments[0];
        let unsynced: Vec<u16> = segment.frames.iter().map(|f| u16_at(&segment.bytes, f.offset + 14)).collect();
        assert_eq!(unsynced, [0, 0, 1, 2, 0, 0]);
        assert_eq!(segment.frames.iter().map(|f| f.lsn).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn all_but_the_last_of_a_batch_say_that_more_follows() {
        let made = made("batch\nrecord a\ntag 9 record b\nrecord c\nend\nrecord d");
        let segment = &made.segments[0];
        let flags: Vec<u8> = segment.frames.iter().map(|f| segment.bytes[f.offset + 13]).collect();
        assert_eq!(flags, [4, 4, 0, 0]);
        assert_eq!(segment.bytes[segment.frames[1].offset + 32], 9);
    }

    #[test]
    fn a_split_record_has_a_first_and_a_last_and_an_lsn_each() {
        let made = made("split 4 record abcdefghij");
        let kinds: Vec<u8> = made.segments[0].frames.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [1, 2, 3]);
        assert_eq!(made.segments[0].frames[2].lsn, 3);
    }

    #[test]
    fn segments_are_chained_by_the_last_sum_and_named_by_their_first_lsn() {
        let made = made("begin 41\nrecord a\nrecord b\nsegment\nrecord c");
        let (first, second) = (&made.segments[0], &made.segments[1]);
        assert_eq!((first.name.as_str(), second.name.as_str()), ("00000000000000000041.wal", "00000000000000000043.wal"));
        let last = first.frames[1].offset;
        assert_eq!(second.bytes[48..52], first.bytes[last + 4..last + 8]);
    }

    #[test]
    fn a_pad_ends_at_the_block() {
        for text in ["a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            let made = made(&format!("record {text}\npad 512"));
            assert_eq!(made.segments[0].bytes.len() % 512, 0);
        }
    }

    #[test]
    fn damage_lands_where_the_recipe_says() {
        let whole = made("record alpha\nrecord beta");
        let hurt = made("record alpha\nrecord beta\nflip @2+40 0\ncut 2\nzeros 1");
        let (was, is) = (&whole.segments[0].bytes, &hurt.segments[0].bytes);
        let at = whole.segments[0].frames[1].offset + 40;
        assert_eq!((is[at], is.len()), (was[at] ^ 1, was.len() - 1));
        assert_eq!(made("record a\nsegment\nrecord b\ndrop segment 1").segments[0].name, "00000000000000000002.wal");
        assert!(made("").segments.is_empty());
        assert!(made("segment\ncut to 0").segments[0].bytes.is_empty());
        let first = made("record a\nsegment\nrecord b\nin 1\ncut 1");
        assert_eq!(first.segments[0].bytes.len(), 4096 + 48 - 1);
    }

    #[test]
    fn a_patched_header_has_a_right_sum_again() {
        let bytes = &made("record a\nversion 2").segments[0].bytes;
        assert_eq!((bytes[8], &bytes[56..60]), (2, &crc32fast::hash(&bytes[..56]).to_le_bytes()[..]));
    }

    #[test]
    fn what_is_no_recipe_is_named_with_its_line() {
        assert_eq!(cook("record a\nrecrod b").expect_err("a slip"), "line 2: `recrod b`: `recrod` is no word of a recipe");
        assert!(cook("flip 0 9").is_err() && cook("hex 0").is_err() && cook(r"record \q").is_err());
        assert_eq!(unescape(r"a\n\x1b\\").expect("it is right"), b"a\n\x1b\\");
    }

    #[test]
    fn a_drawing_says_what_became_of_each_frame() {
        let drawn = made("record a\nrecord b\nrecord c\nrecord d\nflip @1+40 0\nzero @2 48\ncut to @4+8").draw();
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0], "00000000000000000001.wal, 4248 bytes");
        assert_eq!(lines[1..4], ["      0  header", "   4096  full         1  hurt", "   4144  full         2  zeroed"]);
        assert_eq!(lines[4..], ["   4192  full         3", "   4240  full         4  cut short"]);
        let drawn = made("record a\nrecord b\ncut to @2\nzeros 64\nflip 20 1").draw();
        assert!(
            drawn.contains("header  hurt\n")
                && drawn.ends_with("   4144  full         2  zeroed\n   4192  zeros        16 bytes\n"),
            "{drawn}"
        );
    }
}
