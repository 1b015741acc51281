//! The content of a record that is too long to be held, read again from its frames.

use std::io::{self, Read};
use std::sync::Arc;

use super::frame::{FRAME_HEADER, PAGE};
use crate::disk::{File, read_full};

/// Reads the fragments of the frames of one record, which was found whole before.
#[derive(Debug)]
pub struct PieceReader {
    file: Arc<dyn File>,
    at: u64,
    end: u64,
    /// How much of the current fragment is left.
    left: usize,
}

impl PieceReader {
    /// Of the record from `start` to `end`.
    #[must_use]
    pub fn new(file: Arc<dyn File>, start: u64, end: u64) -> PieceReader {
        PieceReader { file, at: start, end, left: 0 }
    }

    /// Goes to the next fragment; false behind the last one.
    fn next_fragment(&mut self) -> io::Result<bool> {
        if PAGE - self.at % PAGE < FRAME_HEADER as u64 {
            self.at = self.at.next_multiple_of(PAGE);
        }
        if self.at >= self.end {
            return Ok(false);
        }
        let mut head = [0; FRAME_HEADER];
        read_full(&*self.file, &mut head, self.at).map_err(io::Error::other)?;
        if head[0] == 0 {
            // The rest of a page that was left early.
            self.at = (self.at + 1).next_multiple_of(PAGE);
            return Ok(self.at < self.end);
        }
        self.left = usize::from(u16::from_be_bytes([head[1], head[2]]));
        self.at += FRAME_HEADER as u64;
        Ok(true)
    }
}

impl Read for PieceReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            if !self.next_fragment()? {
                return Ok(0);
            }
        }
        let want = self.left.min(into.len());
        let count = self.file.read_at(&mut into[..want], self.at).map_err(io::Error::other)?;
        if count == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, self.at) = (self.left - count, self.at + count as u64);
        Ok(count)
    }
}
