//! A second look at segments whose ends do not meet, in a log that is being written.
//!
//! A writer can begin a segment before the end of the last one has left its memory, and a walk can read the last one before it grew.
//! So where numbers do not meet, or an end is bad, and a process has the log open, the segment is walked again until it meets its
//! neighbour, or stays as it is for a while. Formats that we write ourselves say what had been synced, and are not asked twice.

use std::time::Duration;

use crate::disk::EntryKind;
use crate::formats::{Ending, Summary, Want};
use crate::model::Result;
use crate::ops::open::is_gone;
use crate::ops::walk::{self, LogView};

/// How long to wait before each look, in milliseconds.
const WAITS: [u64; 8] = [0, 2, 5, 10, 20, 40, 80, 160];

/// Walks again what did not meet. `summaries` are those of the source's first segments, not joined yet.
pub fn settle(log: LogView<'_>, want: Want, summaries: &mut [Summary]) -> Result<()> {
    let LogView { source, format, .. } = log;
    let begun = begun_behind(summaries);
    let apart = source.alone || format.ours.is_some();
    if apart || begun.is_none() && unmet(summaries).is_empty() || !want.live && source.other_writer(format.lock).is_none() {
        return Ok(());
    }
    let patient = want.live;
    let want = Want { counts_only: true, live: true, start: None, ..want };
    let again = |index: usize, summaries: &mut [Summary]| -> Result<()> {
        let Some(segment) = source.segments.get(index) else { return Ok(()) };
        summaries[index] = walk::summary(log, segment, want)?;
        Ok(())
    };
    // What was written before a later segment got its number is there by now.
    if let Some(index) = begun {
        again(index, summaries)?;
    }
    for (look, wait) in WAITS.into_iter().enumerate() {
        if unmet(summaries).is_empty() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(wait));
        for index in unmet(summaries) {
            // What cannot be reached was looked for when the log was listed.
            let Some(segment) = source.segments.get(index).filter(|segment| segment.kind == EntryKind::File) else { continue };
            // A bad end was looked at patiently already where a process is known to write.
            if look == 0 && !patient || source.file(segment)?.length()? != summaries[index].length {
                again(index, summaries)?;
            }
        }
    }
    Ok(())
}

/// The same where a segment may go after it was read: what was seen of it stands.
pub fn settle_what_is_left(log: LogView<'_>, want: Want, summaries: &mut [Summary]) -> Result<()> {
    match settle(log, want, summaries) {
        Err(error) if log.source.segments.iter().any(|segment| is_gone(&error, segment)) => Ok(()),
        settled => settled,
    }
}

/// The last segment with content, if segments without any stand after it: their numbers tell how far it had come when they were begun.
fn begun_behind(summaries: &[Summary]) -> Option<usize> {
    summaries.iter().rposition(|s| !s.blank).filter(|last| last + 1 < summaries.len())
}

/// The segments that end badly, or before the number that the next one with content begins with.
fn unmet(summaries: &[Summary]) -> Vec<usize> {
    let meets = |index: usize| {
        let later = summaries[index + 1..].iter().find(|s| !s.blank);
        match (summaries[index].due, later.and_then(|s| s.begins)) {
            (Some(due), Some(begins)) => begins <= due,
            _ => true,
        }
    };
    let bad = |summary: &Summary| summary.ending == Ending::Damage;
    (0..summaries.len()).filter(|index| bad(&summaries[*index]) || !summaries[*index].blank && !meets(*index)).collect()
}
