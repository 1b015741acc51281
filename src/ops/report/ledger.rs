//! Ledgers: which records a writer was told are durable, kept outside of the log, and whether the log still has them.
//!
//! ```text
//! # walctl ledger 1 LOG-ID
//! LSN LENGTH DIGEST
//! ```
//! A line a record, in the order of their LSNs; the digest is the first half of the payload's SHA-256. A last line without its end was
//! being written when the power failed: it does not count.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::formats::{Halt, Item, Sink, Visit, Want};
use crate::model::{Damage, Error, Look, Lsn, LsnRange, Record, Result};
use crate::ops::Input;

/// The first half of a payload's SHA-256.
pub type PayloadDigest = [u8; 16];

/// How many ranges and differing records are listed one by one.
const LISTED: usize = 10_000;
/// No honest line is longer.
const LINE: u64 = 256;

/// One line of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The record's number.
    pub lsn: Lsn,
    /// How long its payload is.
    pub length: u64,
    /// What it holds.
    pub digest: PayloadDigest,
}

/// The digest of a payload.
#[must_use]
pub fn payload_digest(payload: &[u8]) -> PayloadDigest {
    half(Sha256::digest(payload).as_slice())
}

fn half(digest: &[u8]) -> PayloadDigest {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// The first line of a ledger.
#[must_use]
pub fn ledger_head(log_id: &[u8; 16]) -> String {
    let mut text = String::from("# walctl ledger 1 ");
    push_hex(&mut text, log_id);
    text.push('\n');
    text
}

fn push_hex(text: &mut String, bytes: &[u8; 16]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("a half byte is a hex digit"));
        }
    }
}

impl LedgerEntry {
    /// Appends the entry's line.
    pub fn push(&self, text: &mut String) {
        use std::fmt::Write;
        write!(text, "{} {} ", self.lsn, self.length).expect("a string takes everything");
        push_hex(text, &self.digest);
        text.push('\n');
    }

    /// Reads a line, without its end.
    #[must_use]
    pub fn parse(line: &str) -> Option<LedgerEntry> {
        let mut words = line.split(' ');
        let (lsn, length, hex) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let mut digest = [0; 16];
        if words.next().is_some() || hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(LedgerEntry { lsn: Lsn(lsn), length, digest })
    }
}

/// What a ledger says about a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport {
    /// Records that the ledger lists.
    pub listed: u64,
    /// Of these, how many the log lacks.
    pub lacking: u64,
    /// Which ones, as far as they are listed.
    pub lacks: Vec<LsnRange>,
    /// How many of them lie before the log's first record: pruned, or lost with the segments there.
    pub before: u64,
    /// Records that are there with another content.
    pub different: Vec<Lsn>,
    /// Records whose content could not be compared: encrypted, and no key fits.
    pub unread: u64,
}

impl LedgerReport {
    /// Whether the log has everything that was acknowledged.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.lacking == 0 && self.different.is_empty()
    }

    /// Marks interrupted writes of which the ledger lists nothing: nobody had been promised them.
    pub fn heed(&self, damage: &mut [Damage]) {
        // A list that was cut short proves nothing about what it leaves out.
        let complete = self.lacks.iter().map(LsnRange::count).sum::<u64>() == self.lacking;
        for one in damage.iter_mut().filter(|one| complete && one.facts.look == Look::Interrupted && one.facts.proof.is_none()) {
            let Some(first) = one.lsn else { continue };
            // Where nothing tells how many records stood there, it may have been any number.
            let last = one.doubt.map_or(Lsn(u64::MAX), |doubt| doubt.last);
            if !self.lacks.iter().any(|range| range.first <= last && first <= range.last) {
                one.facts.unpromised = true;
            }
        }
    }

    fn lack(&mut self, lsn: Lsn) {
        self.lacking += 1;
        let room = self.lacks.len() < LISTED;
        match self.lacks.last_mut() {
            Some(range) if range.last.next() == lsn => range.last = lsn,
            _ if room => self.lacks.push(LsnRange { first: lsn, last: lsn }),
            _ => {}
        }
    }
}

/// A ledger that is read line by line.
struct Ledger<R> {
    lines: R,
    path: PathBuf,
    number: u64,
    next: Option<LedgerEntry>,
    last: Option<Lsn>,
}

impl<R: BufRead> Ledger<R> {
    fn wrong(&self, what: &str) -> Error {
        Error::Input { what: format!("{}:{}: {what}", self.path.display(), self.number) }
    }

    /// Reads on to the next entry.
    fn step(&mut self) -> Result<()> {
        self.next = None;
        loop {
            let mut line = Vec::new();
            let mut limited = std::io::Read::take(&mut self.lines, LINE);
            limited.read_until(b'\n', &mut line).map_err(Error::io("read", &self.path))?;
            self.number += 1;
            if line.pop() != Some(b'\n') {
                if line.len() as u64 + 1 >= LINE {
                    return Err(self.wrong("this is no line of a ledger"));
                }
                return Ok(());
            }
            let text = std::str::from_utf8(&line).unwrap_or_default();
            if text.starts_with('#') || (text.is_empty() && line.is_empty()) {
                continue;
            }
            let entry = LedgerEntry::parse(text).ok_or_else(|| self.wrong("this is no line of a ledger"))?;
            if self.last.is_some_and(|last| entry.lsn <= last) {
                return Err(self.wrong("the LSNs of a ledger go up, and this one does not"));
            }
            (self.last, self.next) = (Some(entry.lsn), Some(entry));
            return Ok(());
        }
    }
}

/// Compares a log with a ledger: every record that was acknowledged must be there, with the same content.
pub fn check_ledger(input: &Input, path: &Path) -> Result<LedgerReport> {
    let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    check_lines(input, BufReader::with_capacity(256 << 10, file), path)
}

fn check_lines(input: &Input, lines: impl BufRead, path: &Path) -> Result<LedgerReport> {
    let mut ledger = Ledger { lines, path: path.to_owned(), number: 0, next: None, last: None };
    let mut report = LedgerReport::default();
    let mut first = None;
    ledger.step()?;
    for segment in &input.source.segments {
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            let Item::Record(record) = item else { return Ok(()) };
            let Some(lsn) = record.lsn.filter(|_| !record.physical) else { return Ok(()) };
            first.get_or_insert(lsn);
            meet(&mut ledger, &mut report, record, lsn)?;
            Ok(())
        };
        let want = Want { payloads: true, ..Want::default() };
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want, before: None };
        match (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
            Ok(_) | Err(Halt::Enough) => {}
            Err(Halt::Failed(error)) => return Err(error),
        }
    }
    while let Some(entry) = ledger.next {
        report.listed += 1;
        report.lack(entry.lsn);
        ledger.step()?;
    }
    let before = |range: &LsnRange| first.map_or(0, |first: Lsn| first.0.saturating_sub(range.first.0).min(range.count()));
    report.before = report.lacks.iter().map(before).sum();
    Ok(report)
}

/// A record of the log: what the ledger lists before it is lacking.
fn meet<R: BufRead>(ledger: &mut Ledger<R>, report: &mut LedgerReport, record: &Record<'_>, lsn: Lsn) -> Result<()> {
    while let Some(entry) = ledger.next.filter(|entry| entry.lsn <= lsn) {
        report.listed += 1;
        if entry.lsn < lsn {
            report.lack(entry.lsn);
        } else if record.encrypted {
            report.unread += 1;
        } else {
            let mut hasher = Sha256::new();
            record.payload.each(&mut |piece| {
                hasher.update(piece);
                Ok(())
            })?;
            let same = entry.length == record.payload.length() && entry.digest == half(hasher.finalize().as_slice());
            if !same && report.different.len() < LISTED {
                report.different.push(lsn);
            }
        }
        ledger.step()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, SimDisk};
    use crate::ops::{Choice, open};
    use crate::writer::{GroupCommit, Options};

    fn log(records: &[&str]) -> (SimDisk, String) {
        let disk = SimDisk::new();
        let options = Options { background: false, ..Options::default() };
        let log = GroupCommit::open(Arc::new(disk.clone()), Path::new("/log"), options).expect("a new log");
        let mut text = ledger_head(&log.log_id());
        for record in records {
            let lsn = log.append(record.as_bytes()).expect("the disk is well").lsn;
            LedgerEntry { lsn, length: record.len() as u64, digest: payload_digest(record.as_bytes()) }.push(&mut text);
        }
        log.close().expect("it closes");
        (disk, text)
    }

    fn check(disk: &SimDisk, ledger: &str) -> Result<LedgerReport> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let inputs = open(&shared, Path::new("/log"), &Choice::default()).expect("it is a log");
        check_lines(&inputs[0], ledger.as_bytes(), Path::new("ledger"))
    }

    #[test]
    fn a_log_that_has_everything_meets_its_ledger() {
        let (disk, text) = log(&["alpha", "", "gamma"]);
        let report = check(&disk, &text).expect("it reads");
        assert_eq!(report, LedgerReport { listed: 3, ..LedgerReport::default() });
        assert!(report.is_met());
        // The last line was being written when the power failed.
        assert!(check(&disk, &format!("{text}4 10 00")).expect("it reads").is_met());
    }

    #[test]
    fn what_is_lacking_or_another_is_named() {
        let (disk, _) = log(&["alpha", "beta"]);
        let (_, text) = log(&["alpha", "other", "gamma", "delta"]);
        let report = check(&disk, &text).expect("it reads");
        assert_eq!((report.listed, report.lacking, report.before), (4, 2, 0));
        assert_eq!(report.lacks, [LsnRange { first: Lsn(3), last: Lsn(4) }]);
        assert_eq!(report.different, [Lsn(2)]);
    }

    #[test]
    fn the_digest_of_a_payload_is_the_first_half_of_its_sha_256() {
        let (mut text, digest) = (String::new(), payload_digest(b"abc"));
        push_hex(&mut text, &digest);
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223");
        assert_ne!(payload_digest(b"abd"), digest);
    }

    #[test]
    fn a_record_of_the_same_length_with_another_content_is_another_one() {
        let (disk, _) = log(&["alpha", "beta"]);
        let (_, text) = log(&["alpha", "BETA"]);
        let report = check(&disk, &text).expect("it reads");
        assert_eq!((report.lacking, report.different.as_slice(), report.is_met()), (0, &[Lsn(2)][..], false));
    }

    #[test]
    fn a_torn_write_that_the_ledger_does_not_list_was_promised_to_nobody() {
        use crate::model::{Acknowledged, Facts, Kind, SegmentId, Span};
        let torn = |lsn| Damage {
            kind: Kind::CutShort,
            span: Span::new(SegmentId(0), 4096, 4100),
            lsn: Some(Lsn(lsn)),
            doubt: None,
            expected: String::new(),
            found: String::new(),
            facts: Facts::of(Look::Interrupted),
        };
        let ledger =
            LedgerReport { lacking: 1, lacks: vec![LsnRange { first: Lsn(5), last: Lsn(5) }], ..LedgerReport::default() };
        for (lsn, answer) in [(4, Acknowledged::Unknown), (5, Acknowledged::Unknown), (6, Acknowledged::No)] {
            let mut damage = [torn(lsn)];
            ledger.heed(&mut damage);
            assert_eq!(damage[0].acknowledged(), answer, "LSN {lsn}");
            let mut damage = [torn(lsn)];
            LedgerReport { lacking: 2, ..ledger.clone() }.heed(&mut damage);
            assert_eq!(damage[0].acknowledged(), Acknowledged::Unknown, "a list that is not complete, LSN {lsn}");
        }
    }

    #[test]
    fn what_is_no_ledger_is_refused_with_its_line() {
        let (disk, text) = log(&["alpha", "beta"]);
        for wrong in ["hello\n", "1 2\n", "1 2 zz\n", "1 2 00112233445566778899aabbccddeeff more\n"] {
            assert!(check(&disk, wrong).expect_err("it is none").to_string().starts_with("ledger:1: "), "{wrong}");
        }
        let twice = format!("{text}{text}");
        assert!(check(&disk, &twice).expect_err("it goes down").to_string().starts_with("ledger:5: "));
        assert!(check(&disk, &"x".repeat(100_000)).is_err());
    }
}
