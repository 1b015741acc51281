//! Where writing resumes after a restart.
//!
//! Only the last segment is looked at, from its Seal or frame by frame. A log that was not closed cleanly is read from the medium: after
//! a failed sync the cache may show bytes that never arrived, and to write beside them would bring them back. Damage is not judged here
//! beyond what is needed to refuse: `verify` tells it all.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Cursor, DIRECT_BLOCK, Disk, Entry, EntryKind, File, Open, finished, read_full};
use crate::model::{Error, Lsn, Result};
use crate::native::{
    Check, FRAME_HEADER, FrameKind, FrameReader, FrameScan, HEADER_BYTES, LOCK, MAGIC, SegmentHeader, Tally, find_seal,
    parse_cut_name, segment_lsn, segment_name,
};

/// How a log ends.
#[derive(Debug)]
pub(super) struct Tail {
    /// `None` when there is no log yet.
    pub log_id: Option<[u8; 16]>,
    pub next: Lsn,
    /// The sum of the last frame.
    pub chain: u32,
    /// There is no record in it.
    pub blank: bool,
    /// Its last frame is a Close or a Seal.
    pub closed: bool,
    /// The medium did not hold what the cache showed: better not to write there.
    pub doubtful: bool,
    /// The last segment, if it can be gone on with.
    pub open: Option<OpenTail>,
    /// Where there is no log yet: how many things of others are in the folder.
    pub strangers: usize,
}

impl Tail {
    /// What is to be said before anything is written: a log that begins in a folder of other files may be in the wrong place.
    pub fn notes(&self, dir: &Path) -> Vec<String> {
        let files = if self.strangers == 1 { "1 other file".to_owned() } else { format!("{} other files", self.strangers) };
        let note = || format!("{} held no log but {files}: a new log begins there", dir.display());
        (self.strangers > 0).then(note).into_iter().collect()
    }
}

/// The end of a segment that is not sealed.
#[derive(Debug)]
pub(super) struct OpenTail {
    pub header: SegmentHeader,
    pub position: u64,
    pub tally: Tally,
    pub last_sum: u32,
}

/// Looks where the log in `dir` ends.
pub(super) fn find_tail(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Tail> {
    let entries = disk.list(dir)?;
    let mut firsts: Vec<Lsn> = entries.iter().filter_map(|e| segment_lsn(&e.name)).collect();
    firsts.sort();
    // What cannot be reached is there all the same: its LSNs are not given again, and its name is not taken.
    let last = firsts.last().map(|last| segment_name(*last));
    if let Some(lost) = entries.iter().find(|e| e.kind != EntryKind::File && Some(&e.name) == last.as_ref()) {
        let why = format!("it is {}, so the end of the log is unknown", lost.kind.words());
        return Err(Error::Refused { path: dir.join(&lost.name), why });
    }
    if firsts.first() == Some(&Lsn(0)) {
        let why = format!("{} is no segment of a log of walctl's: LSNs begin with 1", segment_name(Lsn(0)));
        return Err(Error::Refused { path: dir.to_owned(), why });
    }
    let Some(last) = firsts.pop() else {
        return Ok(Tail { strangers: entries.iter().filter(|e| !is_ours(e)).count(), ..fresh(Lsn::FIRST, None, 0, true) });
    };
    match inspect_tail(disk, dir, last)? {
        // A log whose records were all pruned begins after them, and is not one that may begin anywhere.
        Some(tail) => Ok(Tail { blank: tail.blank && last == Lsn::FIRST, ..tail }),
        None => before(disk, dir, last, firsts.pop()),
    }
}

/// Whether something in a log's folder is the log's.
fn is_ours(entry: &Entry) -> bool {
    entry.name == LOCK
        || segment_lsn(&entry.name).is_some()
        || finished(&entry.name).is_some()
        || parse_cut_name(&entry.name).is_some()
}

/// What stands in the block that the next write begins in, up to the writing place. All of it is there: the rest would be written over
/// with zeros.
pub(super) fn begun_block(file: &dyn File, path: &Path, position: u64) -> Result<Vec<u8>> {
    let start = position / DIRECT_BLOCK * DIRECT_BLOCK;
    let mut held = vec![0; usize::try_from(position - start).expect("less than a block")];
    let read = read_full(file, &mut held, start)?;
    if read < held.len() {
        let why = format!("it ends at {}, but a moment ago it ended at {position}: another process cut it", start + read as u64);
        return Err(Error::Refused { path: path.to_owned(), why });
    }
    Ok(held)
}

/// A log that goes on with a new segment.
fn fresh(next: Lsn, log_id: Option<[u8; 16]>, chain: u32, blank: bool) -> Tail {
    Tail { log_id, next, chain, blank, closed: true, doubtful: false, open: None, strangers: 0 }
}

/// The last segment came to nothing in a crash: the log ends with the one before, and goes on under the same name.
fn before(disk: &Arc<dyn Disk>, dir: &Path, name: Lsn, before: Option<Lsn>) -> Result<Tail> {
    let Some(before) = before else { return Ok(Tail { closed: false, ..fresh(name, None, 0, true) }) };
    let tail = inspect_tail(disk, dir, before)?;
    let refused = |why: String| Error::Corrupt { path: dir.to_owned(), why };
    let tail = tail.ok_or_else(|| refused(format!("{} holds nothing, and a later segment exists", segment_name(before))))?;
    if tail.next != name {
        let why = format!("{} should begin with LSN {}: records are missing before it", segment_name(name), tail.next);
        return Err(refused(why));
    }
    let chain = tail.open.as_ref().map_or(tail.chain, |open| open.last_sum);
    Ok(Tail { closed: false, ..fresh(name, tail.log_id, chain, false) })
}

/// How a segment ends; `None` when it is what a crash leaves of one that was just being made.
fn inspect_tail(disk: &Arc<dyn Disk>, dir: &Path, first: Lsn) -> Result<Option<Tail>> {
    let path = dir.join(segment_name(first));
    let file: Arc<dyn File> = disk.open(&path, Open::WRITE)?.into();
    let length = file.length()?;
    let mut cursor = Cursor::new(file.clone(), length);
    if length < HEADER_BYTES || cursor.zeros_end(0) >= length {
        // A crash leaves zeros, or the beginning of a header. Anything else may be a user's file, and would be overwritten.
        if cursor.zeros_end(0) < length && !MAGIC.starts_with(cursor.bytes(0, MAGIC.len())) {
            return Err(Error::Refused { path, why: "it is no segment of a log of walctl's".into() });
        }
        return Ok(None);
    }
    let (mut reader, state) = FrameReader::open(cursor, &Vec::new, None);
    let mut header = state.trusted(&path, first)?;
    let media = || Cursor::direct(disk, &path, file.clone(), length);
    if let Some(seal) = find_seal(&mut reader.cursor, header.seed())
        && find_seal(&mut media()?, header.seed()).is_some()
    {
        let blank = seal.tally.is_some_and(|tally| tally.records == 0 && tally.holes == 0);
        return Ok(Some(fresh(seal.header.lsn, Some(header.log_id), seal.header.sum, blank)));
    }
    // Everything was durable before a Close was written: where the medium holds that one, it holds the rest.
    let mut closed = None;
    if ends_with_close(&mut reader, length) && ends_with_close(&mut FrameReader::open(media()?, &Vec::new, None).0, length) {
        closed = Some(walk(&mut reader, &header, &path)?).filter(|w| w.ends_with(FrameKind::Close) && w.end == length);
    }
    let (closed, doubtful, walked) = match closed {
        Some(walked) => (true, false, walked),
        None => {
            // What was written and not synced counts from here on, so it must be durable; and what is durable is told by the medium.
            file.sync_all()?;
            let (mut found, state) = FrameReader::open(media()?.ahead(), &Vec::new, None);
            header = state.trusted(&path, first)?;
            let walked = walk(&mut found, &header, &path)?;
            let doubtful = walked.is_followed(&mut reader);
            // This also makes the cache forget what it holds after the end.
            file.set_length(walked.end)?;
            file.sync_all()?;
            (false, doubtful, walked)
        }
    };
    let sum = walked.sum(&header);
    let blank = walked.tally.first_lsn == 0 && walked.tally.holes == 0;
    if walked.ends_with(FrameKind::Seal) {
        return Ok(Some(fresh(walked.next, Some(header.log_id), sum, blank)));
    }
    let open = OpenTail { header, position: walked.end, tally: walked.tally, last_sum: sum };
    let log_id = Some(header.log_id);
    Ok(Some(Tail { log_id, next: walked.next, chain: sum, blank, closed, doubtful, open: Some(open), strangers: 0 }))
}

/// Whether a Close stands at the end of the file.
fn ends_with_close(reader: &mut FrameReader, length: u64) -> bool {
    let at = length.saturating_sub(FRAME_HEADER as u64).max(HEADER_BYTES);
    matches!(reader.check(at), Check::Good(frame) if frame.kind == FrameKind::Close as u8 && at + frame.span() == length)
}

/// Goes from frame to frame to the end of the data; damage on the way is an error, and so is what is not finished.
fn walk(reader: &mut FrameReader, header: &SegmentHeader, path: &Path) -> Result<FrameScan> {
    let scan = FrameScan::of(reader, header, path, &mut |_, _| {})?;
    if scan.is_followed(reader) {
        return Err(refuse(reader, path, scan.end, scan.next));
    }
    match scan.unfinished {
        Some((at, lsn)) => Err(refuse(reader, path, at, lsn)),
        None => Ok(scan),
    }
}

/// Why nothing can be appended to a segment that has bad bytes at `at`, where `due` should stand.
fn refuse(reader: &mut FrameReader, path: &Path, at: u64, due: Lsn) -> Error {
    if let Some((from, to)) = reader.cursor.next_refused(at) {
        let why = format!("LSN {due} cannot be read: the system cannot read the bytes between {from} and {to}");
        return Error::Refused { path: path.to_owned(), why };
    }
    // The frame right after may be of the same group and prove nothing; one further on may.
    let mut from = at + 1;
    let why = loop {
        let Some((offset, frame)) = reader.search(from, Lsn(0)).frame else {
            let why =
                format!("the tail is not whole: LSN {due} was due at {at}; it must be repaired before anything is appended");
            return Error::Torn { path: path.to_owned(), why };
        };
        if frame.proves_synced(due) {
            break format!("corrupt at {at}: the frame at {offset} says that LSN {due} had been synced, and it cannot be read");
        }
        if let Some(kind @ (FrameKind::Close | FrameKind::Seal)) = FrameKind::from_byte(frame.kind) {
            break format!("corrupt at {at}: LSN {due} cannot be read, and a {} follows at {offset}", kind.name());
        }
        from = offset + frame.span();
    };
    Error::Corrupt { path: path.to_owned(), why }
}

/// Random numbers: the id of a new log, the salt of a key.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::Input { what: format!("no random numbers: {e}") })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::native::MORE;

    /// What comes of opening a log whose only file, with this name, holds this.
    fn opened(name: &str, content: &[u8]) -> Result<Tail> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join(name), content).expect("room for a file");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        find_tail(&disk, dir.path())
    }

    #[test]
    fn a_segment_that_was_cut_under_our_hands_is_not_gone_on_with_as_if_zeros_stood_there() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::io::Write::write_all(&mut file, &[7; 5000]).expect("room");
        let opened = RealDisk.open(file.path(), Open::READ).expect("it opens");
        let held = |position| begun_block(opened.as_ref(), file.path(), position);
        assert_eq!(held(5000).expect("it is all there"), [7; 904]);
        assert!(held(4096).expect("nothing is wanted").is_empty());
        assert!(matches!(held(5008), Err(Error::Refused { .. })));
    }

    #[test]
    fn what_a_crash_leaves_of_a_segment_is_written_over_and_what_somebody_else_wrote_is_not() {
        let own = segment_name(Lsn(1));
        for left in [&b""[..], &[0; 20], &[0; 4096], &[0; 10_000], &MAGIC[..5], &MAGIC] {
            assert!(opened(&own, left).expect("a crash may leave it").blank, "{left:?}");
        }
        for theirs in [&b"{}"[..], b"\0\0\0x", &[7; 4000]] {
            assert!(matches!(opened(&own, theirs), Err(Error::Refused { .. })), "{theirs:?}");
        }
        assert!(matches!(opened(&segment_name(Lsn(0)), b""), Err(Error::Refused { .. })), "no segment of ours has that name");
    }

    /// A log of one segment: a batch of two records, one more, and whatever comes after.
    fn three(behind: Option<FrameKind>, unsynced: u16) -> Vec<u8> {
        use crate::model::Time;
        use crate::native::{FrameFields, encode_frame, encode_header};
        let header = SegmentHeader {
            key: None,
            block: 0,
            log_id: [9; 16],
            first_lsn: Lsn(1),
            created: Time(0),
            chain: 0,
            recycled: false,
        };
        let mut bytes = encode_header(&header);
        let kinds = [Some(FrameKind::Full), Some(FrameKind::Full), Some(FrameKind::Full), behind];
        for (lsn, kind) in (1..).zip(kinds.into_iter().flatten()) {
            let unsynced = if lsn == 3 { unsynced } else { 0 };
            let fields = FrameFields { kind, flags: 0, unsynced, lsn: Lsn(lsn), time: Time(5), tag: 0 };
            let offset = bytes.len() as u64;
            encode_frame(&mut bytes, &fields, if kind.is_data() { b"payload!" } else { b"" }, header.seed(), offset);
        }
        bytes
    }

    #[test]
    fn why_nothing_is_appended_is_told_by_what_stands_behind_the_damage() {
        let own = segment_name(Lsn(1));
        let why = |mut bytes: Vec<u8>| {
            bytes[4096 + 48 + 44] ^= 0xFF;
            opened(&own, &bytes).expect_err("the second record is damaged").to_string()
        };
        assert!(opened(&own, &three(None, 0)).is_ok_and(|tail| tail.next == Lsn(4)));
        let proven = why(three(None, 0));
        assert!(proven.contains("corrupt at 4144: the frame at 4192 says that LSN 2 had been synced"), "{proven}");
        let unproven = why(three(None, 2));
        assert!(unproven.contains("the tail is not whole: LSN 2 was due at 4144; it must be repaired"), "{unproven}");
    }

    #[test]
    fn a_segment_that_begins_otherwise_than_its_name_says_is_refused_with_both_numbers() {
        let why = opened(&segment_name(Lsn(7)), &three(None, 0)).expect_err("it begins with 1").to_string();
        assert!(why.contains("it says that it begins with LSN 1, not as its name does"), "{why}");
    }

    #[test]
    fn a_close_ends_a_log_and_a_payload_that_looks_like_one_does_not() {
        use crate::model::Time;
        use crate::native::{FrameFields, encode_frame};
        let own = segment_name(Lsn(1));
        let closed = |bytes: &[u8]| opened(&own, bytes).expect("it is whole").closed;
        assert!(closed(&three(Some(FrameKind::Close), 0)) && !closed(&three(None, 0)));
        let whole = three(None, 0);
        let seed = SegmentHeader {
            key: None,
            block: 0,
            log_id: [9; 16],
            first_lsn: Lsn(1),
            created: Time(0),
            chain: 0,
            recycled: false,
        }
        .seed();
        let fields = |kind| FrameFields { kind, flags: 0, unsynced: 0, lsn: Lsn(4), time: Time(5), tag: 0 };
        let mut payload = vec![7; 8];
        encode_frame(&mut payload, &fields(FrameKind::Close), b"", seed, whole.len() as u64 + FRAME_HEADER as u64 + 8);
        let mut bytes = whole;
        let offset = bytes.len() as u64;
        encode_frame(&mut bytes, &fields(FrameKind::Full), &payload, seed, offset);
        assert!(!closed(&bytes));
    }

    #[test]
    fn what_is_not_finished_at_the_end_is_no_record_and_nothing_is_appended_behind_it() {
        use crate::model::Time;
        use crate::native::{FrameFields, encode_frame};
        for (kind, flags) in [(FrameKind::First, 0), (FrameKind::Full, MORE)] {
            let mut bytes = three(None, 0);
            let seed = SegmentHeader {
                key: None,
                block: 0,
                log_id: [9; 16],
                first_lsn: Lsn(1),
                created: Time(0),
                chain: 0,
                recycled: false,
            }
            .seed();
            let fields = FrameFields { kind, flags, unsynced: 0, lsn: Lsn(4), time: Time(5), tag: 0 };
            let offset = bytes.len() as u64;
            encode_frame(&mut bytes, &fields, b"half", seed, offset);
            let why = opened(&segment_name(Lsn(1)), &bytes).expect_err("it is not whole").to_string();
            assert!(why.contains("the tail is not whole: LSN 4 was due at 4240"), "{kind:?}: {why}");
        }
    }

    #[test]
    fn a_header_alone_is_a_log_and_one_whose_records_were_pruned_is_not_blank() {
        use crate::model::Time;
        use crate::native::encode_header;
        for (first, blank) in [(1, true), (5, false)] {
            let first_lsn = Lsn(first);
            let bytes = encode_header(&SegmentHeader {
                key: None,
                block: 0,
                log_id: [9; 16],
                first_lsn,
                created: Time(0),
                chain: 0,
                recycled: false,
            });
            let tail = opened(&segment_name(first_lsn), &bytes).expect("it is whole");
            assert_eq!((tail.log_id, tail.next, tail.blank), (Some([9; 16]), first_lsn, blank));
        }
    }

    #[test]
    fn a_folder_in_the_folder_of_a_log_is_nobodys_business() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("lost+found")).expect("room for a folder");
        std::fs::write(dir.path().join(segment_name(Lsn(1))), three(None, 0)).expect("room for a file");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        assert_eq!(find_tail(&disk, dir.path()).expect("it is whole").next, Lsn(4));
    }
}
