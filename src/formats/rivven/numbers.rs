//! Whether the number in a file's name fits what stands before it: files that were made ahead, restarts, and files that are gone.
//!
//! Records bear no LSN, so names are all that tells of a hole. What rivven-core 0.0.22 does with them:
//!
//! - A rotation cuts the full file to its length and names the next one after the next LSN.
//! - It then makes another file ahead of need, whose number is an estimate: that of the file just begun, plus a 128th of the size limit,
//!   or 1,024 if that is less. The next rotation removes it again; a crash or a shutdown leaves it, of length 0 or all zeros.
//! - A restart goes on in the file with the highest number, so the LSNs jump to the estimate.
//! - A restart inside a file that a rotation named skips one LSN, however often it happens to that file.
//!
//! So a file that a restart left is not cut to its length, and holds less than the limit that its successor's number tells of.

use super::super::Summary;
use super::log::{Own, PlacedWarnings};
use crate::disk::Source;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Span};

/// An estimate is at least this much above the number of the file that it was made beside.
const LEAST_JUMP: u64 = 1024;
/// The estimate allows this many bytes of the size limit for a record.
const BYTES_A_RECORD: u64 = 128;
/// What a restart inside a file that a rotation named skips.
const RESTART: u64 = 1;

/// The files of a log that hold something, and those between them that do not.
pub struct NumberedFiles<'a> {
    source: &'a Source,
    /// Where the content of each file ends, bad bytes included; 0 where it has none.
    content: Vec<u64>,
    lengths: Vec<u64>,
    blank: Vec<bool>,
    hurt: Vec<bool>,
}

impl<'a> NumberedFiles<'a> {
    /// From the walks.
    pub fn new(source: &'a Source, summaries: &[Summary]) -> NumberedFiles<'a> {
        let content = |s: &Summary| s.damage.kept().iter().map(|d| d.span.end()).fold(s.end, u64::max);
        NumberedFiles {
            source,
            content: summaries.iter().map(|s| if s.blank { 0 } else { content(s) }).collect(),
            lengths: summaries.iter().map(|s| s.length).collect(),
            blank: summaries.iter().map(|s| s.blank).collect(),
            hurt: summaries.iter().map(|s| !s.damage.is_empty()).collect(),
        }
    }

    fn number(&self, index: usize) -> u64 {
        self.source.segments[index].sequence
    }

    /// Whether the number of a file can be an estimate: made beside the file with content before it, or beside a file that a rotation
    /// had begun after that and that never got any.
    pub fn may_be_estimate(&self, index: usize) -> bool {
        let Some(filled) = (0..index).rev().find(|i| !self.blank[*i]) else { return true };
        (filled..index).any(|base| self.estimate_beside(base, filled, index))
    }

    fn estimate_beside(&self, base: usize, filled: usize, index: usize) -> bool {
        let jump = self.number(index).saturating_sub(self.number(base));
        if jump < LEAST_JUMP {
            return false;
        }
        // Only a rotation cuts a file to its length.
        if self.content[base] < self.lengths[base] && base == filled {
            return true;
        }
        // A 128th, rounded down: up to here the limit can reach. The least jump stands for all smaller limits too.
        let limit = (jump + 1).saturating_mul(BYTES_A_RECORD);
        // No rotation began the first file, so nothing but the least jump is known to come from it.
        if self.content[base] >= limit || self.number(base) == 0 && jump > LEAST_JUMP {
            return false;
        }
        // The rotation that began the base did so because the file before it had reached the limit.
        let full = (0..base).rev().find(|i| !self.blank[*i]);
        jump == LEAST_JUMP || full.is_none_or(|i| self.hurt[i] || self.lengths[i] >= jump.saturating_mul(BYTES_A_RECORD))
    }

    /// Whether a file without any content proves that the one before it was finished: a rotation named it, after records that had been
    /// synced.
    pub fn proves(&self, index: usize, due: Lsn) -> bool {
        self.number(index) > due.0 && !self.may_be_estimate(index)
    }
}

/// What is missing between a file with content and the next one, or the end: `until` is that one, or after the last file.
pub fn between(
    numbers: &NumberedFiles<'_>,
    summaries: &mut [Summary],
    [before, until]: [usize; 2],
    warnings: &mut PlacedWarnings,
) -> Option<Damage> {
    let source = numbers.source;
    let mut due = summaries[before].due?;
    for later in before + 1..summaries.len().min(until + 1) {
        let (begins, name, blank) = (Lsn(numbers.number(later)), &source.segments[later].name, summaries[later].blank);
        if begins <= due {
            continue;
        }
        if numbers.may_be_estimate(later) {
            // One that is passed over by later ones was left by a rotation that came before it was finished.
            if !blank || until == summaries.len() {
                warnings.push((later, if blank { UNUSED } else { JUMPED }, estimated(source, before, later, due, blank)));
            }
            continue;
        }
        let gap = begins.0 - due.0;
        // Bytes that are to blame hold what is missing: now it is known how much that was.
        if let Some(damage) = summaries[before].damage.kept_mut().last_mut() {
            let first = damage.doubt.map_or(damage.lsn?, |d| d.first);
            let counted = damage.doubt.map_or(0, |d| d.count());
            damage.doubt = LsnRange::new(first, Lsn(first.0.saturating_add(counted).saturating_add(gap) - 1));
            return None;
        }
        if gap <= RESTART {
            warnings.push((later, "lsn-gap-in-segment-names", skipped(name)));
            due = begins;
            continue;
        }
        return Some(missing(source, summaries, [before, until], due, begins, name));
    }
    None
}

/// What is missing where the log begins with files that hold nothing, and `first` is the first that does. Such files are left where a
/// restart went on in one made ahead, whose number is far above theirs; a rotation names a file only after records.
pub fn before_first(numbers: &NumberedFiles<'_>, summaries: &[Summary], first: usize) -> Option<Damage> {
    let blank = first.checked_sub(1)?;
    let begins = numbers.number(first);
    if (0..first).any(|base| begins.saturating_sub(numbers.number(base)) >= LEAST_JUMP) {
        return None;
    }
    let due = Lsn(numbers.number(blank).max(1));
    let gap = begins.checked_sub(due.0).filter(|gap| *gap > RESTART);
    gap.map(|_| missing(numbers.source, summaries, [blank, first], due, Lsn(begins), &numbers.source.segments[first].name))
}

const UNUSED: &str = "unused-preallocated-segment";
const JUMPED: &str = "lsn-jump-after-restart";

fn estimated(source: &Source, before: usize, later: usize, due: Lsn, blank: bool) -> String {
    let (begins, name) = (source.segments[later].sequence, &source.segments[later].name);
    if blank {
        return format!(
            "{name} holds no record, and its number is as high as rivven-core makes those of files ahead of need; the log ends in {}. When \
             0.0.22 is restarted it goes on in this file and LSNs jump to {begins}: remove it before, if that matters",
            source.segments[before].name
        );
    }
    format!(
        "LSNs jump from {due} to {begins} at {name}, as far as they do when rivven-core 0.0.22 is restarted and goes on in a file that it \
         had made ahead under an estimated number; nothing need be missing"
    )
}

fn skipped(name: &str) -> String {
    format!(
        "the number of {name} is one higher than the records before it account for: a restart of rivven-core 0.0.22 inside a rotated file \
         skips one, so nothing need be missing; if it was not restarted there, compare with a replica"
    )
}

/// A missing file leaves a gap like the number of records of the others. A smaller one may also come from writes that failed, whose
/// numbers are not given again.
fn missing(source: &Source, summaries: &[Summary], [before, until]: [usize; 2], due: Lsn, begins: Lsn, name: &str) -> Damage {
    let gap = begins.0 - due.0;
    // The last file with content is not full yet, unless another one was begun after it.
    let full = if until == summaries.len() { before + 1 } else { summaries.iter().rposition(|s| !s.blank).unwrap_or(until) };
    let small = summaries[..full]
        .iter()
        .map(|s| s.records)
        .filter(|n| *n > 0)
        .min()
        .is_some_and(|smallest| gap.saturating_mul(2) < smallest);
    let end = summaries[before].end;
    let found = if small {
        format!(
            "{name} begins with LSN {begins}: a small file is missing, or rivven-core gave {gap} numbers to writes that failed; nothing in \
             the log tells which"
        )
    } else {
        format!("{name} begins with LSN {begins}; rivven does not notice a missing file")
    };
    Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[before].id, end, end),
        lsn: Some(due),
        doubt: begins.before().and_then(|last| LsnRange::new(due, last)),
        expected: format!("LSN {due} next"),
        found,
        facts: Facts::of(if small { Look::Skipped } else { Look::Absent }),
    }
}

/// What later files prove about the damage of those before them: that they had been synced. A file with content does, and an empty one
/// whose number only a rotation can have given.
pub fn prove(numbers: &NumberedFiles<'_>, summaries: &mut [Summary], mut followed: bool) {
    for index in (0..summaries.len()).rev() {
        let filled = !summaries[index].blank;
        if followed {
            for damage in summaries[index].damage.kept_mut() {
                damage.facts.proof.get_or_insert(Proof::LaterSegment);
            }
        }
        let before = (0..index).rev().find(|i| !summaries[*i].blank);
        let due = before.and_then(|i| {
            let lost = summaries[i].own::<Own>().map_or(0, |own| own.lost);
            summaries[i].due.map(|due| Lsn(due.0.saturating_sub(lost)))
        });
        followed |= filled || due.is_some_and(|due| numbers.proves(index, due));
    }
}
