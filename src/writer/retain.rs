//! Which segments may go, and what keeps the others.
//!
//! Segments go from the oldest on and never leave a hole. What has to be known of a sealed one stands in its Seal, so a plan costs two
//! small reads a segment. The plan is a value, made from facts alone.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Cursor, Disk, EntryKind, File, Open};
use crate::model::{Error, Lsn, LsnRange, Result, Time};
use crate::native::{
    FrameHeader, FrameKind, FrameReader, FrameScan, HEADER_BYTES, SegmentHeader, Tally, encode_seal, find_seal, segment_lsn,
    segment_name,
};

/// What has to be known of a segment before it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its name within the log.
    pub file: String,
    /// The LSN that it begins with.
    pub first: Lsn,
    /// The LSN of its last record; `None` when it holds none.
    pub last: Option<Lsn>,
    /// How long it is, or will be when it is sealed.
    pub bytes: u64,
    /// The latest time in it; that of its making when it holds no record.
    pub newest: Time,
    /// Its newest Checkpoint: the record's own LSN, and the LSN up to which it says that state is safe elsewhere.
    pub checkpoint: Option<(Lsn, Lsn)>,
    /// Transactions that began in it and did not end in it.
    pub open: Vec<u64>,
    /// Transactions that ended in it and had begun before.
    pub ended: Vec<u64>,
    /// Direct writes to it come in blocks of this size; 0 when it is written through the cache.
    pub block: u32,
}

impl SegmentFacts {
    /// The LSNs of its records.
    #[must_use]
    pub fn lsns(&self) -> Option<LsnRange> {
        LsnRange::new(self.first, self.last?)
    }
}

/// How far a reader has come: nothing after its position goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What it is called in words.
    pub name: String,
    /// The last LSN that it has read, where that is known.
    pub read: Option<Lsn>,
    /// The first LSN of the segment that it reads. Counts where `read` is not known; without both it needs everything.
    pub segment: Option<Lsn>,
}

impl Pin {
    /// Whether it has still to read something of this segment.
    pub(super) fn needs(&self, segment: &SegmentFacts) -> bool {
        match (self.read, segment.last) {
            (Some(read), Some(last)) => last > read,
            (Some(_), None) => false,
            (None, _) => self.segment.is_none_or(|first| segment.first >= first),
        }
    }
}

/// What is to stay. Where several say something, a segment stays that any of them keeps.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// This many of the newest segments, including the active one.
    pub keep_segments: Option<u64>,
    /// The newest segments, up to this many bytes in total.
    pub keep_bytes: Option<u64>,
    /// Those with a record that is not older than that, seen from the moment beside it.
    pub keep_for: Option<(Duration, Time)>,
    /// Only those that lie below the newest checkpoint go.
    pub by_checkpoint: bool,
    /// Readers that are not to lose anything.
    pub pins: Vec<Pin>,
    /// Checkpoints, transactions and readers keep nothing.
    pub force: bool,
}

impl Rules {
    /// Whether anything is to go at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.by_checkpoint || self.keep_segments.is_some() || self.keep_bytes.is_some() || self.keep_for.is_some()
    }
}

/// Why a segment stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is written.
    Active,
    /// It is among this many newest segments.
    KeepSegments(u64),
    /// It and all newer ones fit into this many bytes.
    KeepBytes(u64),
    /// It holds a record of that moment.
    KeepFor(Time),
    /// There is no checkpoint to go by.
    NoCheckpoint,
    /// It reaches above the LSN up to which the newest checkpoint says that state is safe elsewhere.
    Checkpoint(Lsn),
    /// These transactions began in it and have not ended.
    Transactions(Vec<u64>),
    /// This reader has read up to that LSN.
    Cursor(String, Option<Lsn>),
    /// This one before it stays, and a log has no holes.
    Earlier(String),
}

impl Reason {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Reason::Active => "active",
            Reason::KeepSegments(_) => "keep-segments",
            Reason::KeepBytes(_) => "keep-bytes",
            Reason::KeepFor(_) => "keep-for",
            Reason::NoCheckpoint | Reason::Checkpoint(_) => "checkpoint",
            Reason::Transactions(_) => "transaction",
            Reason::Cursor(..) => "cursor",
            Reason::Earlier(_) => "earlier",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Active => f.write_str("it is the active one"),
            Reason::KeepSegments(1) => f.write_str("it is the newest segment"),
            Reason::KeepSegments(count) => write!(f, "it is one of the newest {count} segments"),
            Reason::KeepBytes(bytes) => write!(f, "it and what is newer fit into {bytes} bytes"),
            Reason::KeepFor(newest) => write!(f, "its newest record is of {newest}"),
            Reason::NoCheckpoint => f.write_str("no checkpoint says that its records are safe elsewhere"),
            Reason::Checkpoint(safe) => {
                write!(f, "it holds records after LSN {safe}, up to which the newest checkpoint says that state is safe")
            }
            Reason::Transactions(open) => match open.as_slice() {
                [one] => write!(f, "transaction {one} began in it and has not ended"),
                [first, rest @ ..] => {
                    write!(f, "transaction {first} and {} more began in it and have not ended", rest.len())
                }
                [] => f.write_str("a transaction began in it"),
            },
            Reason::Cursor(name, Some(read)) => write!(f, "the reader of {name} has come to LSN {read}"),
            Reason::Cursor(name, None) => write!(f, "the reader of {name} has still to read it"),
            Reason::Earlier(file) => write!(f, "{file} before it stays"),
        }
    }
}

/// What becomes of a segment: it goes when nothing keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The segment.
    pub segment: SegmentFacts,
    /// All that keeps it, the rules that were given first.
    pub kept: Vec<Reason>,
}

impl Fate {
    /// Whether it goes.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.kept.is_empty()
    }
}

/// The LSN up to which the newest checkpoint says that state is safe elsewhere. No checkpoint speaks for itself and what follows it, so
/// the newest one is never among what goes.
#[must_use]
pub fn safe_below(segments: &[SegmentFacts]) -> Option<Lsn> {
    let (own, says) = segments.iter().filter_map(|segment| segment.checkpoint).next_back()?;
    Some(says.min(own.before().unwrap_or(Lsn(0))))
}

/// Decides over the segments of a log, which come in order, the active one last.
#[must_use]
pub fn plan_prune(segments: Vec<SegmentFacts>, rules: &Rules) -> Vec<Fate> {
    let safe = safe_below(&segments);
    let open = open_transactions(&segments);
    let mut behind = segments.len() as u64;
    let mut bytes = segments.iter().map(|segment| segment.bytes).sum::<u64>();
    let mut earlier: Option<String> = None;
    let mut fates: Vec<Fate> = Vec::with_capacity(segments.len());
    for (segment, open) in segments.into_iter().zip(open) {
        let mut kept = Vec::new();
        if behind == 1 {
            kept.push(Reason::Active);
        }
        kept.extend(rules.keep_segments.filter(|count| behind <= *count).map(Reason::KeepSegments));
        kept.extend(rules.keep_bytes.filter(|most| bytes <= *most).map(Reason::KeepBytes));
        let young = |(span, now): &(Duration, Time)| Duration::from_micros(now.0.saturating_sub(segment.newest.0)) <= *span;
        kept.extend(rules.keep_for.filter(young).map(|_| Reason::KeepFor(segment.newest)));
        if rules.by_checkpoint || !rules.force {
            kept.extend(above(&segment, safe, rules.by_checkpoint));
        }
        if !rules.force {
            kept.extend((!open.is_empty()).then_some(Reason::Transactions(open)));
            let needed = rules.pins.iter().filter(|pin| pin.needs(&segment));
            kept.extend(needed.map(|pin| Reason::Cursor(pin.name.clone(), pin.read)));
        }
        if kept.is_empty() {
            kept.extend(earlier.clone().map(Reason::Earlier));
        } else if earlier.is_none() {
            earlier = Some(segment.file.clone());
        }
        behind -= 1;
        bytes -= segment.bytes;
        fates.push(Fate { segment, kept });
    }
    fates
}

/// Whether a segment reaches above the newest checkpoint. A log without one is not kept by that, unless it is all that there is to go by.
fn above(segment: &SegmentFacts, safe: Option<Lsn>, needed: bool) -> Option<Reason> {
    match (safe, segment.last) {
        (None, _) => needed.then_some(Reason::NoCheckpoint),
        (Some(safe), Some(last)) => (last > safe).then_some(Reason::Checkpoint(safe)),
        (Some(safe), None) => (segment.first > safe.next()).then_some(Reason::Checkpoint(safe)),
    }
}

/// For each segment the transactions that began in it and ended nowhere.
fn open_transactions(segments: &[SegmentFacts]) -> Vec<Vec<u64>> {
    let mut begun: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, segment) in segments.iter().enumerate() {
        // What ended here without having begun here began in a segment before, or in one that is gone.
        for tag in &segment.ended {
            begun.get_mut(tag).and_then(Vec::pop);
        }
        segment.open.iter().for_each(|tag| begun.entry(*tag).or_default().push(index));
    }
    let mut open = vec![Vec::new(); segments.len()];
    for (tag, at) in begun {
        at.into_iter().for_each(|index| open[index].push(tag));
    }
    open.iter_mut().for_each(|tags| tags.sort_unstable());
    open
}

/// Looks at the segments of the log in `dir`, in order, the active one last. Where they do not join, or cannot be read where they must
/// be, what would go cannot be told: that is an error.
pub fn prune_facts(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<SegmentFacts>> {
    let entries = disk.list(dir)?;
    if let Some(lost) = entries.iter().find(|e| e.kind != EntryKind::File && segment_lsn(&e.name).is_some()) {
        return Err(Error::Refused { path: dir.join(&lost.name), why: format!("it is {}, not a segment", lost.kind.words()) });
    }
    let mut firsts: Vec<Lsn> = entries.iter().filter_map(|e| segment_lsn(&e.name)).collect();
    firsts.sort();
    let mut segments: Vec<SegmentFacts> = Vec::with_capacity(firsts.len());
    // What the segment before leaves due, the sum of its last frame, and the sum that a hole at its end names.
    let mut before: Option<(Lsn, u32, Option<u32>)> = None;
    for (index, first) in firsts.iter().enumerate() {
        let path = dir.join(segment_name(*first));
        let refused = |why: String| Error::Corrupt { path: path.clone(), why };
        if let Some((due, ..)) = before.filter(|(due, ..)| due != first) {
            return Err(refused(format!("it should begin with LSN {due}: records are missing before it")));
        }
        let Some(found) = probe(disk, &path, *first)? else {
            // What a crash leaves of a segment that was just being made.
            if index + 1 == firsts.len() && index > 0 {
                break;
            }
            return Err(refused("it has no header".into()));
        };
        let chain = found.header.chain;
        if before.is_some_and(|(_, sum, named)| sum != chain && named != Some(chain)) {
            return Err(refused("foreign: it does not follow the segment before it".into()));
        }
        before = Some((found.next, found.sum, found.named_chain));
        segments.push(found.facts);
    }
    Ok(segments)
}

struct FoundSegment {
    facts: SegmentFacts,
    header: SegmentHeader,
    /// The sum of its last frame.
    sum: u32,
    /// The LSN that the next segment begins with.
    next: Lsn,
    /// The sum that a hole at its end says the next segment goes on with.
    named_chain: Option<u32>,
}

/// What has to be known of one sealed segment.
pub(super) fn sealed_facts(disk: &Arc<dyn Disk>, path: &Path, first: Lsn) -> Result<Option<SegmentFacts>> {
    Ok(probe(disk, path, first)?.map(|found| found.facts))
}

fn probe(disk: &Arc<dyn Disk>, path: &Path, first: Lsn) -> Result<Option<FoundSegment>> {
    let content: Arc<dyn File> = disk.open(path, Open::READ)?.into();
    let length = content.length()?;
    let mut cursor = Cursor::new(content, length);
    if length < HEADER_BYTES || cursor.zeros_end(0) >= length {
        return Ok(None);
    }
    let (mut reader, header) = open(cursor, path, first)?;
    let seal = find_seal(&mut reader.cursor, header.seed());
    // A segment without a record and with a hole is short: going through it tells what the hole says.
    let told = |tally: &Tally| !tally.more_transactions && (tally.holes == 0 || tally.last_lsn > 0);
    let told = seal.and_then(|seal| Some((seal.tally.filter(told)?, seal.header.sum, seal.header.lsn)));
    let (tally, open, ended, (sum, next, named_chain), bytes) = match told {
        Some((mut tally, sum, next)) => {
            let (open, ended) = (std::mem::take(&mut tally.open), std::mem::take(&mut tally.ended));
            (tally, open, ended, (sum, next, None), length)
        }
        None => {
            let mut transactions = Transactions::default();
            let scan = walk(&mut reader, &header, path, &mut |kind, frame| transactions.meet(kind, frame.tag))?;
            let mut seal = Vec::new();
            if !scan.ends_with(FrameKind::Seal) && scan.tally.last_lsn > 0 {
                encode_seal(&mut seal, &scan.tally, 0, scan.next, Time(0), header.seed(), scan.end);
            }
            let bytes = scan.end + seal.len() as u64;
            let Transactions { open, ended } = transactions;
            let open = open.into_iter().flat_map(|(tag, count)| (0..count).map(move |_| tag)).collect();
            let ends = (scan.sum(&header), scan.next, scan.named_chain);
            (scan.tally, open, ended, ends, bytes)
        }
    };
    let holds = tally.last_lsn > 0;
    let facts = SegmentFacts {
        file: segment_name(first),
        first,
        last: holds.then_some(Lsn(tally.last_lsn)),
        bytes,
        newest: if holds && tally.max_time > 0 { Time(tally.max_time) } else { header.created },
        checkpoint: (tally.checkpoint_lsn > 0).then_some((Lsn(tally.checkpoint_lsn), Lsn(tally.checkpoint))),
        open,
        ended,
        block: header.block,
    };
    Ok(Some(FoundSegment { facts, header, sum, next, named_chain }))
}

fn open(cursor: Cursor, path: &Path, first: Lsn) -> Result<(FrameReader, SegmentHeader)> {
    let (reader, state) = FrameReader::open(cursor, &Vec::new, None);
    Ok((reader, state.trusted(path, first)?))
}

/// Transactions of one segment.
#[derive(Default)]
struct Transactions {
    /// Began in it and did not end in it: how often, by tag.
    open: HashMap<u64, u64>,
    /// Ended in it and had begun before.
    ended: Vec<u64>,
}

impl Transactions {
    fn meet(&mut self, kind: FrameKind, tag: u64) {
        match kind {
            FrameKind::TxnBegin => *self.open.entry(tag).or_default() += 1,
            FrameKind::TxnCommit | FrameKind::TxnAbort => match self.open.get_mut(&tag).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => self.ended.push(tag),
            },
            _ => {}
        }
    }
}

/// Goes through a segment to its end; anything that is not as it should be is an error.
fn walk(
    reader: &mut FrameReader,
    header: &SegmentHeader,
    path: &Path,
    each: &mut dyn FnMut(FrameKind, &FrameHeader),
) -> Result<FrameScan> {
    let scan = FrameScan::of(reader, header, path, each)?;
    if scan.is_followed(reader) {
        let why = format!("it is damaged at {}, where LSN {} was due", scan.end, scan.next);
        return Err(Error::Corrupt { path: path.to_owned(), why });
    }
    Ok(scan)
}

/// Checks each frame of a segment, wherever it lies.
pub fn check_frames(cursor: Cursor, path: &Path, first: Lsn) -> Result<()> {
    let (mut reader, header) = open(cursor, path, first)?;
    walk(&mut reader, &header, path, &mut |_, _| {}).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: u64) -> SegmentFacts {
        SegmentFacts {
            file: segment_name(Lsn(first)),
            first: Lsn(first),
            last: (last >= first).then_some(Lsn(last)),
            bytes: 100,
            newest: Time(last * 1_000_000),
            checkpoint: None,
            open: Vec::new(),
            ended: Vec::new(),
            block: 0,
        }
    }

    /// Four sealed segments of ten records, and an active one with none.
    fn log() -> Vec<SegmentFacts> {
        vec![segment(1, 10), segment(11, 20), segment(21, 30), segment(31, 40), segment(41, 40)]
    }

    fn gone(segments: &[SegmentFacts], rules: &Rules) -> usize {
        let fates = plan_prune(segments.to_vec(), rules);
        let gone = fates.iter().take_while(|fate| fate.goes()).count();
        assert!(fates[gone..].iter().all(|fate| !fate.goes()), "a hole: {fates:?}");
        assert!(!fates.last().expect("it was not empty").goes(), "the active one went");
        gone
    }

    fn all() -> Rules {
        Rules { keep_segments: Some(0), ..Rules::default() }
    }

    #[test]
    fn each_rule_keeps_what_it_says_and_the_widest_counts() {
        let by = |rules: Rules| gone(&log(), &rules);
        assert_eq!(by(all()), 4);
        assert_eq!(by(Rules { keep_segments: Some(2), ..Rules::default() }), 3);
        assert_eq!(by(Rules { keep_segments: Some(9), ..Rules::default() }), 0);
        assert_eq!(by(Rules { keep_bytes: Some(250), ..Rules::default() }), 3);
        assert_eq!(by(Rules { keep_bytes: Some(0), ..Rules::default() }), 4);
        let now = Time(45_000_000);
        assert_eq!(by(Rules { keep_for: Some((Duration::from_secs(20), now)), ..Rules::default() }), 2);
        assert_eq!(by(Rules { keep_segments: Some(3), keep_bytes: Some(0), ..Rules::default() }), 2);
    }

    #[test]
    fn nothing_above_the_newest_checkpoint_goes_unless_forced() {
        let mut segments = log();
        segments[1].checkpoint = Some((Lsn(15), Lsn(14)));
        segments[3].checkpoint = Some((Lsn(35), Lsn(11)));
        assert_eq!(gone(&segments, &all()), 1, "the newest counts, not the highest");
        assert_eq!(gone(&segments, &Rules { force: true, ..all() }), 4);
        segments[3].checkpoint = Some((Lsn(35), Lsn(20)));
        assert_eq!(gone(&segments, &all()), 2, "a segment that ends with the checkpoint's LSN lies below it");
        let prune = Rules { by_checkpoint: true, ..Rules::default() };
        assert_eq!(gone(&segments, &prune), 2);
        assert_eq!(gone(&segments, &Rules { force: true, ..prune.clone() }), 2, "--prune goes by the checkpoint");
        assert_eq!(gone(&segments, &Rules { keep_segments: Some(4), ..prune.clone() }), 1);
        assert_eq!(gone(&log(), &prune), 0, "without a checkpoint nothing is known to be safe");
    }

    #[test]
    fn a_checkpoint_never_speaks_for_itself() {
        let mut segments = log();
        segments[3].checkpoint = Some((Lsn(40), Lsn(u64::MAX)));
        assert_eq!(safe_below(&segments), Some(Lsn(39)));
        assert_eq!(gone(&segments, &all()), 3);
        segments[0].checkpoint = Some((Lsn(1), Lsn(7)));
        segments[3].checkpoint = None;
        assert_eq!(gone(&segments, &all()), 0);
    }

    #[test]
    fn an_open_transaction_keeps_its_segment_and_all_behind_it() {
        let mut segments = log();
        segments[1].open = vec![7, 7];
        assert_eq!(gone(&segments, &all()), 1);
        segments[2].ended = vec![7];
        assert_eq!(gone(&segments, &all()), 1, "one of the two has not ended");
        segments[3].ended = vec![7];
        assert_eq!(gone(&segments, &all()), 4);
        // The same number used again, and the first one ended before.
        segments[3].open = vec![7];
        let fates = plan_prune(segments.clone(), &all());
        assert_eq!(fates[3].kept, [Reason::Transactions(vec![7])]);
        assert_eq!(gone(&segments, &Rules { force: true, ..all() }), 4);
        // One that ended without a beginning had begun in a segment that is gone.
        let mut segments = log();
        segments[0].ended = vec![3];
        segments[2].open = vec![3];
        assert_eq!(gone(&segments, &all()), 2);
    }

    #[test]
    fn a_reader_keeps_what_it_has_not_read() {
        let at = |segment: u64, lsn: Option<u64>| Pin { name: "cursor".into(), read: lsn.map(Lsn), segment: Some(Lsn(segment)) };
        let by = |pins: &[Pin]| gone(&log(), &Rules { pins: pins.to_vec(), ..all() });
        assert_eq!(by(&[at(11, Some(19))]), 1);
        assert_eq!(by(&[at(11, Some(20))]), 2);
        assert_eq!(by(&[at(21, None)]), 2);
        assert_eq!(by(&[at(31, Some(40)), at(1, Some(3))]), 0);
        assert_eq!(by(&[at(31, Some(40))]), 4);
    }

    #[test]
    fn what_stays_behind_another_one_names_it() {
        let mut segments = log();
        segments[0].open = vec![1, 2, 3];
        let fates = plan_prune(segments, &all());
        assert_eq!(fates[0].kept[0].to_string(), "transaction 1 and 2 more began in it and have not ended");
        assert_eq!(fates[1].kept, [Reason::Earlier(segment_name(Lsn(1)))]);
        assert_eq!(fates[4].kept, [Reason::Active]);
    }

    /// What a look at the segments of a log in memory gives.
    fn facts(segments: &[(u64, Vec<u8>)]) -> Result<Vec<SegmentFacts>> {
        use crate::disk::{SimDisk, write_full};
        let disk = SimDisk::new();
        let dir = Path::new("/log");
        disk.create_dir(dir)?;
        for (first, bytes) in segments {
            write_full(disk.open(&dir.join(segment_name(Lsn(*first))), Open::CREATE)?.as_ref(), bytes, 0)?;
        }
        let disk: Arc<dyn Disk> = Arc::new(disk);
        prune_facts(&disk, dir)
    }

    /// A segment of frames that hold nothing: kind and tag. And the sum of its last frame.
    fn frames(first: u64, chain: u32, frames: &[(FrameKind, u64)]) -> (Vec<u8>, u32) {
        use crate::native::{FrameFields, encode_frame, encode_header};
        let header = SegmentHeader {
            key: None,
            block: 0,
            log_id: [5; 16],
            first_lsn: Lsn(first),
            created: Time(1),
            chain,
            recycled: false,
        };
        let (mut bytes, mut sum) = (encode_header(&header), chain);
        for (lsn, (kind, tag)) in (first..).zip(frames) {
            let fields = FrameFields { kind: *kind, flags: 0, unsynced: 0, lsn: Lsn(lsn), time: Time(lsn), tag: *tag };
            let at = bytes.len() as u64;
            sum = encode_frame(&mut bytes, &fields, b"", header.seed(), at);
        }
        (bytes, sum)
    }

    #[test]
    fn what_a_crash_left_of_a_new_segment_is_passed_over_at_the_end_and_nowhere_else() {
        let (one, sum) = frames(1, 0, &[(FrameKind::Full, 0), (FrameKind::Full, 0)]);
        let two = frames(3, sum, &[(FrameKind::Full, 0)]).0;
        for remains in [Vec::new(), vec![0; 4096], vec![0; 64 << 10], two[..90].to_vec()] {
            let what = remains.len();
            let facts_of =
                |segments: &[(u64, Vec<u8>)]| facts(segments).map(|all| all.iter().map(|s| s.first.0).collect::<Vec<_>>());
            let at_end = facts_of(&[(1, one.clone()), (3, two.clone()), (4, remains.clone())]);
            assert_eq!(at_end.expect("a crash may leave that"), [1, 3], "{what} bytes");
            assert!(facts_of(&[(1, one.clone()), (3, remains.clone()), (4, two.clone())]).is_err(), "{what} bytes in the middle");
            assert!(facts_of(&[(1, remains)]).is_err(), "{what} bytes alone: nothing tells whose they are");
        }
    }

    #[test]
    fn a_tag_that_was_begun_twice_and_ended_once_is_open() {
        let (one, sum) = frames(
            1,
            0,
            &[(FrameKind::TxnBegin, 7), (FrameKind::TxnBegin, 7), (FrameKind::TxnCommit, 7), (FrameKind::TxnAbort, 8)],
        );
        let two = frames(5, sum, &[(FrameKind::TxnBegin, 9), (FrameKind::TxnAbort, 9), (FrameKind::TxnBegin, 9)]).0;
        let facts = facts(&[(1, one), (5, two)]).expect("it is whole");
        let told: Vec<(&[u64], &[u64])> = facts.iter().map(|s| (s.open.as_slice(), s.ended.as_slice())).collect();
        assert_eq!(told, [(&[7][..], &[8][..]), (&[9], &[])]);
        let fates = plan_prune(facts, &all());
        assert_eq!(fates[0].kept, [Reason::Transactions(vec![7])]);
    }

    #[test]
    fn a_segment_is_above_the_checkpoint_by_its_last_record_or_by_what_it_begins_with() {
        for (first, last, safe, stays) in [
            (31, 40, 40, false),
            (31, 40, 39, true),
            (41, 40, 40, false),
            (41, 40, 41, false),
            (41, 40, 39, true),
            (41, 40, 30, true),
        ] {
            let reason = above(&segment(first, last), Some(Lsn(safe)), true);
            assert_eq!(reason.is_some(), stays, "{first}-{last} and a checkpoint of {safe}");
        }
        assert!(above(&segment(1, 9), None, true).is_some() && above(&segment(1, 9), None, false).is_none());
    }
}
