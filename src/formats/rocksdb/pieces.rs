//! The payload of a record that is too long to be held, read again from its fragments.

use std::io::{self, Read};
use std::sync::Arc;

use super::frame::{BLOCK, HEADER, RECYCLED_HEADER};
use crate::disk::File;

/// Reads the payloads of the frames of one record, which was found whole before.
#[derive(Debug)]
pub struct Fragments {
    file: Arc<dyn File>,
    /// How long the header of each frame is.
    header: usize,
    at: u64,
    end: u64,
    /// How much of the current frame's payload is left.
    left: usize,
}

impl Fragments {
    /// Of the record from `start` to `end`, whose frames bear the log's number or not.
    #[must_use]
    pub fn new(file: Arc<dyn File>, start: u64, end: u64, recycled: bool) -> Fragments {
        Fragments { file, header: if recycled { RECYCLED_HEADER } else { HEADER }, at: start, end, left: 0 }
    }

    /// Goes to the payload of the next frame; false behind the last one.
    fn next_frame(&mut self) -> io::Result<bool> {
        let rest = BLOCK - self.at % BLOCK;
        if rest < self.header as u64 {
            self.at += rest;
        }
        if self.at >= self.end {
            return Ok(false);
        }
        let mut head = [0; HEADER];
        crate::disk::read_full(&*self.file, &mut head, self.at).map_err(io::Error::other)?;
        self.left = usize::from(u16::from_le_bytes([head[4], head[5]]));
        self.at += self.header as u64;
        Ok(true)
    }
}

impl Read for Fragments {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            if !self.next_frame()? {
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
