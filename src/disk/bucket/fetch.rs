//! One range of one object, as it was when it was listed.

use std::future::poll_fn;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::words::WayFailure;

/// An object in one state.
#[derive(Clone, Debug)]
pub struct PinnedObject {
    /// Its place, for messages.
    pub path: PathBuf,
    /// Its name in the bucket.
    pub key: Key,
    /// How long it is.
    pub length: u64,
    /// The mark of its state: the server gives nothing of another one.
    pub etag: String,
}

/// Answers that end too early and are no error to the client are asked for again this often.
const SHORT_ANSWERS: u32 = 3;

/// What is needed to ask: shared by all that ask.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The client.
    pub client: Arc<dyn ObjectStore>,
    /// How many bytes came.
    pub bytes: Arc<AtomicU64>,
    /// Room of pieces that were read, for others: an allocator that is given megabytes back in changing order keeps more than is used.
    pub rooms: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Less room than this is not kept.
const LARGE: usize = 1 << 20;

impl Asker {
    /// The bytes of a range.
    pub async fn bytes(&self, of: &PinnedObject, range: Range<u64>) -> Result<Vec<u8>, WayFailure> {
        let want = usize::try_from(range.end - range.start).map_err(|_| WayFailure::of("it is too long"))?;
        for _ in 0..SHORT_ANSWERS {
            let mut bytes = self.room(want);
            self.each_chunk(of, range.clone(), &mut |chunk| bytes.extend_from_slice(chunk)).await?;
            if bytes.len() == want {
                return Ok(bytes);
            }
        }
        Err(WayFailure::of("the server ends its answers before their end"))
    }

    fn room(&self, want: usize) -> Vec<u8> {
        let kept = if want < LARGE { None } else { self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop() };
        let mut room = kept.unwrap_or_default();
        room.clear();
        room.reserve_exact(want);
        room
    }

    /// Takes room back that is not read any more.
    pub fn give_back(&self, room: Vec<u8>) {
        if room.capacity() >= LARGE {
            self.rooms.lock().unwrap_or_else(PoisonError::into_inner).push(room);
        }
    }

    /// The sum of a range, which is not kept.
    pub async fn sum(&self, of: &PinnedObject, range: Range<u64>) -> Result<u32, WayFailure> {
        for _ in 0..SHORT_ANSWERS {
            let (mut sum, mut count) = (0, 0);
            self.each_chunk(of, range.clone(), &mut |chunk| {
                sum = crate::disk::crc32(sum, chunk);
                count += chunk.len() as u64;
            })
            .await?;
            if count == range.end - range.start {
                return Ok(sum);
            }
        }
        Err(WayFailure::of("the server ends its answers before their end"))
    }

    async fn each_chunk(
        &self,
        of: &PinnedObject,
        range: Range<u64>,
        take: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), WayFailure> {
        let if_match = Some(of.etag.clone());
        let mut left = range.end - range.start;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), if_match, ..GetOptions::default() };
        let answer = self.client.get_opts(&of.key, options).await?;
        // A server may not know conditions; what it answered says what it was about.
        let other = answer.meta.e_tag.as_ref().is_some_and(|etag| bare(etag) != bare(&of.etag));
        if other || answer.meta.size != of.length {
            return Err(WayFailure::Replaced);
        }
        let mut chunks = answer.into_stream();
        while let Some(chunk) = poll_fn(|context| chunks.as_mut().poll_next(context)).await {
            let chunk = chunk?;
            self.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            // More than was asked for is not ours.
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            take(&chunk[..count]);
            left -= count as u64;
        }
        Ok(())
    }
}

/// A mark without its quotes, which some listings leave out.
fn bare(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

/// A mark as conditions name it.
pub fn quoted(etag: String) -> String {
    if etag.contains('"') { etag } else { format!("\"{etag}\"") }
}
