//! What stands behind a place of a log: what a cut there takes, and what a system that stops there forgets.
//!
//! It is walked a second time, for nobody knows on the way to damage that it comes. A log can be large, so this ends when it has read a
//! fixed amount; what it found then is the least that stands there.

use crate::formats::{Breakdowns, CountedPart, Counter, Halt, Item, Want};
use crate::model::{LsnRange, Place, Record, Time};
use crate::ops::open::Input;
use crate::ops::report::Report;
use crate::ops::walk;

/// How many bytes are read for it in one log.
const ENOUGH: u64 = 256 << 20;

/// Whole records behind a place, and what they hold.
#[derive(Clone, Debug, Default)]
pub struct WholeBehind {
    /// How many.
    pub records: u64,
    /// From their first to their last LSN.
    pub lsns: Option<LsnRange>,
    /// The earliest and the latest time of them.
    pub times: Option<(Time, Time)>,
    /// What they hold, by what matters in their format.
    pub content: Breakdowns,
    /// Reading ended before the log did: there may be more.
    pub more: bool,
}

impl WholeBehind {
    fn add(&mut self, record: &Record<'_>, counter: Option<&mut Counter>, room: &mut Vec<u8>) -> Result<(), Halt> {
        self.records += 1;
        if let Some(lsns) = record.lsns() {
            let all = self.lsns.unwrap_or(lsns);
            self.lsns = LsnRange::new(all.first.min(lsns.first), all.last.max(lsns.last));
        }
        if let Some(time) = record.time {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
        match counter {
            Some(counter) => Ok(self.content.record(counter, record, room)?),
            None => Ok(()),
        }
    }
}

/// What stands behind the first damage of a log of another system; `None` where nothing whole does.
#[must_use]
pub fn behind_damage(input: &Input, report: &Report) -> Option<WholeBehind> {
    if input.format.ours.is_some() || input.source.disk.remote().is_some() {
        return None;
    }
    let first = report.damage.iter().map(|damage| damage.span.place).min_by_key(|place| (place.segment, place.offset))?;
    behind(input, first, false).filter(|behind| behind.records > 0)
}

/// What stands behind a place, in its segment alone or to the end of the log; `None` where that cannot be read.
#[must_use]
pub fn behind(input: &Input, at: Place, alone: bool) -> Option<WholeBehind> {
    let (mut behind, mut room) = (WholeBehind::default(), Vec::new());
    let mut counter = input.format.count.map(|count| count(&input.source, CountedPart::Some));
    let want = Want { payloads: counter.is_some(), ..Want::default() };
    let from = at.segment.index();
    let mut read = 0;
    for segment in input.source.segments.get(from..)?.iter().take(if alone { 1 } else { usize::MAX }) {
        let before = read;
        let mut take = |item: Item<'_>| {
            match item {
                Item::Record(record) if record.is_data() => {
                    let here = record.span.place;
                    if here.segment != at.segment || here.offset >= at.offset {
                        read = before + here.offset.saturating_sub(if here.segment == at.segment { at.offset } else { 0 });
                        behind.add(record, counter.as_mut(), &mut room)?;
                    }
                }
                _ => {}
            }
            if read > ENOUGH { Err(Halt::Enough) } else { Ok(()) }
        };
        if walk::one(input, segment, want, &mut take).ok()?.is_none() {
            behind.more = true;
            break;
        }
    }
    Some(behind)
}
