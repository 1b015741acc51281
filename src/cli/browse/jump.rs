//! Going to a place that was typed.

use walctl::model::{Lsn, Result};
use walctl::ops::read::{Selection, Spot, last_lsn};

use super::reader::{LogReader, from_lsn, nothing};
use super::talk::Answer;
use super::target::JumpTarget;
use crate::cli::render::escape;

/// Without numbers, no more records than this are counted from the end.
const COUNTED: u64 = 100_000;

impl LogReader {
    /// Records around what was typed. Conditions do not hold for it: it is found, and then what meets them around it.
    pub(super) fn jump(&mut self, target: JumpTarget, segment: Option<String>) -> Result<Answer> {
        match target {
            JumpTarget::Lsn(lsn) => self.show_lsn(lsn),
            JumpTarget::FromEnd(count) => {
                let log = self.turner.log();
                match last_lsn(&log.source, log.format, &log.keys)? {
                    Some(last) => self.show_lsn(Lsn(last.0.saturating_sub(count.saturating_sub(1)))),
                    None => self.count_back(count),
                }
            }
            JumpTarget::Time(time) => {
                let selection = Selection { since: Some(time), ..Selection::default() };
                match self.first_of(&selection)? {
                    Some((spot, found)) => {
                        let note = found.map(|found| format!("the first record from {time} on is of {found}"));
                        self.window(Some(spot), note)
                    }
                    None => Ok(nothing(format!("no record was written at {time} or later"))),
                }
            }
            JumpTarget::Offset(name, offset) => self.show_offset(name.or(segment), offset),
        }
    }

    fn show_lsn(&mut self, lsn: Lsn) -> Result<Answer> {
        let numbers = self.turner.log().format.numbers;
        let Some((spot, _)) = self.first_of(&from_lsn(lsn))? else {
            return Ok(nothing(format!("no record has LSN {} or a higher one", numbers.show(lsn))));
        };
        let found = spot.lsn.filter(|found| *found > lsn);
        let note = found.map(|found| format!("LSN {} is not there; the next one is {}", numbers.show(lsn), numbers.show(found)));
        self.window(Some(spot), note)
    }

    fn count_back(&mut self, count: u64) -> Result<Answer> {
        let most = usize::try_from(count.min(COUNTED)).unwrap_or(1);
        let (mut spots, _) =
            self.turner.backward(None, most, &Selection::default(), &mut |_, here| Ok(here.record.then(|| here.clone())))?;
        match spots.pop_front() {
            Some(spot) => self.window(Some(spot), None),
            None => Ok(nothing("the log holds no record")),
        }
    }

    fn show_offset(&mut self, name: Option<String>, offset: u64) -> Result<Answer> {
        let segments = &self.turner.log().source.segments;
        let named = name.as_ref().and_then(|name| segments.iter().find(|segment| segment.name == *name));
        let named = named.or_else(|| segments.first().filter(|_| name.is_none()));
        let Some(segment) = named.map(|segment| segment.name.clone()) else {
            let name = name.unwrap_or_default();
            return Ok(nothing(format!("no segment is called {}", escape::line(&name))));
        };
        // What begins at the offset or before it.
        let behind = Spot::at(&segment, offset.saturating_add(1));
        let all = Selection::default();
        let (mut spots, _) = self.turner.backward(Some(&behind), 1, &all, &mut |event, here| {
            Ok((!matches!(event, walctl::ops::read::Event::Reached(..))).then(|| here.clone()))
        })?;
        let spot = spots.pop_back().filter(|spot| spot.segment == segment).unwrap_or_else(|| Spot::at(&segment, offset));
        self.window(Some(spot), None)
    }
}
