//! Handing over the entries of a frame: a batch at hand, a compressed one, or one that is longer than what is held.

use std::io::{BufReader, Read};
use std::sync::Arc;

use lz4_flex::frame::FrameDecoder;

use super::super::{Halt, Sink, Visit};
use super::frame::{HEADER, HELD, Header, decompress, entries, is_batch, pass, scan};
use super::walk::Walker;
use crate::disk::{File, pieces};
use crate::model::{Error, Field, Lsn, Payload, Record, Result, Span, Value};

impl Walker<'_, '_> {
    /// Delivers the entries of a frame; false when its payload is no such batch.
    pub(super) fn entries(&mut self, header: &Header) -> Result<bool, Halt> {
        let (at, want) = (self.at, self.visit.want);
        let outside = want.counts_only || want.lsns.is_some_and(|r| header.next() <= r.first.0 || header.start > r.last.0);
        let stored = header.stored as usize;
        let held = stored <= HELD && self.cursor.bytes(at, HEADER + stored).len() == HEADER + stored;
        if header.kind == 0 {
            self.compare_sizes(header, u64::from(header.stored));
            if !held {
                return self.entries_of_a_giant(header, outside);
            }
            let bytes = self.cursor.bytes(at, HEADER + stored);
            return deliver(self.sink, self.visit, at, header, &bytes[HEADER..], outside);
        }
        if outside && !want.deep {
            return Ok(true);
        }
        if !(want.payloads || want.deep) && held {
            // Payloads are not wanted: the first entry stands for the stored bytes of all.
            let bytes = self.cursor.bytes(at, HEADER + stored);
            for index in 0..header.entries {
                let payload = if index == 0 { &bytes[HEADER..] } else { &[] };
                give(self.sink, self.visit, at, header, index, Payload::Whole(payload))?;
            }
            return Ok(true);
        }
        if !held {
            return self.entries_of_a_giant(header, outside);
        }
        let mut batch = std::mem::take(&mut self.batch);
        let opened = decompress(&self.cursor.bytes(at, HEADER + stored)[HEADER..], &mut batch);
        let done = match opened {
            Err(_) => Ok(false),
            Ok(None) => self.entries_of_a_giant(header, outside),
            Ok(Some(())) => {
                self.compare_sizes(header, batch.len() as u64);
                deliver(self.sink, self.visit, at, header, &batch, outside)
            }
        };
        batch.truncate(HELD >> 4);
        batch.shrink_to(HELD >> 4);
        self.batch = batch;
        done
    }

    /// The same for a batch that is longer than what is held: read twice, once to see that it is one, once to give it out.
    fn entries_of_a_giant(&mut self, header: &Header, outside: bool) -> Result<bool, Halt> {
        // Not the cursor's file: that one may go past the page cache, and then takes aligned reads only.
        let (file, start) = (self.visit.source.file(self.visit.segment)?, self.at + HEADER as u64);
        let open = || -> Box<dyn Read> {
            let stored = Stored { file: file.clone(), at: start, end: start + u64::from(header.stored) };
            if header.kind == 0 { Box::new(BufReader::new(stored)) } else { Box::new(FrameDecoder::new(BufReader::new(stored))) }
        };
        let mut total = 0;
        if scan(&mut open(), header.entries, |_, at, length| total = at + u64::from(length)).is_err() {
            return Ok(false);
        }
        self.compare_sizes(header, total);
        if outside {
            return Ok(true);
        }
        let mut batch = open();
        let mut at = 0u64;
        for index in 0..header.entries {
            let mut length = [0; 4];
            let mut read = batch.read_exact(&mut length);
            let length = u32::from_le_bytes(length);
            at += 4;
            if length as usize <= HELD {
                let mut entry = vec![0; length as usize];
                read = read.and_then(|()| batch.read_exact(&mut entry));
                if read.is_ok() {
                    give(self.sink, self.visit, self.at, header, index, Payload::Whole(&entry))?;
                }
            } else if header.kind == 0 {
                let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, start + at, u64::from(length), take);
                give(self.sink, self.visit, self.at, header, index, Payload::Long(u64::from(length), &again))?;
                read = read.and_then(|()| pass(&mut batch, u64::from(length)));
            } else {
                let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| {
                    let failed = |e| Error::io("decompress", &self.visit.segment.path)(e);
                    let mut batch = open();
                    pass(&mut batch, at).map_err(failed)?;
                    let (mut room, mut left) = (vec![0; 256 << 10], length as usize);
                    while left > 0 {
                        let piece = room.len().min(left);
                        batch.read_exact(&mut room[..piece]).map_err(failed)?;
                        take(&room[..piece])?;
                        left -= piece;
                    }
                    Ok(())
                };
                give(self.sink, self.visit, self.at, header, index, Payload::Long(u64::from(length), &again))?;
                read = read.and_then(|()| pass(&mut batch, u64::from(length)));
            }
            if read.is_err() {
                // It could be read a moment ago. What was given out stays; the rest is not there any more.
                return Ok(false);
            }
            at += u64::from(length);
        }
        Ok(true)
    }

    /// The uncompressed size is outside the sum, and yet it can be checked.
    fn compare_sizes(&mut self, header: &Header, found: u64) {
        if u64::from(header.plain) != found && !self.misfit_told {
            self.misfit_told = true;
            self.warn(
                "header-field-mismatch",
                format!(
                    "the frame of id {} says that its payload has {} bytes uncompressed, and it has {found}: the field is outside the \
                     checksum and has changed on the way; the entries are whole, but check the disk",
                    header.start, header.plain
                ),
            );
        }
    }
}

/// Delivers the entries of a batch that is at hand; false when it is no batch.
fn deliver(sink: &mut Sink<'_>, visit: &Visit<'_>, at: u64, header: &Header, batch: &[u8], outside: bool) -> Result<bool, Halt> {
    if !is_batch(batch, header.entries) {
        return Ok(false);
    }
    if !outside {
        for (index, range) in (0..).zip(entries(batch, header.entries)) {
            give(sink, visit, at, header, index, Payload::Whole(&batch[range]))?;
        }
    }
    Ok(true)
}

fn give(sink: &mut Sink<'_>, visit: &Visit<'_>, at: u64, header: &Header, index: u32, payload: Payload<'_>) -> Result<(), Halt> {
    let lsn = Lsn(header.start.saturating_add(u64::from(index)));
    let fields = [
        Field { name: "entry_index", value: Value::Number(u64::from(index)) },
        Field { name: "entry_count", value: Value::Number(u64::from(header.entries)) },
        Field { name: "start_id", value: Value::Number(header.start) },
        Field { name: "stored_as", value: Value::Text(if header.kind == 0 { "raw" } else { "lz4" }) },
    ];
    sink.record(&Record {
        lsn: Some(lsn),
        kind: "entry",
        fields: &fields,
        payload,
        ..Record::at(Span::new(visit.segment.id, at, at + header.length()))
    })
}

/// The stored bytes of a batch that is not held.
struct Stored {
    file: Arc<dyn File>,
    at: u64,
    end: u64,
}

impl Read for Stored {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = into.len().min(left);
        let read = self.file.read_at(&mut into[..want], self.at);
        let count = read.map_err(|e| std::io::Error::other(e.to_string()))?;
        self.at += count as u64;
        Ok(count)
    }
}
