//! Which sealed segments may go, what keeps the others, and taking them away.
//!
//! Segments go from the oldest on and never leave a hole. Under every rule a segment stays that lies above the newest checkpoint, that
//! holds the beginning of a transaction that has not ended, or that a reader's position still needs; only `force` overrides that.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Cursor, Disk, EntryKind, File, Open, read_full, write_full};
use crate::model::{Error, Lsn, LsnRange, Result, Time};
use crate::native::{Check, HEADER_BYTES, HeaderState, Kind, Reader, Tally, find_seal, segment_lsn, segment_name};

/// A segment as far as pruning looks at it.
#[derive(Clone, Debug)]
pub struct PruneFacts {
    /// Its name.
    pub file: String,
    /// The LSN that its name gives.
    pub first: Lsn,
    /// The LSN of its last record; `None` when it holds none.
    pub last: Option<Lsn>,
    /// How long it is.
    pub bytes: u64,
    /// The latest time in it.
    pub newest: Time,
    /// Its newest checkpoint: up to where state is safe elsewhere.
    pub checkpoint: Option<Lsn>,
    /// Transactions that began here and did not end here.
    pub open: Vec<u64>,
    /// Transactions that ended here and had begun before.
    pub ended: Vec<u64>,
    /// There are more transactions than were kept track of.
    pub more_transactions: bool,
}

impl PruneFacts {
    /// The LSNs of its records.
    #[must_use]
    pub fn lsns(&self) -> Option<LsnRange> {
        LsnRange::new(self.first, self.last?)
    }
}

/// What is to stay.
#[derive(Clone, Debug, Default)]
pub struct PruneRules {
    /// So many sealed segments, the newest ones.
    pub keep_segments: Option<usize>,
    /// So many bytes of sealed segments, the newest ones.
    pub keep_bytes: Option<u64>,
    /// What is not older than this, seen from the moment beside it.
    pub keep_for: Option<(Duration, Time)>,
    /// What lies above the newest checkpoint, and nothing else.
    pub by_checkpoint: bool,
    /// Positions of readers: their names, and the last LSN that they have read.
    pub pins: Vec<(String, Lsn)>,
    /// A checkpoint beside those in the log.
    pub checkpoint: Option<Lsn>,
    /// Checkpoints, transactions and pins keep nothing.
    pub force: bool,
}

impl PruneRules {
    /// Whether anything is to go at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.keep_segments.is_some() || self.keep_bytes.is_some() || self.keep_for.is_some() || self.by_checkpoint
    }
}

/// What becomes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Goes,
    /// It stays, and why.
    Stays(String),
}

/// Decides over sealed segments, in order from the oldest.
#[must_use]
pub fn plan_prune(segments: &[PruneFacts], rules: &PruneRules) -> Vec<Fate> {
    let checkpoint = segments.iter().filter_map(|s| s.checkpoint).next_back().max(rules.checkpoint);
    let mut bytes_behind = segments.iter().map(|s| s.bytes).sum::<u64>();
    let mut earlier: Option<&str> = None;
    let mut fates = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        let behind = segments.len() - index;
        let why = if !rules.any() {
            Some("nothing says that anything should go".to_owned())
        } else {
            wish(segment, behind, bytes_behind, rules)
                .or_else(|| if rules.force { None } else { pinned(index, segments, checkpoint, rules) })
                .or_else(|| earlier.map(|file| format!("{file} before it stays, and a log has no holes")))
        };
        bytes_behind -= segment.bytes;
        fates.push(match why {
            None => Fate::Goes,
            Some(why) => {
                earlier = earlier.or(Some(&segment.file));
                Fate::Stays(why)
            }
        });
    }
    fates
}

/// Why the rules that were given want a segment to stay.
fn wish(segment: &PruneFacts, behind: usize, bytes_behind: u64, rules: &PruneRules) -> Option<String> {
    if let Some(count) = rules.keep_segments.filter(|count| behind <= *count) {
        return Some(format!("it is one of the newest {count} sealed segments"));
    }
    if let Some(bytes) = rules.keep_bytes.filter(|bytes| bytes_behind <= *bytes) {
        return Some(format!("it and what is newer fit {bytes} bytes"));
    }
    let (span, now) = rules.keep_for?;
    let age = Duration::from_micros(now.0.saturating_sub(segment.newest.0));
    (age < span).then(|| format!("its newest record is of {}", segment.newest))
}

/// Why a segment must stay unless somebody forces it away.
fn pinned(index: usize, segments: &[PruneFacts], checkpoint: Option<Lsn>, rules: &PruneRules) -> Option<String> {
    let segment = &segments[index];
    let last = segment.last.or(segment.first.before()).unwrap_or(segment.first);
    match checkpoint {
        Some(safe) if last > safe => return Some(format!("it lies above the newest checkpoint, LSN {safe}")),
        None if rules.by_checkpoint => return Some("the log has no checkpoint".into()),
        _ => {}
    }
    if segment.more_transactions {
        return Some("it may hold the beginning of a transaction that has not ended".into());
    }
    let ended: HashSet<u64> = segments[index + 1..].iter().flat_map(|later| later.ended.iter().copied()).collect();
    if let Some(open) = segment.open.iter().find(|tag| !ended.contains(tag)) {
        return Some(format!("transaction {open} began in it and has not ended"));
    }
    let pin = rules.pins.iter().find(|(_, read)| last > *read);
    pin.map(|(name, read)| format!("{name} has read up to LSN {read} only"))
}

/// Looks at the segments of the log in `dir`, in order; the last one is the active one. A sealed one costs two small reads.
pub fn prune_facts(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<PruneFacts>> {
    let entries = disk.list(dir)?;
    let mut firsts: Vec<(Lsn, u64)> =
        entries.iter().filter(|e| e.kind == EntryKind::File).filter_map(|e| Some((segment_lsn(&e.name)?, e.length))).collect();
    firsts.sort();
    firsts.into_iter().map(|(first, _)| facts(disk, dir, first)).collect()
}

fn facts(disk: &Arc<dyn Disk>, dir: &Path, first: Lsn) -> Result<PruneFacts> {
    let file = segment_name(first);
    let path = dir.join(&file);
    let content: Arc<dyn File> = disk.open(&path, Open::READ)?.into();
    let bytes = content.length()?;
    let (mut reader, state) = Reader::open(Cursor::new(content, bytes), &Vec::new, Some(first));
    let tally = match state {
        HeaderState::Unknown(what) => return Err(Error::Unknown { path, offset: 0, what }),
        HeaderState::Lost if bytes > HEADER_BYTES => {
            return Err(Error::Refused { path, why: "its header is damaged: it is not known what would go".into() });
        }
        _ => {
            let seed = reader.seed();
            match find_seal(&mut reader.cursor, seed).and_then(|seal| seal.tally) {
                Some(tally) => tally,
                None => count(&mut reader),
            }
        }
    };
    Ok(PruneFacts {
        file,
        first,
        last: (tally.last_lsn > 0).then_some(Lsn(tally.last_lsn)),
        bytes,
        newest: Time(tally.max_time),
        checkpoint: (tally.checkpoint_lsn > 0).then_some(Lsn(tally.checkpoint)),
        open: tally.open,
        ended: tally.ended,
        more_transactions: tally.more_transactions,
    })
}

/// Counts frame by frame what no Seal tells.
fn count(reader: &mut Reader) -> Tally {
    let (mut tally, mut at) = (Tally::default(), HEADER_BYTES);
    while let Check::Good(frame) = reader.check(at) {
        tally.observe(&frame, at, 0);
        at += frame.span();
        if frame.kind == Kind::Seal as u8 {
            break;
        }
    }
    tally
}

/// Copies a segment into `archive`, and makes sure that the copy is durable and the same. Where it is.
pub fn archive_segment(disk: &Arc<dyn Disk>, dir: &Path, file: &str, archive: &Path) -> Result<PathBuf> {
    let (from, to) = (dir.join(file), archive.join(file));
    let source = disk.open(&from, Open::READ)?;
    if disk.look(archive)?.is_none() {
        disk.create_dir(archive)?;
        if let Some(parent) = archive.parent() {
            disk.sync_dir(parent)?;
        }
    }
    if disk.look(&to)?.is_some() {
        return match same(source.as_ref(), disk.open(&to, Open::READ)?.as_ref())? {
            true => Ok(to),
            false => Err(Error::Refused { path: to, why: "the archive holds another segment of this name".into() }),
        };
    }
    // Under another name until it is whole, so that nobody takes half a copy for a segment.
    let partly = archive.join(format!("{file}.partly"));
    if disk.look(&partly)?.is_some() {
        disk.remove(&partly)?;
    }
    let target = disk.open(&partly, Open::CREATE)?;
    let mut room = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let count = read_full(source.as_ref(), &mut room, at)?;
        if count == 0 {
            break;
        }
        write_full(target.as_ref(), &room[..count], at)?;
        at += count as u64;
    }
    target.sync_all()?;
    if !same(source.as_ref(), target.as_ref())? {
        return Err(Error::Refused { path: partly, why: "the copy is not what was copied".into() });
    }
    disk.rename(&partly, &to)?;
    disk.sync_dir(archive)?;
    Ok(to)
}

fn same(one: &dyn File, other: &dyn File) -> Result<bool> {
    if one.length()? != other.length()? {
        return Ok(false);
    }
    let (mut left, mut right, mut at) = (vec![0; 1 << 20], vec![0; 1 << 20], 0);
    loop {
        let count = read_full(one, &mut left, at)?;
        if read_full(other, &mut right, at)? != count || left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        at += count as u64;
    }
}

/// Takes a segment away for good. One at a time, from the oldest on: a crash must leave no hole.
pub fn remove_segment(disk: &Arc<dyn Disk>, dir: &Path, file: &str) -> Result<()> {
    disk.remove(&dir.join(file))?;
    disk.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: u64) -> PruneFacts {
        PruneFacts {
            file: segment_name(Lsn(first)),
            first: Lsn(first),
            last: Some(Lsn(last)),
            bytes: 100,
            newest: Time(last * 1_000_000),
            checkpoint: None,
            open: Vec::new(),
            ended: Vec::new(),
            more_transactions: false,
        }
    }

    fn log() -> Vec<PruneFacts> {
        vec![segment(1, 10), segment(11, 20), segment(21, 30), segment(31, 40)]
    }

    fn gone(segments: &[PruneFacts], rules: &PruneRules) -> usize {
        let fates = plan_prune(segments, rules);
        let gone = fates.iter().take_while(|fate| **fate == Fate::Goes).count();
        assert!(fates[gone..].iter().all(|fate| matches!(fate, Fate::Stays(_))), "a hole: {fates:?}");
        gone
    }

    #[test]
    fn each_rule_keeps_what_it_says() {
        let by = |rules: PruneRules| gone(&log(), &rules);
        assert_eq!(by(PruneRules::default()), 0);
        assert_eq!(by(PruneRules { keep_segments: Some(1), ..PruneRules::default() }), 3);
        assert_eq!(by(PruneRules { keep_segments: Some(9), ..PruneRules::default() }), 0);
        assert_eq!(by(PruneRules { keep_bytes: Some(250), ..PruneRules::default() }), 2);
        assert_eq!(by(PruneRules { keep_bytes: Some(0), ..PruneRules::default() }), 4);
        let now = Time(45_000_000);
        assert_eq!(by(PruneRules { keep_for: Some((Duration::from_secs(20), now)), ..PruneRules::default() }), 2);
        // Both must let it go.
        let both = PruneRules { keep_segments: Some(3), keep_bytes: Some(0), ..PruneRules::default() };
        assert_eq!(by(both), 1);
    }

    #[test]
    fn nothing_above_the_newest_checkpoint_goes_unless_forced() {
        let mut segments = log();
        segments[1].checkpoint = Some(Lsn(25));
        segments[3].checkpoint = Some(Lsn(19));
        let rules = PruneRules { keep_segments: Some(0), ..PruneRules::default() };
        assert_eq!(gone(&segments, &rules), 1, "the newest one counts, not the highest");
        assert_eq!(gone(&segments, &PruneRules { by_checkpoint: true, ..PruneRules::default() }), 1);
        assert_eq!(gone(&log(), &PruneRules { by_checkpoint: true, ..PruneRules::default() }), 0, "there is none");
        assert_eq!(gone(&log(), &PruneRules { by_checkpoint: true, checkpoint: Some(Lsn(20)), ..PruneRules::default() }), 2);
        assert_eq!(gone(&segments, &PruneRules { force: true, ..rules }), 4);
    }

    #[test]
    fn open_transactions_and_readers_keep_their_segments_and_all_behind() {
        let rules = PruneRules { keep_segments: Some(0), ..PruneRules::default() };
        let mut segments = log();
        segments[1].open = vec![7];
        assert_eq!(gone(&segments, &rules), 1);
        segments[2].ended = vec![7];
        assert_eq!(gone(&segments, &rules), 4);
        segments[0].more_transactions = true;
        assert_eq!(gone(&segments, &rules), 0);
        let pins = vec![("cursor".to_owned(), Lsn(20))];
        let pinned = PruneRules { pins, ..rules };
        let fates = plan_prune(&log(), &pinned);
        assert_eq!(fates[..2], [Fate::Goes, Fate::Goes]);
        assert_eq!(fates[2], Fate::Stays("cursor has read up to LSN 20 only".into()));
    }
}
