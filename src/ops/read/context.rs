//! Neighbours of the records that are wanted: what stands up to N records before and after them.

use std::collections::VecDeque;
use std::rc::Rc;

use super::owned::OwnedRecord;
use super::scan::{Scan, Shown, Way};
use crate::disk::Segment;
use crate::formats::Halt;
use crate::model::Record;

/// Payloads of this many bytes are held while they wait; longer ones are read again.
const HELD_BYTES: usize = 8 << 20;

/// A filter on a scan, which lets neighbours through too.
#[derive(Debug)]
pub struct Context {
    count: usize,
    before: VecDeque<Waiting>,
    held_bytes: usize,
    segment: Option<Rc<Segment>>,
    /// How many more are to come after the last match.
    owed: usize,
    /// Something was left out since the last record that was delivered.
    left_out: bool,
    /// Whether anything was delivered yet.
    begun: bool,
}

#[derive(Debug)]
struct Waiting {
    segment: Rc<Segment>,
    held: Option<OwnedRecord>,
    after_damage: bool,
    way: Way,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedRecord::bytes)
    }
}

/// Where a record goes; the flag says that records were left out between it and the one before.
pub type Put<'p> = dyn FnMut(&Shown<'_>, bool) -> Result<(), Halt> + 'p;

impl Context {
    /// Keeps `count` neighbours on either side.
    #[must_use]
    pub fn new(count: usize) -> Context {
        Context { count, before: VecDeque::new(), held_bytes: 0, segment: None, owed: 0, left_out: false, begun: false }
    }

    /// Whether neighbours of the last match are still to come.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owed > 0
    }

    /// Takes the next record of the scan, and puts out what it makes known to be wanted.
    pub fn take(&mut self, scan: &Scan<'_>, shown: &Shown<'_>, put: &mut Put<'_>) -> Result<(), Halt> {
        if shown.matched {
            while let Some(waiting) = self.before.pop_front() {
                self.held_bytes -= waiting.bytes();
                let gap = self.gap();
                let mut give = |record: &Record<'_>| {
                    let (segment, after_damage, way) = (&*waiting.segment, waiting.after_damage, waiting.way);
                    put(&Shown { record, segment, matched: false, after_damage, way }, gap)
                };
                match &waiting.held {
                    Some(held) => held.show(give)?,
                    None => scan.again(&waiting.segment, waiting.way, &mut give)?,
                }
            }
            let gap = self.gap();
            self.owed = self.count;
            return put(shown, gap);
        }
        if self.owed > 0 {
            self.owed -= 1;
            let gap = self.gap();
            return put(shown, gap);
        }
        self.wait(shown);
        Ok(())
    }

    fn gap(&mut self) -> bool {
        let gap = self.left_out && self.begun;
        self.begun = true;
        self.left_out = false;
        gap
    }

    fn wait(&mut self, shown: &Shown<'_>) {
        if self.count == 0 {
            self.left_out = true;
            return;
        }
        if self.before.len() == self.count
            && let Some(gone) = self.before.pop_front()
        {
            self.held_bytes -= gone.bytes();
            self.left_out = true;
        }
        let segment = match &self.segment {
            Some(segment) if segment.name == shown.segment.name => segment.clone(),
            _ => Rc::new(shown.segment.clone()),
        };
        self.segment = Some(segment.clone());
        let most = HELD_BYTES.saturating_sub(self.held_bytes);
        let held = OwnedRecord::of(shown.record, most);
        let waiting = Waiting { segment, held, after_damage: shown.after_damage, way: shown.way };
        self.held_bytes += waiting.bytes();
        self.before.push_back(waiting);
    }
}
