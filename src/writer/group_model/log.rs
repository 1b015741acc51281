//! What stands for the log in the model: it counts, and holds to the one rule that the real one must hold to as well.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::disk::{Disk, File};
use crate::model::{Error, Lsn, Result};
use crate::native::HEADER_BYTES;
use crate::writer::counters::Counters;
use crate::writer::frames::Group;
use crate::writer::log::Rotated;
use crate::writer::options::Settings;
use crate::writer::outcome::{Failure, Outcome, Written};
use crate::writer::pins::Pins;
use crate::writer::retain::SegmentFacts;
use crate::writer::retention::Retention;

/// What the log was told to do, for the properties to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<Mutex<Facts>>);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Records written, in how many groups.
    pub records: u64,
    pub groups: u64,
    pub rotations: u64,
    pub closed: bool,
    /// The group from which on writing fails for good.
    pub fails_at: Option<u64>,
    /// The group whose leader panics.
    pub dies_at: Option<u64>,
}

impl Witness {
    pub fn facts(&self) -> Facts {
        *self.lock()
    }

    /// Whether a log that it watches is still there.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct OpenLog {
    witness: Witness,
    next: Lsn,
    counters: Arc<Counters>,
    poison: Option<Failure>,
}

impl OpenLog {
    pub fn standing_in(witness: Witness) -> OpenLog {
        OpenLog { witness, next: Lsn(1), counters: Arc::default(), poison: None }
    }

    pub fn open(_: Arc<dyn Disk>, dir: &Path, _: Settings) -> Result<OpenLog> {
        Err(Error::NotALog { path: dir.to_owned(), files: 0 })
    }

    pub fn write(&mut self, group: &mut Group, led: Instant, gathered: Instant) -> Outcome {
        if let Some(failure) = &self.poison {
            return Err(failure.clone());
        }
        let number = {
            let mut facts = self.witness.lock();
            assert!(!facts.closed, "a record was written behind Close");
            facts.groups += 1;
            if facts.dies_at == Some(facts.groups) {
                drop(facts);
                // Without the hook: thousands of schedules die here on purpose.
                std::panic::resume_unwind(Box::new("the leader dies"));
            }
            if facts.fails_at.is_some_and(|at| at <= facts.groups) {
                drop(facts);
                return Err(self.abandon("the disk failed"));
            }
            facts.records += group.records as u64;
            facts.groups
        };
        let first = self.next;
        self.next = first.plus(group.frames as u64);
        self.counters.durable_below(self.next);
        let now = Instant::now();
        let (segment, offset) = (Lsn::FIRST, HEADER_BYTES);
        Ok(Written {
            first,
            segment,
            offset,
            number,
            records: group.records,
            led,
            gathered,
            written: now,
            synced: now,
            durable: true,
        })
    }

    pub fn sync(&mut self) -> Result<()> {
        self.check()
    }

    pub fn rotate(&mut self) -> Result<Rotated> {
        self.check()?;
        self.witness.lock().rotations += 1;
        Ok(Rotated { sealed: None, active: String::new() })
    }

    pub fn rotate_if_old(&mut self) -> Result<Duration> {
        self.rotate().map(|_| Duration::MAX)
    }

    pub fn close(&mut self) -> Result<()> {
        self.check()?;
        self.witness.lock().closed = true;
        Ok(())
    }

    pub fn to_sync(&self) -> Option<(Arc<dyn File>, Lsn)> {
        None
    }

    pub fn was_synced(&mut self, _: Lsn, result: Result<()>) -> Result<()> {
        result
    }

    fn check(&self) -> Result<()> {
        match &self.poison {
            Some(failure) => Err(failure.error(Path::new("model"))),
            None if self.witness.facts().closed => Err(Failure::Closed.error(Path::new("model"))),
            None => Ok(()),
        }
    }

    pub fn abandon(&mut self, cause: &str) -> Failure {
        let durable = self.next.before().unwrap_or(Lsn(0));
        self.poison.get_or_insert_with(|| Failure::Poisoned { durable, cause: cause.into() }).clone()
    }

    pub fn poison(&self) -> Option<&Failure> {
        self.poison.as_ref()
    }

    pub fn log_id(&self) -> [u8; 16] {
        [0; 16]
    }

    pub fn next(&self) -> Lsn {
        self.next
    }

    pub fn is_blank(&self) -> bool {
        true
    }

    pub fn notes(&self) -> &[String] {
        &[]
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub fn pins(&self) -> Option<&Arc<Pins>> {
        None
    }

    pub fn retention(&self) -> Option<&Arc<Retention>> {
        None
    }

    pub fn active_facts(&self) -> Option<SegmentFacts> {
        None
    }

    pub fn place(&self) -> (u64, u64) {
        (HEADER_BYTES, 0)
    }
}
