//! Records that are stored compressed: one Zstandard frame each.

use std::io::Read;

/// The number by which a log says that what follows is Zstandard.
pub const ZSTANDARD: u32 = 7;
/// No batch is longer: its length is a u32. What unpacks to more was not written by a database.
#[cfg(feature = "zstd")]
const BATCH_LIMIT: u64 = u32::MAX as u64;
/// More than this is not asked of memory before a single byte was unpacked: Zstandard's own recommendation for readers.
#[cfg(feature = "zstd")]
const WINDOW_LIMIT: u64 = 8 << 20;

/// What unpacking came to.
#[cfg_attr(not(feature = "zstd"), allow(dead_code, reason = "a build without Zstandard unpacks nothing"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// All of it.
    Whole(Vec<u8>),
    /// The first part of something longer than was asked for.
    Part(Vec<u8>),
    /// It is no such stream, or not all of one.
    Bad,
    /// Nothing here can unpack it.
    #[cfg_attr(feature = "zstd", allow(dead_code, reason = "what a build without Zstandard gives"))]
    Closed,
}

/// Unpacks records one after the other, with the same tables.
#[derive(Default)]
pub struct Unpacker {
    #[cfg(feature = "zstd")]
    decoder: Option<Box<ruzstd::decoding::FrameDecoder>>,
}

impl Unpacker {
    /// Up to `most` bytes of what a stored record unpacks to.
    #[cfg(feature = "zstd")]
    pub fn unpack(&mut self, stored: impl Read, most: usize) -> Unpacked {
        let mut content = Vec::new();
        let mut more = false;
        let done = self.each(stored, &mut |piece| {
            let room = most - content.len();
            content.extend_from_slice(&piece[..piece.len().min(room)]);
            more = piece.len() > room;
            !more
        });
        match done {
            Ok(()) if more => Unpacked::Part(content),
            Ok(()) => Unpacked::Whole(content),
            Err(()) => Unpacked::Bad,
        }
    }

    /// Hands over what a stored record unpacks to, piece by piece, until `take` has enough.
    #[cfg(feature = "zstd")]
    pub fn each(&mut self, stored: impl Read, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), ()> {
        let decoder = self.decoder.get_or_insert_with(|| {
            let mut decoder = ruzstd::decoding::FrameDecoder::new();
            decoder.set_max_window_size(WINDOW_LIMIT);
            Box::new(decoder)
        });
        let mut stream = ruzstd::decoding::StreamingDecoder::new_with_decoder(stored, decoder.as_mut()).map_err(|_| ())?;
        let mut room = [0; 16 << 10];
        let mut total = 0;
        loop {
            let count = stream.read(&mut room).map_err(|_| ())?;
            total += count as u64;
            if total > BATCH_LIMIT {
                return Err(());
            }
            if count == 0 || !take(&room[..count]) {
                return Ok(());
            }
        }
    }

    /// Without the feature `zstd` nothing is unpacked.
    #[cfg(not(feature = "zstd"))]
    pub fn unpack(&mut self, _: impl Read, _: usize) -> Unpacked {
        Unpacked::Closed
    }

    /// Without the feature `zstd` nothing is unpacked.
    #[cfg(not(feature = "zstd"))]
    pub fn each(&mut self, _: impl Read, _: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), ()> {
        Err(())
    }
}
