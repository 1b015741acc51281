//! What waits to be written, and in which groups: pure bookkeeping, without a disk or a thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Batch, Part, Prepared, pad_room};
use super::options::Options;
use super::ticket::{Failure, Group, Ticket};
use crate::model::{Error, Lsn, Result};
use crate::native::HEADER_BYTES;

/// Groups on their way, the oldest first.
#[derive(Debug)]
pub(super) struct Queue {
    filling: Batch,
    ready: VecDeque<Batch>,
    /// The group that was taken and is not over.
    writing: Option<Arc<Group>>,
    /// Bytes of frames that are queued or being written.
    pub bytes: usize,
    /// Callers that wait in append, in all queued groups.
    pub callers: usize,
    /// The number that the next data frame will get, if nothing fails before.
    next: Lsn,
    /// No record is in the log nor on its way there.
    blank: bool,
    /// Where the segment will be when everything queued is written, and how many records it will hold.
    planned: (u64, u64),
    block: u64,
    spare: Vec<Batch>,
    /// Why nothing more is accepted.
    pub poison: Option<Failure>,
    pub closed: bool,
    /// Somebody leads.
    pub busy: bool,
    /// How many callers are likely to come: those of the last group and those that were waiting when it ended.
    pub crowd: usize,
    /// The committer sleeps.
    pub committer_idle: bool,
    /// Callers that wait for room.
    pub waiting: usize,
    /// A leader waits for company.
    pub gathering: bool,
    /// Somebody wants what is queued to be written without waiting for company.
    pub hurry: bool,
}

impl Queue {
    pub fn new(next: Lsn, blank: bool, place: (u64, u64), block: u64) -> Queue {
        Queue {
            filling: Batch::default(),
            ready: VecDeque::new(),
            writing: None,
            bytes: 0,
            callers: 0,
            next,
            blank,
            planned: place,
            block,
            spare: Vec::new(),
            poison: None,
            closed: false,
            busy: false,
            crowd: 0,
            committer_idle: false,
            waiting: 0,
            gathering: false,
            hurry: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.filling.is_empty() && self.ready.is_empty()
    }

    /// A group is as full as it may be.
    pub fn has_full_group(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Records that wait, in all groups.
    pub fn oldest(&self) -> Option<&Batch> {
        self.ready.front().or(Some(&self.filling)).filter(|batch| !batch.is_empty())
    }

    /// The group that was begun last: when it is over, so are all before it.
    pub fn newest(&self) -> Option<Arc<Group>> {
        let batch = if self.filling.is_empty() { self.ready.back() } else { Some(&self.filling) };
        batch.map(|batch| batch.group.clone()).or_else(|| self.writing.clone())
    }

    pub fn next(&self) -> Lsn {
        self.next
    }

    /// Puts a record, or all records of one batch, into a group.
    #[inline]
    pub fn push(
        &mut self,
        records: &[Prepared<'_>],
        caller: bool,
        came: Instant,
        options: &Options,
        mut each: impl FnMut(Ticket),
    ) -> Result<()> {
        let bytes: usize = records.iter().map(Prepared::bytes).sum();
        self.check_pins(records)?;
        self.make_group(bytes, records.len(), options);
        for (index, record) in records.iter().enumerate() {
            let part = match records.len() {
                1 => Part::Alone,
                count if index + 1 == count => Part::Last,
                _ => Part::Within,
            };
            if record.draft.lsn.is_some() && self.filling.pinned.is_none() {
                self.filling.pinned = Some(Lsn(self.next.0 - self.filling.frames as u64));
            }
            let index = u32::try_from(self.filling.frames).unwrap_or(u32::MAX);
            let frames = record.frames();
            self.filling.push(record, part, options);
            self.next = self.next.plus(frames as u64);
            let frames = u32::try_from(frames).unwrap_or(u32::MAX);
            each(Ticket { group: self.filling.group.clone(), index, frames, came });
        }
        self.filling.opened.get_or_insert(came);
        self.filling.callers += usize::from(caller);
        self.callers += usize::from(caller);
        self.bytes += bytes;
        self.planned.0 += bytes as u64;
        self.planned.1 += records.len() as u64;
        self.blank = false;
        Ok(())
    }

    fn check_pins(&mut self, records: &[Prepared<'_>]) -> Result<()> {
        let mut due = self.next;
        for (index, record) in records.iter().enumerate() {
            match record.draft.lsn {
                // Ahead of the first record ever there is nothing that could be missing.
                Some(pinned) if pinned > due && index == 0 && self.blank && self.is_empty() => due = pinned,
                Some(pinned) if pinned < due => {
                    return Err(Error::Input { what: format!("LSN {pinned} was given before: {due} is due") });
                }
                Some(pinned) if pinned > due => {
                    let last = pinned.before().unwrap_or(due);
                    return Err(Error::Input {
                        what: format!("LSN {pinned} does not follow: {due} is due, and {due}-{last} would be missing"),
                    });
                }
                _ => {}
            }
            due = due.plus(record.frames() as u64);
        }
        if let Some(pinned) = records.first().and_then(|record| record.draft.lsn) {
            self.next = pinned;
        }
        Ok(())
    }

    /// Sees to it that what comes next fits the group being filled.
    #[inline]
    fn make_group(&mut self, bytes: usize, records: usize, options: &Options) {
        let (position, held) = self.planned;
        let segment_full = position > HEADER_BYTES
            && (position + bytes as u64 > options.segment_bytes
                || options.segment_records.is_some_and(|most| held + records as u64 > most));
        if segment_full {
            self.end_group();
            self.filling.rotate = true;
            self.planned = (HEADER_BYTES, 0);
        } else if self.filling.bytes.len() + bytes > options.group_bytes || self.filling.records + records > options.group_records
        {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        let fresh = self.spare.pop().unwrap_or_default();
        self.ready.push_back(std::mem::replace(&mut self.filling, fresh));
        self.planned.0 += pad_room(self.planned.0, self.block, 0).unwrap_or(0);
    }

    /// The oldest group, to be written now.
    pub fn take(&mut self) -> Option<Batch> {
        if self.ready.is_empty() {
            self.end_group();
        }
        let batch = self.ready.pop_front()?;
        self.callers -= batch.callers;
        self.writing = Some(batch.group.clone());
        Some(batch)
    }

    /// A group that was taken is over. `failed` when it left no trace.
    pub fn over(&mut self, mut batch: Batch, bytes: usize, failed: bool) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.crowd = batch.callers + self.callers;
        self.writing = None;
        if failed {
            self.next = Lsn(self.next.0.saturating_sub(batch.frames as u64));
        }
        if self.spare.len() < 2 {
            batch.reuse();
            self.spare.push(batch);
        }
    }

    /// Takes everything that waits: it fails.
    pub fn drain(&mut self) -> Vec<Arc<Group>> {
        let mut groups = Vec::new();
        while let Some(batch) = self.take() {
            groups.push(batch.group);
        }
        (self.bytes, self.writing) = (0, None);
        groups
    }

    /// The segment was exchanged for an empty one.
    pub fn segment_is(&mut self, place: (u64, u64)) {
        if self.is_empty() {
            self.planned = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::Draft;

    fn queue() -> Queue {
        Queue::new(Lsn(1), true, (HEADER_BYTES, 0), 1)
    }

    fn push(queue: &mut Queue, drafts: &[Draft<'_>], options: &Options) -> Result<Vec<u32>> {
        let prepared: Vec<Prepared<'_>> = drafts.iter().map(|d| Prepared::new(*d, options).expect("it is short")).collect();
        let mut places = Vec::new();
        queue.push(&prepared, true, Instant::now(), options, |ticket| places.push(ticket.index))?;
        Ok(places)
    }

    fn groups(queue: &mut Queue) -> Vec<(usize, bool)> {
        std::iter::from_fn(|| queue.take()).map(|batch| (batch.records, batch.rotate)).collect()
    }

    #[test]
    fn a_group_is_full_by_what_is_pending_and_a_batch_is_never_split() {
        let options = Options { group_records: 3, ..Options::default() };
        let mut queue = queue();
        for _ in 0..4 {
            push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
        }
        push(&mut queue, &[Draft::of(b"y"); 5], &options).expect("nothing is pinned");
        push(&mut queue, &[Draft::of(b"z")], &options).expect("nothing is pinned");
        assert_eq!(groups(&mut queue), [(3, false), (1, false), (5, false), (1, false)]);
        assert_eq!(queue.next(), Lsn(11));
    }

    #[test]
    fn a_segment_gets_exactly_as_many_records_as_it_may_hold() {
        let options = Options { segment_records: Some(10), ..Options::default() };
        let mut queue = queue();
        for _ in 0..3 {
            push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
        }
        assert_eq!(groups(&mut queue), [(3, false)]);
        for _ in 0..22 {
            push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
        }
        assert_eq!(groups(&mut queue), [(7, false), (10, true), (5, true)]);
    }

    #[test]
    fn a_pinned_number_must_be_the_next_one_unless_there_is_no_record_yet() {
        let options = Options::default();
        let pin = |lsn| Draft { lsn: Some(Lsn(lsn)), ..Draft::of(b"x") };
        let mut queue = queue();
        assert_eq!(push(&mut queue, &[pin(500), pin(501)], &options).expect("nothing can be missing"), [0, 1]);
        assert!(push(&mut queue, &[pin(501)], &options).expect_err("it is taken").to_string().contains("502 is due"));
        let gap = push(&mut queue, &[pin(510)], &options).expect_err("it leaves a gap").to_string();
        assert!(gap.contains("502-509 would be missing"), "{gap}");
        push(&mut queue, &[Draft::of(b"y"), pin(503)], &options).expect("it is due");
        assert_eq!(queue.next(), Lsn(504));
        let batch = queue.take().expect("a group");
        assert_eq!((batch.pinned, batch.frames), (Some(Lsn(500)), 4));
    }

    #[test]
    fn a_group_that_failed_gives_its_numbers_back() {
        let options = Options { group_records: 1, ..Options::default() };
        let mut queue = queue();
        push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
        push(&mut queue, &[Draft::of(b"y")], &options).expect("nothing is pinned");
        let first = queue.take().expect("a group");
        let bytes = first.bytes.len();
        queue.over(first, bytes, true);
        assert_eq!((queue.next(), queue.bytes, queue.crowd), (Lsn(2), bytes, 2));
    }
}
