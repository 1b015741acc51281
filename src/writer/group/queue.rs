//! What waits to be written, and in which groups: pure bookkeeping, without a disk or a thread.

use std::collections::VecDeque;
use std::time::Instant;

use super::completion::Completion;
use super::primitives::Arc;
use super::tasks::RoomWakers;
use super::ticket::Ticket;
use crate::model::{Error, Lsn, Result};
use crate::native::HEADER_BYTES;
use crate::writer::frames::{BatchPart, Group, Prepared, pad_room};
use crate::writer::options::Settings;
use crate::writer::outcome::{Failure, GroupPart};

/// A group on its way, and its callers.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub frames: Group,
    pub completion: Arc<Completion>,
    /// Callers that wait for it and do nothing else meanwhile.
    pub callers: usize,
    /// Tasks that wait for it.
    pub tasks: usize,
    /// When the first record came.
    pub opened: Option<Instant>,
    /// Its place in the order of all groups.
    serial: u64,
}

/// Groups on their way, the oldest first.
#[derive(Debug)]
pub(super) struct Queue {
    filling: Queued,
    ready: VecDeque<Queued>,
    /// The group that was taken and is not over.
    writing: Option<Arc<Completion>>,
    /// Bytes of frames that are queued or being written.
    pub bytes: usize,
    /// Callers that wait in append, in all queued groups.
    pub callers: usize,
    /// Tasks that await a record in one of them.
    tasks: usize,
    /// The number that the next data frame will get, if nothing fails before.
    next: Lsn,
    /// No record is in the log nor on its way there.
    blank: bool,
    /// Where the segment will be when everything queued is written, and how many records it will hold.
    planned: (u64, u64),
    block: u64,
    spare: Vec<Group>,
    /// Why nothing more is accepted.
    pub poison: Option<Failure>,
    /// Nothing more is accepted: the log is being closed, or was.
    pub closed: bool,
    /// A thread leads.
    pub busy: bool,
    /// How many callers and tasks are likely to come: those of the last group and those that were waiting when it ended.
    pub crowd: usize,
    /// The committer sleeps.
    pub committer_idle: bool,
    /// Callers that wait for room.
    pub waiting: usize,
    /// Tasks that wait for room.
    pub room: RoomWakers,
    /// A leader waits for company.
    pub gathering: bool,
    /// Groups up to this one are wanted without waiting for company.
    hurry: u64,
}

impl Queue {
    pub fn new(next: Lsn, blank: bool, place: (u64, u64), block: u64) -> Queue {
        Queue {
            filling: Queued { serial: 1, ..Queued::default() },
            ready: VecDeque::new(),
            writing: None,
            bytes: 0,
            callers: 0,
            tasks: 0,
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
            room: RoomWakers::default(),
            gathering: false,
            hurry: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.filling.frames.is_empty() && self.ready.is_empty()
    }

    /// A group is as full as it may be.
    pub fn has_full_group(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A task awaits what was pushed last.
    pub fn expect_task(&mut self) {
        self.filling.tasks += 1;
        self.tasks += 1;
    }

    /// Callers and tasks that wait for a queued record.
    pub fn company(&self) -> usize {
        self.callers + self.tasks
    }

    /// The group that is written next.
    pub fn oldest(&self) -> Option<&Queued> {
        self.ready.front().or(Some(&self.filling)).filter(|group| !group.frames.is_empty())
    }

    /// The group that was begun last: when it is over, so are all before it. It is wanted without waiting for company.
    pub fn hurry_newest(&mut self) -> Option<Arc<Completion>> {
        let newest = if self.filling.frames.is_empty() { self.ready.back() } else { Some(&self.filling) };
        let Some(newest) = newest else { return self.writing.clone() };
        self.hurry = newest.serial;
        Some(newest.completion.clone())
    }

    /// The group that is written next is wanted without waiting for company.
    pub fn is_hurried(&self) -> bool {
        self.oldest().is_some_and(|group| group.serial <= self.hurry)
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
        options: &Settings,
        mut each: impl FnMut(Ticket),
    ) -> Result<()> {
        let bytes: usize = records.iter().map(Prepared::bytes).sum();
        self.check_numbers(records)?;
        self.make_group(bytes, records.len(), options);
        let group = &mut self.filling;
        for (index, record) in records.iter().enumerate() {
            let part = match records.len() {
                1 => BatchPart::Alone,
                count if index + 1 == count => BatchPart::Last,
                _ => BatchPart::Within,
            };
            if record.draft.lsn.is_some() && group.frames.pinned.is_none() {
                group.frames.pinned = Some(Lsn(self.next.0 - group.frames.frames as u64));
            }
            let index = u32::try_from(group.frames.frames).unwrap_or(u32::MAX);
            let frames = record.frames();
            let offset = group.frames.bytes.len() as u64;
            group.frames.push(record, part, options);
            self.next = self.next.plus(frames as u64);
            let frames = u32::try_from(frames).unwrap_or(u32::MAX);
            each(Ticket::new(group.completion.clone(), GroupPart { index, frames, offset }, came));
        }
        group.opened.get_or_insert(came);
        group.callers += usize::from(caller);
        self.callers += usize::from(caller);
        self.bytes += bytes;
        self.planned.0 += bytes as u64;
        self.planned.1 += records.len() as u64;
        self.blank = false;
        Ok(())
    }

    /// Whether the records may get the numbers that are due, or that they ask for.
    fn check_numbers(&mut self, records: &[Prepared<'_>]) -> Result<()> {
        let mut due = self.next;
        for (index, record) in records.iter().enumerate() {
            match record.draft.lsn {
                // Ahead of the first record ever there is nothing that could be missing.
                Some(pinned) if pinned > due && index == 0 && self.blank && self.is_empty() => due = pinned,
                Some(pinned) if pinned < due => {
                    return Err(Error::Input { what: format!("LSN {pinned} was assigned before: {due} is due") });
                }
                Some(pinned) if pinned > due => {
                    let last = pinned.before().unwrap_or(due);
                    return Err(Error::Input {
                        what: format!("LSN {pinned} does not follow: {due} is due, and {due}-{last} would be missing"),
                    });
                }
                _ => {}
            }
            // A number beyond the last one would be given twice.
            due = match due.0.checked_add(record.frames() as u64) {
                Some(after) if after <= Lsn::LAST.next().0 => Lsn(after),
                _ => return Err(Error::Input { what: format!("LSN {} is the last one: this log is full", Lsn::LAST) }),
            };
        }
        if let Some(pinned) = records.first().and_then(|record| record.draft.lsn) {
            self.next = pinned;
        }
        Ok(())
    }

    /// Sees to it that what comes next fits the group being filled.
    #[inline]
    fn make_group(&mut self, bytes: usize, records: usize, options: &Settings) {
        let (position, held) = self.planned;
        let frames = &self.filling.frames;
        let segment_full = position > HEADER_BYTES
            && (position + bytes as u64 > options.segment_bytes
                || options.segment_records.is_some_and(|most| held + records as u64 > most));
        if segment_full {
            self.end_group();
            self.filling.frames.rotate = true;
            self.planned = (HEADER_BYTES, 0);
        } else if frames.bytes.len() + bytes > options.group_bytes || frames.records + records > options.group_records {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        if self.filling.frames.is_empty() {
            return;
        }
        let frames = self.spare.pop().unwrap_or_default();
        let fresh = Queued { frames, serial: self.filling.serial + 1, ..Queued::default() };
        self.ready.push_back(std::mem::replace(&mut self.filling, fresh));
        self.planned.0 += pad_room(self.planned.0, self.block, 0).unwrap_or(0);
    }

    /// The oldest group, to be written now.
    pub fn take(&mut self) -> Option<Queued> {
        if self.ready.is_empty() {
            self.end_group();
        }
        let group = self.ready.pop_front()?;
        self.callers -= group.callers;
        self.tasks -= group.tasks;
        self.writing = Some(group.completion.clone());
        Some(group)
    }

    /// A group that was taken is over. `failed` when it left no trace.
    pub fn over(&mut self, mut group: Queued, bytes: usize, failed: bool) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.crowd = group.callers + group.tasks + self.company();
        self.writing = None;
        if failed {
            self.next = Lsn(self.next.0.saturating_sub(group.frames.frames as u64));
        }
        if self.spare.len() < 2 {
            group.frames.reuse();
            self.spare.push(group.frames);
        }
    }

    /// Takes everything that waits: it fails. The group that was being written is the leader's business.
    pub fn drain(&mut self) -> Vec<Arc<Completion>> {
        let writing = self.writing.take();
        let mut groups = Vec::new();
        while let Some(group) = self.take() {
            groups.push(group.completion);
        }
        (self.bytes, self.writing) = (0, writing);
        groups
    }

    /// The group that was being written when its leader died.
    pub fn orphan(&mut self) -> Option<Arc<Completion>> {
        self.writing.take()
    }

    /// The active segment was exchanged: it stands at `place` now, and what is queued comes behind that.
    pub fn segment_is(&mut self, place: (u64, u64)) {
        self.planned = place;
        let queued = self.ready.iter().chain([&self.filling]).map(|group| &group.frames).filter(|frames| !frames.is_empty());
        for frames in queued {
            if frames.rotate {
                self.planned = (HEADER_BYTES, 0);
            }
            self.planned.0 += frames.bytes.len() as u64;
            self.planned.1 += frames.records as u64;
        }
    }
}
