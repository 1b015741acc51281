//! Writing records with their LSNs kept into a new log of ours.
//!
//! Where LSNs jump, a known hole says so. The folder gets its name only when all of it is synced, so each frame may say that everything
//! before it was durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frames::{close_fields, piece_kind, unsynced_count};
use super::reopen::random;
use super::segment::header_at;
use crate::disk::{Disk, EntryKind, File, Open, as_private, make_dir, unfinished, write_full};
use crate::model::{Error, Hole, Keys, Lsn, LsnRange, Result, Time};
use crate::native::{
    ENCRYPTED, ENCRYPTION_BYTES, FACTS_LIMIT, FRAME_HEADER, FrameFields, FrameHeader, FrameKind, HEADER_BYTES, MORE, Seed,
    SegmentCipher, Tally, encode_frame, encode_header, encode_seal, header_of, segment_lsn, segment_name,
};

/// A segment is sealed at this length.
const SEGMENT_BYTES: u64 = 64 << 20;
/// What is encoded is written in pieces of this size.
const PIECE: usize = 1 << 20;

/// A log under construction.
pub struct NewLog {
    disk: Arc<dyn Disk>,
    target: PathBuf,
    work: PathBuf,
    log_id: [u8; 16],
    key: Option<([u8; 32], [u8; 16])>,
    segment: Option<NewSegment>,
    /// The LSN that the next frame gets if nothing is missing.
    pub next: Lsn,
    /// The time of the last record, where one is known.
    pub last_time: Option<Time>,
    chain: u32,
    /// The names of its segments.
    pub segments: Vec<String>,
    /// A frame whose flags are not known yet: whether more of its batch follows shows with the next record.
    pending: Option<WaitingFrame>,
    /// A file whose permissions its segments get.
    like: Option<PathBuf>,
    stage: NewLogStage,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewLogStage {
    /// Nothing was written.
    Begun,
    /// It grows in a folder of its own, which goes if nothing comes of it: on a full disk half a log is of no use.
    Growing,
    /// It has its name.
    Named,
}

struct NewSegment {
    file: Box<dyn File>,
    seed: Seed,
    cipher: Option<SegmentCipher>,
    tally: Tally,
    /// Where the first byte of `waiting` goes.
    written: u64,
    waiting: Vec<u8>,
    last_time: Time,
}

struct WaitingFrame {
    kind: FrameKind,
    lsn: Lsn,
    time: Time,
    tag: u64,
    payload: Vec<u8>,
    batch: Option<u64>,
    /// How many frames of its unit stand before it.
    index: u64,
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// The LSNs of its fragments.
    pub lsns: LsnRange,
    /// When it was written.
    pub time: Time,
    /// The caller's number.
    pub tag: u64,
    /// Its content.
    pub payload: &'a [u8],
    /// The batch that it belongs to, by any number that its neighbours do not have.
    pub batch: Option<u64>,
    /// What another format says about it, as the payload of a Facts frame.
    pub facts: Option<&'a [u8]>,
}

impl NewLog {
    /// Begins a log that will stand in `target`, which must not exist or be empty. Who could not read `like` cannot read it either.
    pub fn begin(disk: &Arc<dyn Disk>, target: &Path, keys: &Keys, like: Option<&Path>) -> Result<NewLog> {
        let refused = |path: &Path, why: &str| Err(Error::Refused { path: path.to_owned(), why: why.to_owned() });
        if let Some(there) = disk.stat(target)?
            && (there.kind != EntryKind::Folder || !disk.list(target)?.is_empty())
        {
            return refused(target, "it is there already; a new log is only written where nothing is");
        }
        let Some(name) = target.file_name() else { return refused(target, "it is no name for a new folder") };
        let work = unfinished(&target.with_file_name(name));
        let key = match keys.newest() {
            Some(key) => Some((*key, random()?)),
            None => None,
        };
        let log_id = random()?;
        let (disk, target) = (disk.clone(), target.to_owned());
        Ok(NewLog {
            disk,
            target,
            work,
            log_id,
            key,
            segment: None,
            next: Lsn(0),
            last_time: None,
            chain: 0,
            segments: Vec::new(),
            pending: None,
            like: like.map(Path::to_owned),
            stage: NewLogStage::Begun,
        })
    }

    /// Writes a record. Its LSNs must be above all that were written.
    pub fn write(&mut self, entry: &NewRecord<'_>) -> Result<()> {
        let same_batch = entry.batch.is_some() && self.pending.as_ref().is_some_and(|p| p.batch == entry.batch);
        let follows = self.segment.is_some() && entry.lsns.first == self.next;
        let index = self.pending.as_ref().filter(|_| same_batch && follows).map_or(0, |p| p.index + 1);
        self.settle(same_batch && follows)?;
        let full = self.segment.as_ref().is_some_and(|s| s.written + s.waiting.len() as u64 >= SEGMENT_BYTES) && index == 0;
        if !follows || full {
            self.finish_segment(false)?;
            self.begin_segment(entry.lsns.first)?;
        }
        if let Some(facts) = entry.facts.filter(|facts| facts.len() <= FACTS_LIMIT) {
            self.facts(entry, facts, index)?;
        }
        self.last_time = Some(entry.time).filter(|time| time.0 > 0).or(self.last_time);
        let count = entry.lsns.count();
        let size = usize::try_from((entry.payload.len() as u64).div_ceil(count)).unwrap_or(usize::MAX).max(1);
        let mut rest = entry.payload;
        for piece in 0..count {
            let (payload, after) = rest.split_at(rest.len().min(size));
            rest = after;
            if piece > 0 {
                self.settle(entry.batch.is_some())?;
            }
            self.pending = Some(WaitingFrame {
                kind: piece_kind(entry.kind, piece, count),
                lsn: entry.lsns.first.plus(piece),
                time: entry.time,
                tag: entry.tag,
                payload: payload.to_vec(),
                batch: entry.batch,
                index: index + piece,
            });
        }
        self.next = entry.lsns.last.next();
        Ok(())
    }

    /// Writes what is kept beside a record, directly before it.
    fn facts(&mut self, entry: &NewRecord<'_>, facts: &[u8], index: u64) -> Result<()> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let unsynced = unsynced_count(index);
        let fields = FrameFields { kind: FrameKind::Facts, flags: 0, unsynced, lsn: entry.lsns.first, time: entry.time, tag: 0 };
        self.chain = segment.sealed_frame(fields, facts, 0)?;
        Ok(())
    }

    /// Says that LSNs are gone, known since that moment. They begin with the one that is due.
    pub fn hole(&mut self, hole: &Hole, since: Time) -> Result<()> {
        self.settle(false)?;
        if self.segment.is_none() {
            self.begin_segment(hole.lsns.first)?;
        }
        self.next = hole.lsns.last.next();
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let fields = FrameFields { kind: FrameKind::Hole, flags: 0, unsynced: 0, lsn: self.next, time: since, tag: 0 };
        self.chain = segment.frame(&fields, &hole.encode(), 0);
        segment.flush_above(PIECE)
    }

    /// Writes the frame that waits, now that it is known whether more of its batch follows.
    fn settle(&mut self, more: bool) -> Result<()> {
        let (Some(frame), Some(segment)) = (self.pending.take(), &mut self.segment) else { return Ok(()) };
        let (flags, unsynced) = (if more { MORE } else { 0 }, unsynced_count(frame.index));
        let fields = FrameFields { kind: frame.kind, flags, unsynced, lsn: frame.lsn, time: frame.time, tag: frame.tag };
        self.chain = segment.sealed_frame(fields, &frame.payload, frame.payload.len() as u64)?;
        segment.flush_above(PIECE)
    }

    /// Makes the folder in which the log grows.
    fn prepare(&mut self) -> Result<()> {
        // What an interrupted run left is made again from the start. Nothing but segments is ours to remove.
        let left = if self.disk.stat(&self.work)?.is_some() { self.disk.list(&self.work)? } else { Vec::new() };
        if let Some(other) = left.iter().find(|entry| segment_lsn(&entry.name).is_none()) {
            let path = self.work.join(&other.name);
            return Err(Error::Refused { path, why: "it is in the way of a new log, and nothing that walctl wrote".into() });
        }
        self.stage = NewLogStage::Growing;
        make_dir(self.disk.as_ref(), &self.work)?;
        left.iter().try_for_each(|entry| self.disk.remove(&self.work.join(&entry.name)))
    }

    fn begin_segment(&mut self, first: Lsn) -> Result<()> {
        if self.segments.is_empty() {
            self.prepare()?;
        }
        let name = segment_name(first);
        let path = self.work.join(&name);
        let file = self.disk.open(&path, Open::CREATE)?;
        if let Some(like) = &self.like {
            as_private(self.disk.as_ref(), &path, like)?;
        }
        let header = header_at(Time::now(), self.log_id, first, self.chain, 0, self.key.as_ref(), false);
        self.segment = Some(NewSegment {
            file,
            seed: header.seed(),
            cipher: self.key.as_ref().map(|(key, _)| SegmentCipher::new(key, &header)),
            tally: Tally::default(),
            written: 0,
            waiting: encode_header(&header),
            last_time: Time(0),
        });
        self.segments.push(name);
        Ok(())
    }

    fn finish_segment(&mut self, last: bool) -> Result<()> {
        let Some(mut segment) = self.segment.take() else { return Ok(()) };
        if last {
            let fields = close_fields(self.next, segment.last_time);
            self.chain = segment.frame(&fields, &[], 0);
        } else {
            let offset = segment.written + segment.waiting.len() as u64;
            let (seed, time) = (segment.seed, segment.last_time);
            self.chain = encode_seal(&mut segment.waiting, &segment.tally, 0, self.next, time, seed, offset);
        }
        segment.flush_above(0)?;
        segment.file.sync_all()
    }

    /// Makes the log durable and gives the folder its name.
    pub fn finish(mut self) -> Result<Vec<String>> {
        self.settle(false)?;
        if self.segment.is_none() && self.segments.is_empty() {
            self.next = Lsn::FIRST;
            self.begin_segment(Lsn::FIRST)?;
        }
        self.finish_segment(true)?;
        self.disk.sync_dir(&self.work)?;
        self.disk.rename(&self.work, &self.target)?;
        self.stage = NewLogStage::Named;
        self.disk.sync_dir(self.target.parent().unwrap_or(Path::new(".")))?;
        Ok(std::mem::take(&mut self.segments))
    }
}

impl Drop for NewLog {
    fn drop(&mut self) {
        if self.stage != NewLogStage::Growing {
            return;
        }
        // What cannot be removed now is removed by the next run.
        for entry in self.disk.list(&self.work).unwrap_or_default() {
            drop(self.disk.remove(&self.work.join(&entry.name)));
        }
        drop(self.disk.remove_dir(&self.work));
    }
}

impl NewSegment {
    /// Adds a frame, encrypted where the log is.
    fn sealed_frame(&mut self, fields: FrameFields, payload: &[u8], plain: u64) -> Result<u32> {
        let Some(cipher) = &self.cipher else { return Ok(self.frame(&fields, payload, plain)) };
        let fields = FrameFields { flags: fields.flags | ENCRYPTED, ..fields };
        let length = u32::try_from(payload.len() + ENCRYPTION_BYTES)
            .map_err(|_| Error::Input { what: "a record is too long for a frame".into() })?;
        let offset = self.written + self.waiting.len() as u64;
        let stored = cipher.encrypt(&header_of(&fields, length), offset, payload)?;
        Ok(self.frame(&fields, &stored, plain))
    }

    fn frame(&mut self, fields: &FrameFields, stored: &[u8], plain: u64) -> u32 {
        let at = self.waiting.len();
        let offset = self.written + at as u64;
        let sum = encode_frame(&mut self.waiting, fields, stored, self.seed, offset);
        let header = self.waiting[at..].first_chunk::<FRAME_HEADER>().and_then(FrameHeader::parse);
        self.tally.observe(&header.expect("a frame was just encoded there"), offset, plain);
        if fields.kind.is_data() {
            self.last_time = self.last_time.max(fields.time);
        }
        sum
    }

    fn flush_above(&mut self, bytes: usize) -> Result<()> {
        if self.waiting.len() > bytes {
            write_full(self.file.as_ref(), &self.waiting, self.written)?;
            self.written += self.waiting.len() as u64;
            self.waiting.clear();
        }
        debug_assert!(self.written == 0 || self.written >= HEADER_BYTES);
        Ok(())
    }
}
