//! An object as a file: pieces of 8 MiB with the next one on its way, and small reads where somebody only looks.
//!
//! A first look at a place costs a small request; whoever reads on from there reads all, and gets pieces: one that is read or waited for, and
//! others on their way. All files together have as many on their way as there are readers, so that where few read, each gets more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::fetch::PinnedObject;
use super::state::{AheadSlot, Bucket};
use super::store::Sizes;
use super::words::WayFailure;
use crate::disk::File;
use crate::model::{Error, Result};

/// How many small reads are held.
const GLANCES: usize = 4;

/// Bytes that came.
#[derive(Debug)]
pub struct HeldBytes {
    /// Where they begin.
    pub start: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl HeldBytes {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The bytes from an offset on.
    fn from(&self, offset: u64) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..).filter(|rest| !rest.is_empty())
    }
}

/// How many pieces are on their way to one reader at most, besides the one that it waits for.
const AHEAD: usize = 4;

/// A piece on its way.
struct Flight {
    start: u64,
    end: u64,
    /// What lets it be on its way though nobody waits for it.
    ahead: Option<AheadSlot>,
    answer: Option<JoinHandle<Result<Vec<u8>, WayFailure>>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(answer) = &self.answer {
            answer.abort();
        }
    }
}

/// An object that is read.
pub struct BucketFile {
    bucket: Arc<Bucket>,
    object: Arc<PinnedObject>,
    state: Mutex<Pieces>,
}

#[derive(Default)]
struct Pieces {
    glances: VecDeque<Arc<HeldBytes>>,
    piece: Option<HeldBytes>,
    flights: VecDeque<Flight>,
}

impl fmt::Debug for BucketFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketFile").field("object", &self.object).finish_non_exhaustive()
    }
}

impl BucketFile {
    /// An object of which the beginning is there; none of one that is empty.
    pub fn new(bucket: Arc<Bucket>, object: Arc<PinnedObject>, head: Option<Arc<HeldBytes>>) -> BucketFile {
        BucketFile { bucket, object, state: Mutex::new(Pieces { glances: head.into_iter().collect(), ..Pieces::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, Pieces> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the piece that begins at an offset and ends at a whole multiple of pieces, if the object reaches there.
    fn ask(&self, state: &mut Pieces, start: u64, ahead: Option<AheadSlot>) {
        let piece = self.bucket.sizes().piece;
        let end = (start - start % piece + piece).min(self.object.length);
        let answer = Some(self.bucket.ask(&self.object, start..end));
        state.flights.push_back(Flight { start, end, ahead, answer });
    }

    /// Waits for the piece that is on its way to an offset, and sends for those behind it meanwhile.
    fn await_piece(&self, state: &mut Pieces, offset: u64) -> Result<()> {
        while state.flights.front().is_some_and(|flight| flight.end <= offset) {
            state.flights.pop_front();
        }
        self.bucket.give_back(state.piece.take());
        let Some(mut flight) = state.flights.pop_front() else { return Ok(()) };
        flight.ahead = None;
        let mut end = state.flights.back().map_or(flight.end, |last| last.end);
        while end < self.object.length && state.flights.len() < AHEAD {
            let Some(slot) = self.bucket.slot() else { break };
            self.ask(state, end, Some(slot));
            end = state.flights.back().map_or(end, |last| last.end);
        }
        let Some(answer) = flight.answer.take() else { return Ok(()) };
        let bytes = self.bucket.wait(&self.object, flight.start..flight.end, answer)?;
        state.piece = Some(HeldBytes { start: flight.start, bytes });
        Ok(())
    }
}

impl Drop for BucketFile {
    fn drop(&mut self) {
        let piece = self.state().piece.take();
        self.bucket.give_back(piece);
    }
}

impl Pieces {
    fn holding(&self, offset: u64) -> Option<&[u8]> {
        let held = self.piece.iter().chain(self.glances.iter().map(AsRef::as_ref));
        held.filter_map(|piece| piece.from(offset)).max_by_key(|rest| rest.len())
    }

    /// Whether everything that was read last ends where it is read on.
    fn goes_on(&self, offset: u64) -> bool {
        self.piece.iter().chain(self.glances.iter().map(AsRef::as_ref)).any(|piece| piece.end() == offset)
    }

    fn on_its_way(&self, offset: u64) -> bool {
        self.flights.iter().any(|flight| (flight.start..flight.end).contains(&offset))
    }
}

impl File for BucketFile {
    fn length(&self) -> Result<u64> {
        Ok(self.object.length)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        if offset >= self.object.length || into.is_empty() {
            return Ok(0);
        }
        self.bucket.holds()?;
        let mut state = self.state();
        loop {
            if let Some(held) = state.holding(offset) {
                let count = held.len().min(into.len());
                into[..count].copy_from_slice(&held[..count]);
                return Ok(count);
            }
            if state.on_its_way(offset) {
                self.await_piece(&mut state, offset)?;
                continue;
            }
            // Whatever is on its way is not what is wanted now.
            state.flights.clear();
            if state.goes_on(offset) {
                self.ask(&mut state, offset, None);
                continue;
            }
            let Sizes { glance, gaze, .. } = self.bucket.sizes();
            let want = (into.len() as u64).clamp(glance, gaze);
            let end = offset.saturating_add(want).min(self.object.length);
            let bytes = self.bucket.fetch(&self.object, offset..end)?;
            state.glances.push_back(Arc::new(HeldBytes { start: offset, bytes }));
            if state.glances.len() > GLANCES {
                state.glances.pop_front();
            }
        }
    }

    fn is_dear(&self) -> bool {
        true
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        Err(self.refused("write"))
    }

    fn sync_data(&self) -> Result<()> {
        Err(self.refused("sync"))
    }

    fn sync_all(&self) -> Result<()> {
        Err(self.refused("sync"))
    }

    fn set_length(&self, _: u64) -> Result<()> {
        Err(self.refused("set the length of"))
    }

    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        Err(self.refused("reserve space in"))
    }
}

impl BucketFile {
    fn refused(&self, doing: &'static str) -> Error {
        super::disk::unsupported(doing, &self.object.path)
    }
}
