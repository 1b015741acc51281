//! Whether the keys that a writer was given go with the log that it is to write on.
//!
//! A log has one newest key: that of its last encrypted segment. A writer that lacks it would mix keys in silence, and readers with either
//! key file would be locked out of half of the log.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Cursor, Disk, EntryKind, File, Open};
use crate::model::{Error, Keys, Lsn, Result};
use crate::native::{
    Check, ENCRYPTED, FRAME_HEADER, FrameReader, HEADER_BYTES, HeaderState, Opener, SegmentHeader, open as open_payload,
    segment_lsn, segment_name,
};

/// How many frames are tried if the header does not say its key.
const TRIED: u32 = 64;

/// Refuses to go on in a log in `dir` without its newest key, unless a new one is to begin.
pub(super) fn check(disk: &Arc<dyn Disk>, dir: &Path, keys: &Keys, new_key: bool) -> Result<()> {
    let Some((mut reader, header)) = newest(disk, dir)? else { return Ok(()) };
    if header.key.is_none() {
        return Ok(());
    }
    let wrong = |why: &str| Err(Error::WrongKey { path: dir.to_owned(), why: why.into() });
    if keys.is_empty() {
        return wrong("its records are encrypted, and without a key new ones would be written in plain text");
    }
    let opener = Opener::new(keys, Some(&header), None);
    if new_key || opener.has_the_key() || opens_some(&mut reader, &opener) {
        return Ok(());
    }
    wrong("its newest records are encrypted with a key that the key file lacks")
}

/// The last segment that has a header. After it may stand what a crash left of one.
fn newest(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Option<(FrameReader, SegmentHeader)>> {
    let entries = disk.list(dir)?;
    let mut firsts: Vec<Lsn> =
        entries.iter().filter(|e| e.kind == EntryKind::File).filter_map(|e| segment_lsn(&e.name)).collect();
    firsts.sort();
    while let Some(first) = firsts.pop() {
        let file: Arc<dyn File> = disk.open(&dir.join(segment_name(first)), Open::READ)?.into();
        let length = file.length()?;
        let (reader, state) = FrameReader::open(Cursor::new(file, length), &Vec::new, None);
        // What has no header is what a crash leaves of a segment. If it is worse than that, opening it will say so.
        if let HeaderState::Good(header) | HeaderState::Flipped(header, _) | HeaderState::Copied(header) = state {
            return Ok(Some((reader, header)));
        }
    }
    Ok(None)
}

/// Whether a key opens one of the first payloads.
fn opens_some(reader: &mut FrameReader, opener: &Opener) -> bool {
    let (mut offset, mut tried, mut plain) = (HEADER_BYTES, 0, Vec::new());
    while tried < TRIED && !opener.has_the_key() {
        let Check::Good(frame) = reader.check(offset) else { break };
        if frame.flags & ENCRYPTED != 0 {
            tried += 1;
            let stored = reader.cursor.bytes(offset + FRAME_HEADER as u64, frame.length as usize);
            // Whether it opens is kept by the opener.
            open_payload(&frame, offset, stored, opener, &mut plain);
        }
        offset += frame.span();
    }
    opener.has_the_key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;
    use crate::writer::{GroupCommit, Settings};

    const LOG: &str = "/log";

    fn options(keys: &[u8], new_key: bool) -> Settings {
        let text: Vec<String> = keys.iter().map(|byte| format!("{byte:02x}").repeat(32)).collect();
        let keys = if text.is_empty() { Keys::default() } else { Keys::parse(&text.join("\n")).expect("64 hex digits a line") };
        Settings { keys, new_key, background: false, ..Settings::default() }
    }

    /// Appends a record with these keys, and says how many segments there are then.
    fn append(disk: &SimDisk, keys: &[u8], new_key: bool) -> Result<usize> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let log = GroupCommit::open(shared.clone(), Path::new(LOG), options(keys, new_key))?;
        log.append(b"a record".as_slice())?;
        log.close()?;
        Ok(shared.list(Path::new(LOG))?.iter().filter(|entry| segment_lsn(&entry.name).is_some()).count())
    }

    #[test]
    fn a_first_or_another_key_in_an_existing_log_begins_a_new_segment() {
        let disk = SimDisk::new();
        let steps: [(&[u8], bool, usize); 6] = [
            (&[], false, 1),
            (&[], false, 1),
            // The first key; the same again; an old and a new one; the new one alone.
            (&[1], false, 2),
            (&[1], false, 2),
            (&[1, 2], false, 3),
            (&[2], false, 3),
        ];
        for (at, (keys, new_key, segments)) in steps.into_iter().enumerate() {
            assert_eq!(append(&disk, keys, new_key).expect("it goes on"), segments, "step {at}");
        }
        assert_eq!(append(&disk, &[3], true).expect("a new key is said to begin"), 4);
    }

    #[test]
    fn without_its_newest_key_nothing_is_appended() {
        let disk = SimDisk::new();
        append(&disk, &[1], false).expect("a new log");
        append(&disk, &[1, 2], false).expect("a new key behind the old one");
        for keys in [&[][..], &[1], &[3], &[1, 3]] {
            assert!(matches!(append(&disk, keys, false), Err(Error::WrongKey { .. })), "{keys:?}");
        }
        assert!(matches!(append(&disk, &[], true), Err(Error::WrongKey { .. })), "no key is no new key");
    }

    #[test]
    fn what_a_crash_left_of_a_segment_does_not_make_an_encrypted_log_a_plain_one() {
        for length in [0, 4096] {
            let disk = SimDisk::new();
            append(&disk, &[1], false).expect("a new log");
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let left = shared.open(&Path::new(LOG).join(segment_name(Lsn(2))), Open::CREATE).expect("there is no such segment");
            left.set_length(length).expect("the disk is well");
            assert!(matches!(append(&disk, &[], false), Err(Error::WrongKey { .. })), "{length} bytes");
            append(&disk, &[1], false).expect("the log goes on behind it");
        }
    }
}
