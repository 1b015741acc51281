//! Reading ahead past the page cache: a thread reads the next piece while the last one is looked at.
//!
//! The system does that for what goes through its cache, and for nothing else.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{AlignedBytes, DIRECT_BLOCK, File};
use crate::model::Result;

/// So much is read at a time.
const PIECE: usize = 1 << 20;

/// A file that is read from its begin to its end. Where the thread cannot read, whoever asks reads for himself and meets what there is.
#[derive(Debug)]
pub(super) struct FileAhead {
    file: Arc<dyn File>,
    pieces: Mutex<AheadPieces>,
}

#[derive(Debug)]
struct AheadPieces {
    ask: SyncSender<(u64, AlignedBytes)>,
    come: Receiver<AheadPiece>,
    /// A piece is on its way.
    asked: bool,
    /// The two that came last, the newer one behind.
    held: [AheadPiece; 2],
}

#[derive(Debug, Default)]
struct AheadPiece {
    start: u64,
    bytes: AlignedBytes,
    /// So many of them were read; none where that failed.
    filled: usize,
}

impl FileAhead {
    /// The same file, read ahead. `None` where no thread can be had.
    pub fn of(file: &Arc<dyn File>) -> Option<FileAhead> {
        let ((ask, asked), (send, come)) = (sync_channel::<(u64, AlignedBytes)>(1), sync_channel(1));
        let own = file.clone();
        let work = move || {
            for (start, mut bytes) in asked {
                bytes.push_zeros(PIECE - bytes.len());
                let filled = own.read_at(bytes.bytes_mut(), start).unwrap_or(0);
                if send.send(AheadPiece { start, bytes, filled }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("walctl-ahead".into()).spawn(work).ok()?;
        let pieces = AheadPieces { ask, come, asked: false, held: Default::default() };
        Some(FileAhead { file: file.clone(), pieces: Mutex::new(pieces) })
    }
}

impl AheadPieces {
    /// What of the pieces that came stands at `offset`.
    fn at(&self, offset: u64) -> Option<&[u8]> {
        self.held.iter().find_map(|piece| {
            let skip = usize::try_from(offset.checked_sub(piece.start)?).ok()?;
            piece.bytes.bytes()[..piece.filled].get(skip..).filter(|rest| !rest.is_empty())
        })
    }

    /// Takes in the piece that is on its way, and lets the one behind it be read if it was full.
    fn next(&mut self) {
        if self.asked
            && let Ok(piece) = self.come.recv()
        {
            self.held.swap(0, 1);
            let used = std::mem::replace(&mut self.held[1], piece);
            self.asked = false;
            if self.held[1].filled == PIECE {
                self.begin(self.held[1].start + PIECE as u64, used.bytes);
            }
        }
    }

    fn begin(&mut self, start: u64, room: AlignedBytes) {
        self.asked = self.ask.send((start, room)).is_ok();
    }
}

impl File for FileAhead {
    fn length(&self) -> Result<u64> {
        self.file.length()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if pieces.at(offset).is_none() {
            pieces.next();
        }
        if let Some(bytes) = pieces.at(offset) {
            let count = bytes.len().min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
            return Ok(count);
        }
        let count = self.file.read_at(into, offset)?;
        let behind = offset + count as u64;
        if !pieces.asked && count > 0 && count == into.len() && behind.is_multiple_of(DIRECT_BLOCK) {
            pieces.begin(behind, AlignedBytes::new());
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.file.set_length(length)
    }

    fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        self.file.reserve(offset, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk as _, Open, RealDisk};

    #[test]
    fn what_is_read_ahead_is_what_stands_there_in_whatever_steps_it_is_read() {
        let length = (5 << 20) + 777;
        let content: Vec<u8> = (0..length).map(|at: usize| (at / 7 % 251) as u8).collect();
        let path = tempfile::NamedTempFile::new().expect("a temporary file").into_temp_path();
        std::fs::write(&path, &content).expect("there is room");
        for (step, back) in [(PIECE, 0), (PIECE, 8192), (65_536, 4096), (3 << 20, 0), (4096, 0)] {
            let file: Arc<dyn File> = RealDisk.open(&path, Open::READ).expect("it is there").into();
            let ahead = FileAhead::of(&file).expect("a thread starts");
            let (mut into, mut at) = (vec![0; step], 0);
            loop {
                let count = ahead.read_at(&mut into, at as u64).expect("it reads");
                assert_eq!(into[..count], content[at..at + count], "{step} at {at}");
                if count == 0 {
                    break;
                }
                at += count - if count == step { back } else { 0 };
            }
            assert_eq!(at, length);
            // A jump is no harm.
            assert_eq!(ahead.read_at(&mut into[..100], 5000).expect("it reads"), 100);
            assert_eq!(into[..100], content[5000..5100]);
        }
    }
}
