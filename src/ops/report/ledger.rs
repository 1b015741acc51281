//! Ledgers: which records a writer was told are durable, kept outside of the log, and whether the log still has them.
//!
//! ```text
//! # walctl ledger 1 LOG-ID
//! # from LSN
//! LSN LENGTH DIGEST
//! ```
//! The first line names the log. A line a record, in the order of their LSNs; the digest is the first half of the payload's SHA-256. Each run
//! of a writer begins with the LSN that was due, for nothing is known of what others wrote between two runs. A last line without its end
//! was being written when the power failed: it does not count.
//!
//! A ledger proves that a record was promised. It proves that one was not only where it reaches beyond it: lines at its end may be lost,
//! with a file that was cut or a crash that came between a record and its line.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::disk::Stream;
use crate::formats::{Item, Want};
use crate::model::{Damage, Error, Look, Lsn, LsnRange, Record, Result};
use crate::ops::open::Input;
use crate::ops::walk;

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

/// The line with which each run of a writer begins: the LSN that is due.
#[must_use]
pub fn ledger_from(next: Lsn) -> String {
    format!("# from {next}\n")
}

/// The id of the log that a first line names.
fn named_log(line: &str) -> Option<[u8; 16]> {
    let id = digits(line.strip_prefix("# walctl ledger 1 ")?)?;
    // Only what is written by us is read: an id in capitals is none.
    (ledger_head(&id).trim_end() == line).then_some(id)
}

/// 16 bytes from 32 hex digits.
fn digits(hex: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if hex.len() != 32 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
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
        let digest = digits(hex)?;
        if words.next().is_some() {
            return None;
        }
        Some(LedgerEntry { lsn: Lsn(lsn), length, digest })
    }
}

/// What a ledger says about a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport {
    /// Records that the ledger lists.
    pub listed: u64,
    /// The last one that it lists: it says nothing about what lies after that.
    pub reaches: Option<Lsn>,
    /// LSNs that were written while it was not kept, as far as they are listed: of these it says nothing either.
    pub unknown: Vec<LsnRange>,
    /// None of the log's headers tells its id, so it may be the ledger of another log.
    pub unnamed: bool,
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

    /// Marks interrupted writes of which the ledger lists nothing although it reaches beyond them: they were never acknowledged.
    pub fn heed(&self, damage: &mut [Damage]) {
        // A list that was cut short proves nothing about what it leaves out.
        let complete = self.lacks.iter().map(LsnRange::count).sum::<u64>() == self.lacking && self.unknown.len() < LISTED;
        let Some(reaches) = self.reaches.filter(|_| complete && !self.unnamed) else { return };
        for one in damage.iter_mut().filter(|one| one.facts.look == Look::Interrupted && one.facts.proof.is_none()) {
            let Some(first) = one.lsn else { continue };
            // Where nothing tells how many records stood there, it may have been any number.
            let last = one.doubt.map_or(Lsn(u64::MAX), |doubt| doubt.last);
            let meets = |range: &LsnRange| range.first <= last && first <= range.last;
            if last < reaches && !self.lacks.iter().chain(&self.unknown).any(meets) {
                one.facts.unpromised = true;
            }
        }
    }

    /// A run of the writer begins, and nothing was kept between the last record of the one before and its first.
    fn begins(&mut self, next: Lsn) {
        let first = self.reaches.map_or(Lsn(0), Lsn::next);
        if let Some(range) = next.before().and_then(|last| LsnRange::new(first, last)).filter(|_| self.unknown.len() < LISTED) {
            self.unknown.push(range);
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
    /// The log that it is of, once the first line was read.
    log_id: Option<[u8; 16]>,
}

impl<R: BufRead> Ledger<R> {
    fn wrong(&self, what: &str) -> Error {
        Error::Input { what: format!("{}:{}: {what}", self.path.display(), self.number) }
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = std::io::Read::take(&mut self.lines, LINE);
        limited.read_until(b'\n', &mut line).map_err(Error::io("read", &self.path))?;
        self.number += 1;
        if line.pop() != Some(b'\n') {
            if line.len() as u64 + 1 >= LINE {
                return Err(self.wrong("this is no line of a ledger"));
            }
            return Ok(None);
        }
        String::from_utf8(line).map(Some).map_err(|_| self.wrong("this is no line of a ledger"))
    }

    /// Reads the line that names the log. A ledger that ends before its end lists nothing.
    fn head(&mut self) -> Result<()> {
        let Some(line) = self.line()? else { return Ok(()) };
        self.log_id = named_log(&line);
        match self.log_id {
            Some(_) => Ok(()),
            None if line.starts_with("# walctl ledger ") => Err(self.wrong("this version does not know such a ledger")),
            None => Err(self.wrong("this ledger does not name its log: its first line must be `# walctl ledger 1 LOG-ID`")),
        }
    }

    /// Reads on to the next entry.
    fn step(&mut self, report: &mut LedgerReport) -> Result<()> {
        self.next = None;
        while let Some(line) = self.line()? {
            if let Some(next) = line.strip_prefix("# from ").and_then(|lsn| lsn.parse().ok()) {
                report.begins(Lsn(next));
            } else if line.starts_with("# walctl ledger ") && named_log(&line) != self.log_id {
                return Err(self.wrong("here begins the ledger of another log"));
            }
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let entry = LedgerEntry::parse(&line).ok_or_else(|| self.wrong("this is no line of a ledger"))?;
            if self.last.is_some_and(|last| entry.lsn <= last) {
                return Err(self.wrong("the LSNs of a ledger go up, and this one does not"));
            }
            if report.reaches.is_none() && report.unknown.is_empty() {
                report.begins(entry.lsn);
            }
            report.reaches = Some(entry.lsn);
            (self.last, self.next) = (Some(entry.lsn), Some(entry));
            return Ok(());
        }
        Ok(())
    }
}

/// Compares a log with its ledger: every record that was acknowledged must be there, with the same content.
///
/// # Errors
/// If the ledger cannot be read, names no log, or names another one.
pub fn check_ledger(input: &Input, path: &Path) -> Result<LedgerReport> {
    let stream = Stream::open("open", path, || false)?;
    check_lines(input, BufReader::with_capacity(256 << 10, stream), path)
}

/// The ids that the headers of a log's segments give.
fn log_ids(input: &Input) -> Vec<[u8; 16]> {
    let mut ids = Vec::new();
    let Some(header) = input.format.header else { return ids };
    for segment in &input.source.segments {
        if let Some(facts) = header(&input.source, segment, &input.keys)
            && !ids.contains(&facts.log_id)
        {
            ids.push(facts.log_id);
        }
    }
    ids
}

/// A ledger must be of this log.
fn same_log(input: &Input, named: &[u8; 16], path: &Path) -> Result<bool> {
    let (path, log) = (path.display(), input.source.path.display());
    if input.format.ours.is_none() {
        let what = format!("{path} is a ledger of one of walctl's own logs, and {log} is a log of {}", input.format.title);
        return Err(Error::Input { what });
    }
    let ids = log_ids(input);
    if ids.is_empty() {
        return Ok(false);
    }
    if ids.contains(named) {
        return Ok(true);
    }
    let hex = |id: &[u8; 16]| ledger_head(id).trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
    Err(Error::Input { what: format!("{path} is the ledger of another log ({}) than {log} ({})", hex(named), hex(&ids[0])) })
}

fn check_lines(input: &Input, lines: impl BufRead, path: &Path) -> Result<LedgerReport> {
    let mut ledger = Ledger { lines, path: path.to_owned(), number: 0, next: None, last: None, log_id: None };
    let mut report = LedgerReport::default();
    let mut first = None;
    ledger.head()?;
    let Some(named) = ledger.log_id else { return Ok(report) };
    report.unnamed = !same_log(input, &named, path)?;
    ledger.step(&mut report)?;
    walk::each(input, Want { payloads: true, ..Want::default() }, &mut |_, item| {
        let Item::Record(record) = item else { return Ok(()) };
        let Some(lsn) = record.lsn.filter(|_| record.is_data()) else { return Ok(()) };
        first.get_or_insert(lsn);
        meet(&mut ledger, &mut report, record, lsn)?;
        Ok(())
    })?;
    while let Some(entry) = ledger.next {
        report.listed += 1;
        report.lack(entry.lsn);
        ledger.step(&mut report)?;
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
        ledger.step(report)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, SimDisk};
    use crate::ops::open::{Choice, open};
    use crate::writer::{GroupCommit, Settings};

    fn log(records: &[&str]) -> (SimDisk, String) {
        let disk = SimDisk::new();
        let options = Settings { background: false, ..Settings::default() };
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

    /// The lines of a ledger, under the name of the log on this disk.
    fn as_of(disk: &SimDisk, text: &str) -> String {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let input = open(&shared, Path::new("/log"), &Choice::default()).expect("it is a log").remove(0);
        let id = *log_ids(&input).first().expect("its header is whole");
        format!("{}{}", ledger_head(&id), text.split_once('\n').map_or("", |(_, lines)| lines))
    }

    #[test]
    fn the_ledger_of_another_log_and_one_that_names_none_are_refused() {
        let (disk, own) = log(&["alpha"]);
        let (_, other) = log(&["alpha"]);
        let lines = own.split_once('\n').expect("it has a head").1;
        for (text, why) in [
            (other.clone(), "the ledger of another log"),
            (lines.to_owned(), "ledger:1: this ledger does not name its log"),
            (own.replace("ledger 1", "ledger 2"), "does not know"),
            (format!("{own}{other}"), "ledger:3: here begins the ledger of another log"),
        ] {
            let error = check(&disk, &text).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(check(&disk, &format!("{own}{}", ledger_head(&[0; 16]))).is_err());
    }

    #[test]
    fn an_empty_ledger_and_one_whose_head_was_cut_list_nothing() {
        let (disk, text) = log(&["alpha"]);
        for cut in ["", "# walctl led", &text[..50]] {
            assert_eq!(check(&disk, cut).expect("a crash leaves that"), LedgerReport::default(), "{cut}");
        }
    }

    #[test]
    fn a_log_that_has_everything_meets_its_ledger() {
        let (disk, text) = log(&["alpha", "", "gamma"]);
        let report = check(&disk, &text).expect("it reads");
        let unknown = vec![LsnRange { first: Lsn(0), last: Lsn(0) }];
        assert_eq!(report, LedgerReport { listed: 3, reaches: Some(Lsn(3)), unknown, ..LedgerReport::default() });
        assert!(report.is_met());
        // The last line was being written when the power failed.
        assert!(check(&disk, &format!("{text}4 10 00")).expect("it reads").is_met());
    }

    #[test]
    fn what_is_lacking_or_another_is_named() {
        let (disk, _) = log(&["alpha", "beta"]);
        let (_, text) = log(&["alpha", "other", "gamma", "delta"]);
        let text = as_of(&disk, &text);
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
        let report = check(&disk, &as_of(&disk, &text)).expect("it reads");
        assert_eq!((report.lacking, report.different.as_slice(), report.is_met()), (0, &[Lsn(2)][..], false));
    }

    #[test]
    fn a_torn_write_that_the_ledger_does_not_list_was_promised_to_nobody() {
        use crate::model::{Acknowledged, DamageKind, Facts, SegmentId, Span};
        let torn = |lsn| Damage {
            kind: DamageKind::CutShort,
            span: Span::new(SegmentId(0), 4096, 4100),
            lsn: Some(Lsn(lsn)),
            doubt: None,
            expected: String::new(),
            found: String::new(),
            facts: Facts::of(Look::Interrupted),
        };
        let ranges = |all: &[(u64, u64)]| all.iter().map(|(a, b)| LsnRange { first: Lsn(*a), last: Lsn(*b) }).collect::<Vec<_>>();
        let ledger = LedgerReport {
            lacking: 1,
            lacks: ranges(&[(9, 9)]),
            reaches: Some(Lsn(9)),
            unknown: ranges(&[(0, 2), (7, 7)]),
            ..LedgerReport::default()
        };
        let answer = |ledger: &LedgerReport, lsn: u64, last: Option<u64>| {
            let doubt = last.and_then(|last| LsnRange::new(Lsn(lsn), Lsn(last)));
            let mut damage = [Damage { doubt, ..torn(lsn) }];
            ledger.heed(&mut damage);
            damage[0].acknowledged()
        };
        // Only 5 and 6 lie within what it lists, are not listed, and were written while it was kept.
        for (lsn, last, says) in [
            (5, Some(6), Acknowledged::No),
            (5, None, Acknowledged::Unknown),
            (2, Some(3), Acknowledged::Unknown),
            (6, Some(7), Acknowledged::Unknown),
            (8, Some(9), Acknowledged::Unknown),
            (10, Some(10), Acknowledged::Unknown),
        ] {
            assert_eq!(answer(&ledger, lsn, last), says, "LSN {lsn}-{last:?}");
        }
        let proves_nothing = [
            ("empty", LedgerReport::default()),
            ("cut", LedgerReport { reaches: Some(Lsn(4)), ..ledger.clone() }),
            ("not complete", LedgerReport { lacking: 2, ..ledger.clone() }),
            ("perhaps of another log", LedgerReport { unnamed: true, ..ledger.clone() }),
        ];
        for (what, ledger) in proves_nothing {
            assert_eq!(answer(&ledger, 5, Some(6)), Acknowledged::Unknown, "{what}");
        }
    }

    #[test]
    fn what_others_wrote_between_two_runs_is_unknown() {
        let (disk, text) = log(&["a", "b", "c", "d", "e"]);
        let lines: Vec<&str> = text.lines().collect();
        let kept = [lines[0], "# from 1", lines[1], "# from 4", lines[4], "# from 6", ""].join("\n");
        let report = check(&disk, &kept).expect("it reads");
        let range = |a, b| LsnRange { first: Lsn(a), last: Lsn(b) };
        assert_eq!((report.unknown, report.reaches), (vec![range(0, 0), range(2, 3), range(5, 5)], Some(Lsn(4))));
    }

    #[test]
    fn what_is_no_ledger_is_refused_with_its_line() {
        let (disk, text) = log(&["alpha", "beta"]);
        for wrong in ["hello\n", "1 2\n", "1 2 zz\n", "1 2 00112233445566778899aabbccddeeff more\n"] {
            let wrong = format!("{}{wrong}", text.lines().next().map(|head| format!("{head}\n")).unwrap_or_default());
            assert!(check(&disk, &wrong).expect_err("it is none").to_string().starts_with("ledger:2: "), "{wrong}");
        }
        let twice = format!("{text}{text}");
        assert!(check(&disk, &twice).expect_err("it goes down").to_string().starts_with("ledger:5: "));
        assert!(check(&disk, &"x".repeat(100_000)).is_err());
    }

    #[test]
    fn so_many_ranges_of_lacking_records_are_listed_and_all_are_counted() {
        let mut report = LedgerReport::default();
        (0..=LISTED as u64).for_each(|n| report.lack(Lsn(1 + 2 * n)));
        assert_eq!((report.lacks.len(), report.lacking), (LISTED, LISTED as u64 + 1));
        let mut report = LedgerReport::default();
        [3, 4, 5, 9].into_iter().for_each(|n| report.lack(Lsn(n)));
        assert_eq!(report.lacks.iter().map(|range| (range.first.0, range.last.0)).collect::<Vec<_>>(), [(3, 5), (9, 9)]);
    }
}
