//! The order of a log whose numbers go up and down: records that count, by their numbers.
//!
//! A system that takes records back writes the numbers again: from there on the earlier ones do not count, as its own recovery has it.
//! A system that goes on in an older file after a restart only has its records in another order.

use super::side::Side;
use crate::formats::Halt;
use crate::model::{Lsn, LsnRange, Result};
use crate::ops::read::{Event, Scan, ScanStart, Shown, Way};

/// More runs than this are not put in order: each costs a seek.
const RUNS: usize = 4096;

/// Records that follow each other in the log and in number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AscendingRun {
    segment: String,
    /// Where its first record is.
    way: Way,
    lsns: LsnRange,
}

impl AscendingRun {
    /// Hands over its records.
    pub fn read(&self, side: &Side<'_>, scan: &Scan<'_>, take: &mut dyn FnMut(&Shown<'_>) -> Result<(), Halt>) -> Result<()> {
        // A segment that is gone by now was let go: what was in it is not compared.
        let Some(segment) = scan.source.segments.iter().position(|segment| segment.name == self.segment) else { return Ok(()) };
        let begin = ScanStart { segment, mark: self.way.mark, ..ScanStart::default() };
        let mut begun = false;
        let mut next = self.lsns.first;
        scan.forward(&begin, &mut |event| {
            let Event::Record(shown) = event else { return Ok(()) };
            begun |= shown.way == self.way && shown.segment.name == self.segment;
            if !begun || !shown.record.is_data() {
                return Ok(());
            }
            let Some(lsns) = side.numbers(shown.record) else { return take(shown) };
            if lsns.first < next || lsns.first > self.lsns.last {
                return Err(Halt::Enough);
            }
            next = lsns.first;
            take(shown)
        })
        .map(drop)
    }
}

/// The records of a log that count, in the order of their numbers; `None` when these go up and down too often.
pub fn in_order(side: &Side<'_>) -> Result<Option<Vec<AscendingRun>>> {
    let (mut runs, mut too_many): (Vec<AscendingRun>, bool) = (Vec::new(), false);
    let mut newest = Lsn(u64::MAX);
    side.each_number(&mut |shown, lsns| {
        let (room, newest) = (runs.len() < RUNS, std::mem::replace(&mut newest, lsns.first));
        match runs.last_mut() {
            // Records that share a number stay together.
            Some(run) if lsns.first == run.lsns.last.next() || lsns.first == newest => {
                run.lsns.last = lsns.last.max(run.lsns.last);
            }
            _ if room => runs.push(AscendingRun { segment: shown.segment.name.clone(), way: shown.way, lsns }),
            _ => {
                too_many = true;
                return Err(Halt::Enough);
            }
        }
        Ok(())
    })?;
    Ok((!too_many).then(|| if side.takes_back { that_count(runs) } else { sorted(runs) }))
}

fn sorted(mut runs: Vec<AscendingRun>) -> Vec<AscendingRun> {
    runs.sort_by_key(|run| run.lsns);
    runs
}

/// Leaves out what was taken back, and sorts the rest.
fn that_count(mut runs: Vec<AscendingRun>) -> Vec<AscendingRun> {
    let mut kept: Vec<AscendingRun> = Vec::new();
    for run in runs.drain(..) {
        let from = run.lsns.first;
        if kept.iter().any(|earlier| earlier.lsns.contains(from)) {
            kept.retain(|earlier| earlier.lsns.first < from);
            for earlier in &mut kept {
                earlier.lsns.last = earlier.lsns.last.min(from.before().unwrap_or(Lsn(0)));
            }
        }
        kept.push(run);
    }
    sorted(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ranges: &[(u64, u64)]) -> Vec<AscendingRun> {
        let run = |(first, last): &(u64, u64)| AscendingRun {
            segment: String::new(),
            way: Way { mark: None, ordinal: 0 },
            lsns: LsnRange { first: Lsn(*first), last: Lsn(*last) },
        };
        ranges.iter().map(run).collect()
    }

    #[test]
    fn what_was_written_again_takes_back_all_from_its_number_on() {
        assert_eq!(that_count(runs(&[(1, 10), (8, 12)])), runs(&[(1, 7), (8, 12)]));
        assert_eq!(that_count(runs(&[(1, 10), (8, 8)])), runs(&[(1, 7), (8, 8)]));
        assert_eq!(that_count(runs(&[(1, 10), (8, 12), (9, 11)])), runs(&[(1, 7), (8, 8), (9, 11)]));
        assert_eq!(that_count(runs(&[(5, 10), (5, 6)])), runs(&[(5, 6)]));
    }

    #[test]
    fn files_in_another_order_take_nothing_back() {
        assert_eq!(that_count(runs(&[(1, 3), (7, 8), (4, 6)])), runs(&[(1, 3), (4, 6), (7, 8)]));
        assert_eq!(sorted(runs(&[(7, 8), (1, 3), (4, 6)])), runs(&[(1, 3), (4, 6), (7, 8)]));
    }
}
