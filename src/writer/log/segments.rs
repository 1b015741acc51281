//! The segments of a log that is open: going on in the last one, beginning the next, sealing one that is full, closing the log.
//!
//! Each step leaves files that open again, whenever the power fails.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{OpenLog, Rotated, WriteStop, only};
use crate::disk::{AlignedBytes, DIRECT_BLOCK, Errno, File, Open, begin_file, errno_of, sweep, write_full};
use crate::model::Result;
use crate::native::{
    FrameHeader, HEADER_BYTES, SegmentCipher, SegmentHeader, Tally, encode_frame, encode_header, encode_seal, frame_bytes,
    key_hint, segment_name,
};
use crate::writer::events::{Weight, tell};
use crate::writer::frames::{Group, close_fields, pad_frame, pad_room};
use crate::writer::reopen::{Tail, begun_block, random};
use crate::writer::segment::{Active, header_at};
use crate::writer::space::{is_no_space, next_path, room_end};
use crate::writer::sync::{Preallocate, SyncMode};

impl OpenLog {
    /// Goes on in the last segment, or seals it where that would not do.
    pub(super) fn resume(&mut self, tail: Tail) -> Result<()> {
        let Some(open) = tail.open else { return Ok(()) };
        let fits = self.fits(&open.header);
        let path = self.dir.join(segment_name(open.header.first_lsn));
        let plain: Arc<dyn File> = self.disk.open(&path, Open::WRITE)?.into();
        let data = match fits {
            true => self.open_data(&path, &plain)?,
            false => plain.clone(),
        };
        // A segment that was begun buffered cannot be gone on with directly, nor the other way round.
        let fits = fits && (open.header.block != 0) == self.direct && open.position.is_multiple_of(self.block());
        if (!fits || tail.doubtful) && open.tally.last_lsn == 0 && open.tally.holes == 0 {
            // Not one record: the segment is made anew under the same name, as it is wanted now. Sealed it would be in the way.
            self.chain = open.header.chain;
            return Ok(());
        }
        self.space.begin(&path, open.position, open.position);
        let blocks = self.open_blocks(&path);
        self.stage.begin(&begun_block(plain.as_ref(), &path, open.position)?);
        let (header, position, tally, last_sum) = (open.header, open.position, open.tally, open.last_sum);
        let cipher = self.options.keys.newest().map(|key| SegmentCipher::new(key, &header));
        let age = Duration::from_micros(self.now().0.saturating_sub(header.created.0));
        let since = (tally.last_lsn > 0).then(|| Instant::now().checked_sub(age)).flatten();
        // Old bytes behind the end were cut off before.
        let remains = false;
        self.active = Some(Active { plain, data, blocks, path, header, cipher, position, tally, last_sum, remains, since });
        if !fits || tail.doubtful {
            self.seal().map_err(|stop| self.stopped(stop))?;
        }
        Ok(())
    }

    /// Whether a segment with this header can hold what is to be written now.
    fn fits(&self, header: &SegmentHeader) -> bool {
        let right_key = match (header.key, self.options.keys.newest()) {
            (None, None) => true,
            // In a segment whose payloads are not bound to their place, no more are written.
            (Some(hint), Some(key)) => header.is_bound() && key_hint(key, hint.salt).id == hint.id,
            (None, Some(_)) => false,
            // That was refused before.
            (Some(_), None) => false,
        };
        right_key && (header.block != 0) == self.options.direct
    }

    pub(super) fn block(&self) -> u64 {
        if self.direct { DIRECT_BLOCK } else { 1 }
    }

    /// A descriptor for groups, opened as the mode wants it.
    fn open_data(&mut self, path: &Path, plain: &Arc<dyn File>) -> Result<Arc<dyn File>> {
        let dsync = self.options.sync == SyncMode::Dsync;
        if self.direct {
            match self.disk.open(path, Open { direct: true, dsync, ..Open::WRITE }) {
                Ok(file) => return Ok(file.into()),
                Err(error) if errno_of(&error) == Some(Errno::INVAL) => self.no_direct(),
                Err(error) => return Err(error),
            }
        }
        if dsync {
            return Ok(self.disk.open(path, Open { dsync, ..Open::WRITE })?.into());
        }
        Ok(plain.clone())
    }

    /// A descriptor for groups in whole blocks. Where there is none, they go through the cache.
    fn open_blocks(&self, path: &Path) -> Option<Arc<dyn File>> {
        let options = &self.options;
        let how = Open { direct: true, dsync: options.sync == SyncMode::Dsync, ..Open::WRITE };
        let ahead = options.preallocate.is_written();
        let wanted = ahead && options.sync.promises() && !options.direct && !options.buffered;
        if wanted { self.disk.open(path, how).ok().map(Arc::from) } else { None }
    }

    fn no_direct(&mut self) {
        self.direct = false;
        self.counters.refuse_direct();
        tell(Weight::Warn, &self.dir, format_args!("its filesystem refuses direct writes; they go through the page cache"));
    }

    /// Begins the next segment: under another name until its header is durable.
    pub(super) fn begin(&mut self) -> Result<(), WriteStop> {
        self.look_around()?;
        let temp = next_path(&self.dir);
        match self.try_begin(&temp) {
            Err(error) if is_no_space(&error) => {
                // Nothing of it has a segment's name yet.
                let _ = sweep(self.disk.as_ref(), &temp);
                let _ = self.spares.sweep();
                Err(only("begin a segment in", &error))
            }
            other => Ok(other?),
        }
    }

    fn try_begin(&mut self, temp: &Path) -> Result<()> {
        let ready = self.space.take_next();
        let plain: Arc<dyn File> = match ready {
            Some(_) => self.disk.open(temp, Open { sole: true, ..Open::WRITE })?.into(),
            None => begin_file(self.disk.as_ref(), temp)?.into(),
        };
        let mut data = self.open_data(temp, &plain)?;
        let key = match self.options.keys.newest() {
            Some(key) => Some((*key, random()?)),
            None => None,
        };
        let block = if self.direct { u32::try_from(DIRECT_BLOCK).expect("a block is small") } else { 0 };
        let now = self.now();
        let recycled = ready.is_some_and(|room| room.recycled);
        let mut header = header_at(now, self.log_id, self.next, self.chain, block, key.as_ref(), recycled);
        if self.direct && self.write_header(data.as_ref(), &header).is_err_and(|e| errno_of(&e) == Some(Errno::INVAL)) {
            // Some filesystems open a file for direct writes and then refuse them.
            self.no_direct();
            data = self.open_data(temp, &plain)?;
            header = header_at(now, self.log_id, self.next, self.chain, 0, key.as_ref(), recycled);
        }
        self.write_header(plain.as_ref(), &header)?;
        let length = self.options.segment_bytes;
        match self.options.preallocate {
            Preallocate::Sparse => plain.set_length(length)?,
            Preallocate::Fallocate => plain.reserve(0, length)?,
            Preallocate::None | Preallocate::Zero | Preallocate::Recycle => {}
        }
        plain.sync_all()?;
        let path = self.dir.join(segment_name(self.next));
        self.standing.is_free(&path, self.next)?;
        self.disk.rename(temp, &path)?;
        // Without this a crash can lose the new file's name although its bytes were synced.
        self.disk.sync_dir(&self.dir)?;
        self.space.begin(&path, HEADER_BYTES, ready.map_or(HEADER_BYTES, |room| room.ready));
        self.dirty = true;
        let blocks = self.open_blocks(&path);
        self.stage.begin(&[]);
        let (tally, last_sum) = (Tally::default(), self.chain);
        let cipher = key.as_ref().map(|(key, _)| SegmentCipher::new(key, &header));
        self.active = Some(Active {
            plain,
            data,
            blocks,
            path,
            header,
            cipher,
            position: HEADER_BYTES,
            tally,
            last_sum,
            remains: recycled,
            since: None,
        });
        self.counters.begun();
        tell(Weight::Debug, &self.dir, format_args!("begun: {}", segment_name(self.next)));
        Ok(())
    }

    fn write_header(&self, file: &dyn File, header: &SegmentHeader) -> Result<()> {
        let mut block = AlignedBytes::new();
        block.push(&encode_header(header));
        write_full(file, block.bytes(), 0)
    }

    /// Finishes the active segment: everything in it durable, then the Seal, then the file cut to its length.
    pub(super) fn seal(&mut self) -> Result<(), WriteStop> {
        self.space.retire();
        self.look_around()?;
        self.sync_now()?;
        self.cut_remains()?;
        let now = self.now();
        let Some(active) = &mut self.active else { return Ok(()) };
        let mut bytes = Vec::new();
        let seed = active.header.seed();
        let sum = encode_seal(&mut bytes, &active.tally, 0, self.next, now, seed, active.position);
        if let Err(error) = write_full(active.plain.as_ref(), &bytes, active.position) {
            return Err(self.cut_back(error));
        }
        active.plain.sync_data()?;
        active.plain.set_length(active.position + bytes.len() as u64)?;
        active.plain.sync_all()?;
        self.chain = sum;
        if let (Some(retention), Some(active)) = (&self.retention, self.active.take()) {
            retention.sealed(active.header.first_lsn);
        }
        self.active = None;
        tell(Weight::Debug, &self.dir, format_args!("sealed: {} is next", self.next));
        self.counters.rotation();
        Ok(())
    }

    pub(super) fn is_full_for(&self, group: &Group) -> bool {
        let Some(active) = &self.active else { return false };
        let options = &self.options;
        let age = || active.since.map_or(Duration::ZERO, |since| since.elapsed());
        // A segment without a record, which a clean end may have left, is never sealed: the next one would get its name.
        active.tally.last_lsn > 0
            && (group.rotate
                || active.position + group.bytes.len() as u64 > options.segment_bytes
                || options.segment_records.is_some_and(|most| active.tally.records + group.records as u64 > most)
                || options.segment_age.is_some_and(|most| age() >= most))
    }

    /// Seals the active segment, if there is anything in it, and begins the next one.
    pub fn rotate(&mut self) -> Result<Rotated> {
        self.check()?;
        let mut sealed = None;
        if let Some(active) = self.active.as_ref().filter(|active| active.tally.last_lsn > 0) {
            let name = segment_name(active.header.first_lsn);
            self.seal().map_err(|stop| self.stopped(stop))?;
            sealed = Some(name);
        }
        if self.active.is_none() {
            self.begin().map_err(|stop| self.stopped(stop))?;
        }
        Ok(Rotated { sealed, active: segment_name(self.next) })
    }

    /// Seals the active segment and begins the next one if it is as old as it may become. Tells when to look again.
    pub fn rotate_if_old(&mut self) -> Result<Duration> {
        let most = self.options.segment_age.unwrap_or(Duration::MAX);
        let age = self.active.as_ref().and_then(|active| active.since).map_or(Duration::ZERO, |since| since.elapsed());
        if age < most {
            return Ok(most - age);
        }
        self.rotate()?;
        Ok(most)
    }

    #[cfg(test)]
    pub fn grow_old(&mut self) {
        if let Some(active) = &mut self.active {
            active.since = Instant::now().checked_sub(self.options.segment_age.expect("the test set it"));
        }
    }

    pub(super) fn write_close(&mut self) -> Result<(), WriteStop> {
        self.space.retire();
        // Close proves that everything before it is durable: it must be so before.
        self.sync_now()?;
        self.cut_remains()?;
        let (block, next, now) = (self.block(), self.next, self.now());
        let Some(active) = &self.active else { return Ok(()) };
        let (seed, at) = (active.header.seed(), active.position);
        let fields = close_fields(next, now);
        // With direct writes Close ends its block, so that the next group begins a new one. The padding is durable before Close
        // says so.
        if let Some(room) = pad_room(at, block, frame_bytes(0) as u64) {
            let pad = pad_frame(next, 0, now, seed, at, room);
            self.write_control(&pad)?;
        }
        let at = self.active.as_ref().map_or(at, |active| active.position);
        let mut bytes = Vec::new();
        encode_frame(&mut bytes, &fields, &[], seed, at);
        self.write_control(&bytes)?;
        let Some(active) = &self.active else { return Ok(()) };
        active.plain.set_length(active.position)?;
        active.plain.sync_all()?;
        Ok(())
    }

    /// Cuts off what an earlier life left in the file, before anything but a group is written to it. The cut is durable when this returns: a
    /// reader must never see old bytes without the table that tells them from new ones.
    pub(super) fn cut_remains(&mut self) -> Result<()> {
        if let Some(active) = self.active.as_mut().filter(|active| active.remains) {
            active.plain.set_length(active.position)?;
            active.plain.sync_all()?;
            active.remains = false;
        }
        Ok(())
    }

    /// A group that does not fit the room of a file that is used again would run into the table behind it.
    pub(super) fn leave_remains(&mut self, end: u64) -> Result<(), WriteStop> {
        let leaves = |active: &Active| active.remains && end > room_end(self.options.segment_bytes);
        if self.active.as_ref().is_some_and(leaves) {
            self.sync_now()?;
            self.space.retire();
            self.cut_remains()?;
            if let Some(active) = &self.active {
                self.space.begin(&active.path, active.position, active.position);
            }
        }
        Ok(())
    }

    /// Writes and syncs one frame that is no record.
    fn write_control(&mut self, frame: &[u8]) -> Result<(), WriteStop> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if let Err(error) = write_full(active.plain.as_ref(), frame, active.position) {
            return Err(self.cut_back(error));
        }
        active.plain.sync_data()?;
        if let Some(header) = frame.first_chunk().and_then(FrameHeader::parse) {
            active.tally.observe(&header, active.position, 0);
            active.last_sum = header.sum;
        }
        active.position += frame.len() as u64;
        Ok(())
    }
}
