//! What lies around a piece of damage, so that a change of it is noticed.
//!
//! It is the damaged bytes themselves, and 4 KiB of the log on both sides of them, as far as there is data. Where a segment has less than that,
//! the 4 KiB go on in the next segment: then that one's name belongs to it too, or that there is none. So a hole between two segments has
//! the end of the one and the beginning of the other around it.
//!
//! Of a finished segment its length and the number of its records belong to it, too.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::disk::{EntryKind, File, Segment, Source, zero_prefix};
use crate::formats::Summary;
use crate::model::units::hex;
use crate::model::{Damage, Span};

/// How much of the log on each side.
const WIDTH: u64 = 4096;
/// What the system refuses to give is passed over in blocks of this length.
const BLOCK: usize = 4096;
/// How much is read at a time.
const PIECE: usize = 1 << 20;

/// What lies around a piece of damage. Sums are of SHA-256, as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Of the damaged bytes.
    pub damaged: String,
    /// Of what stands before them.
    pub before: String,
    /// Of what stands behind them.
    pub behind: String,
    /// The segment in which what stands before them begins, if that is not their own: `None` where it is, and empty where there is none.
    pub segment_before: Option<String>,
    /// The same for what stands behind them.
    pub segment_behind: Option<String>,
    /// How long the segment is, if it is finished.
    pub file_bytes: Option<u64>,
    /// How many whole records it holds, if it is finished.
    pub records: Option<u64>,
}

/// What lies around a piece of damage now.
pub fn around(source: &Source, summaries: &[Summary], damage: &Damage) -> Surroundings {
    let (span, index) = (damage.span, damage.span.place.segment.index());
    let segment = source.segments.get(index);
    let finished = segment.zip(summaries.get(index)).filter(|(segment, _)| segment.followed).map(|(_, summary)| summary);
    let content = |index: Option<usize>| Content::of(source, source.segments.get(index?)?);
    let end_of = |index: usize| summaries.get(index).map_or(0, |summary| summary.end);
    let own = content(Some(index));
    // Before it.
    let mut sum = RunSum::default();
    let from = span.start().saturating_sub(WIDTH);
    let lacking = WIDTH - (span.start() - from);
    let before = index.checked_sub(1).filter(|_| lacking > 0);
    if let (Some(before), Some(content)) = (before, content(before)) {
        let end = end_of(before);
        content.add(&mut sum, end.saturating_sub(lacking), end);
    }
    if let Some(own) = &own {
        own.add(&mut sum, from, span.start());
    }
    let before_sum = sum.finish();
    // Behind it.
    let mut sum = RunSum::default();
    let to = span.end().saturating_add(WIDTH).min(end_of(index).max(span.end()));
    let rest = WIDTH - (to - span.end());
    if let Some(own) = &own {
        own.add(&mut sum, span.end(), to);
    }
    let behind = Some(index + 1).filter(|behind| rest > 0 && *behind < source.segments.len());
    if let (Some(behind), Some(content)) = (behind, content(behind)) {
        content.add(&mut sum, 0, rest.min(end_of(behind)));
    }
    let name = |index: Option<usize>| index.and_then(|index| source.segments.get(index)).map(|other| other.name.clone());
    Surroundings {
        damaged: damaged(own.as_ref(), segment, &span),
        before: before_sum,
        behind: sum.finish(),
        segment_before: (lacking > 0).then(|| name(before).unwrap_or_default()),
        segment_behind: (rest > 0).then(|| name(behind).unwrap_or_default()),
        file_bytes: finished.map(|summary| summary.length),
        records: finished.map(|summary| summary.records),
    }
}

fn damaged(own: Option<&Content>, segment: Option<&Segment>, span: &Span) -> String {
    let mut sum = RunSum::default();
    match (own, segment) {
        (Some(own), _) => own.add(&mut sum, span.start(), span.end()),
        // What stands there instead of a file.
        (None, segment) => {
            let what: &[u8] = match segment.map(|segment| segment.kind) {
                Some(EntryKind::Absent) | None => b"absent",
                Some(EntryKind::Folder) => b"folder",
                Some(EntryKind::Pipe) => b"pipe",
                Some(EntryKind::Link) => b"link",
                Some(EntryKind::Other) => b"other",
                Some(EntryKind::File) => b"refused",
            };
            sum.mark(what, span.length);
        }
    }
    sum.finish()
}

/// The bytes of a segment.
struct Content(Arc<dyn File>);

impl Content {
    fn of(source: &Source, segment: &Segment) -> Option<Content> {
        if segment.kind != EntryKind::File {
            return None;
        }
        source.file(segment).ok().map(Content)
    }

    /// Adds the bytes of a range to a sum. A hole in the file is as good as zeros, and costs nothing.
    fn add(&self, sum: &mut RunSum, from: u64, to: u64) {
        let (mut at, mut buffer) = (from, Vec::new());
        while at < to {
            let data = self.0.data_from(at).map_or(to, |data| data.clamp(at, to));
            if data > at {
                sum.zeros += data - at;
                at = data;
                continue;
            }
            buffer.resize(PIECE.min(usize::try_from(to - at).unwrap_or(PIECE)), 0);
            // What lies before a bad sector is given all the same.
            let read = self.0.read_at(&mut buffer, at).or_else(|_| {
                buffer.truncate(BLOCK);
                self.0.read_at(&mut buffer, at)
            });
            at += match read {
                Ok(0) => return sum.mark(b"end", to - at),
                Ok(count) => {
                    sum.bytes(&buffer[..count]);
                    count as u64
                }
                Err(_) => {
                    sum.mark(b"refused", buffer.len() as u64);
                    buffer.len() as u64
                }
            };
        }
    }
}

/// A sum of bytes that is the same however they are given, and in which each row of zeros is a zero and its length.
#[derive(Default)]
struct RunSum {
    hash: Sha256,
    /// Zeros that were met last, and are not added yet.
    zeros: u64,
}

impl RunSum {
    fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let zeros = zero_prefix(bytes);
            self.zeros += zeros as u64;
            bytes = &bytes[zeros..];
            let others = memchr::memchr(0, bytes).unwrap_or(bytes.len());
            if others > 0 {
                self.flush();
                self.hash.update(&bytes[..others]);
                bytes = &bytes[others..];
            }
        }
    }

    fn flush(&mut self) {
        if self.zeros > 0 {
            self.hash.update([0]);
            self.hash.update(std::mem::take(&mut self.zeros).to_le_bytes());
        }
    }

    /// What is there instead of so many bytes. No row of zeros has that length.
    fn mark(&mut self, what: &[u8], length: u64) {
        self.flush();
        self.hash.update([0]);
        self.hash.update(u64::MAX.to_le_bytes());
        self.hash.update(what);
        self.hash.update(length.to_le_bytes());
    }

    fn finish(mut self) -> String {
        self.flush();
        hex(&self.hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, Open, RealDisk};

    #[test]
    fn a_sum_is_the_same_however_its_bytes_are_given_and_another_for_other_bytes() {
        let bytes: Vec<u8> = (0..300u32).map(|n| if n % 7 < 3 || n > 200 { 0 } else { n as u8 | 1 }).collect();
        let whole = |bytes: &[u8]| {
            let mut sum = RunSum::default();
            sum.bytes(bytes);
            sum.finish()
        };
        let expected = whole(&bytes);
        for cut in 0..bytes.len() {
            let mut sum = RunSum::default();
            sum.bytes(&bytes[..cut]);
            sum.bytes(&bytes[cut..]);
            assert_eq!(sum.finish(), expected, "cut at {cut}");
            let mut other = bytes.clone();
            other[cut] ^= 1;
            assert_ne!(whole(&other), expected, "byte {cut}");
        }
        for other in [&bytes[1..], &bytes[..299], &[bytes.clone(), vec![0]].concat()] {
            assert_ne!(whole(other), expected, "{} bytes", other.len());
        }
        // Zeros that are only claimed, as a hole in a file, are as good as those that are there.
        let mut sum = RunSum::default();
        sum.bytes(&bytes[..201]);
        sum.zeros += 99;
        assert_eq!(sum.finish(), expected);
    }

    #[test]
    fn the_sums_of_accepted_damage_are_frozen() {
        // They stand in people's files: an acceptance that was good is good after an upgrade.
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), [&b"alpha"[..], &[0; 9], b"beta"].concat()).expect("room for a few bytes");
        let content = Content(RealDisk.open(file.path(), Open::READ).expect("it was just written").into());
        let of = |from, to| {
            let mut sum = RunSum::default();
            content.add(&mut sum, from, to);
            sum.finish()
        };
        assert_eq!(of(0, 18), "9d2ba68aa5967db426949bab63cf5906daeb1688a1a43236cd862d39f4aeecb7");
        assert_eq!(
            of(10, 30),
            "ed9627cd728908e8e3b6c63e1cdf6ced2995351ff0c07d41db6422eb7ce3f405",
            "what was asked for behind the end of the file is as good as a hole in it"
        );
        assert_ne!(of(10, 30), of(10, 31));
    }

    #[test]
    fn what_cannot_be_had_is_no_row_of_zeros() {
        let marked = |what: &[u8], length| {
            let mut sum = RunSum::default();
            sum.mark(what, length);
            sum.finish()
        };
        let sums = [marked(b"end", 4), marked(b"refused", 4), marked(b"refused", 5), RunSum::default().finish()];
        assert!(sums.iter().enumerate().all(|(at, sum)| !sums[..at].contains(sum)), "{sums:?}");
    }
}
