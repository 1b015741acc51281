//! Putting a file of this machine into a bucket, where nothing may be lost by it: neither here nor there.
//!
//! The object is put on condition that nothing stands there, in parts where it is long, which are joined on the same condition. A server may
//! not know conditions, may answer and not store, and may store and not answer. So only what is read back counts: the copy is done when each
//! byte of it came back, from an object that was listed or put in this state.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use object_store::path::Path as Key;
use object_store::{MultipartUpload, PutMode, PutOptions, PutPayload};

use super::fetch::{PinnedObject, quoted};
use super::file::BucketFile;
use super::state::Bucket;
use super::words::WayFailure;
use crate::disk::{File, read_full};
use crate::model::{Error, Result};

/// No provider takes more parts.
const PARTS: u64 = 9_000;
/// How many parts are on their way at once.
const AT_ONCE: usize = 3;
/// How much is compared at a time.
const COMPARED: usize = 256 << 10;

/// Puts a copy of a file at a place in the bucket, unless an equal one stands there.
pub fn archive(bucket: &Arc<Bucket>, from: &Arc<dyn File>, to: &Path) -> Result<()> {
    let refused = |why: &str| Err(Error::Refused { path: to.to_owned(), why: why.into() });
    let other = "another object of that name stands there";
    bucket.list_around(to)?;
    if let Some(there) = bucket.object(to)? {
        return if is_copy(bucket, from, &there)? { Ok(()) } else { refused(other) };
    }
    let length = from.length()?;
    let key = bucket.key(to)?;
    match put(bucket, from, length, &key) {
        Ok(Some(etag)) => {
            let there = PinnedObject { path: to.to_owned(), key, length, etag: quoted(etag) };
            let whole = is_copy(bucket, from, &Arc::new(there))?;
            if whole { Ok(()) } else { refused("the copy does not read back as it was written") }
        }
        Err(PutFailure::Here(error)) => Err(error),
        // The server does not say what it stored; or somebody was faster, or it was ourselves and the answer got lost.
        Ok(None) | Err(PutFailure::There(WayFailure::Taken | WayFailure::Replaced | WayFailure::Gone)) => {
            bucket.forget(to)?;
            match bucket.object(to)? {
                Some(there) if is_copy(bucket, from, &there)? => Ok(()),
                Some(_) => refused(other),
                None => Err(bucket.lose("write", to, None, WayFailure::of("the server took it, and it is not there"))),
            }
        }
        Err(PutFailure::There(trouble)) => Err(bucket.lose("write", to, None, trouble)),
    }
}

/// What keeps a copy from being made.
enum PutFailure {
    /// The file cannot be read.
    Here(Error),
    /// The bucket does not take it.
    There(WayFailure),
}

impl From<Error> for PutFailure {
    fn from(error: Error) -> PutFailure {
        PutFailure::Here(error)
    }
}

impl From<object_store::Error> for PutFailure {
    fn from(error: object_store::Error) -> PutFailure {
        PutFailure::There(error.into())
    }
}

/// Whether an object holds what a file holds. What differs is read once more: it may have gone wrong under way, and then the way is lost.
fn is_copy(bucket: &Arc<Bucket>, from: &Arc<dyn File>, there: &Arc<PinnedObject>) -> Result<bool> {
    Ok(from.length()? == there.length && (equal(bucket, from, there)? || equal(bucket, from, there)?))
}

fn equal(bucket: &Arc<Bucket>, from: &Arc<dyn File>, there: &Arc<PinnedObject>) -> Result<bool> {
    let object = BucketFile::new(bucket.clone(), there.clone(), None);
    let (mut ours, mut theirs) = (vec![0; COMPARED], vec![0; COMPARED]);
    let mut at = 0;
    loop {
        let count = read_full(from.as_ref(), &mut ours, at)?;
        if read_full(&object, &mut theirs, at)? != count || ours[..count] != theirs[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        at += count as u64;
    }
}

/// Puts the file, and gives the mark of what was put, if the server says one.
fn put(bucket: &Arc<Bucket>, from: &Arc<dyn File>, length: u64, key: &Key) -> Result<Option<String>, PutFailure> {
    let store = bucket.store();
    if store.parts && length > store.sizes.parts_above {
        let upload = bucket.run(store.client.put_multipart_opts(key, Default::default()))?;
        return put_parts(bucket, from, length, upload);
    }
    let whole = read_part(from, 0, length)?;
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    Ok(bucket.run(store.client.put_opts(key, whole, options))?.e_tag)
}

fn put_parts(
    bucket: &Arc<Bucket>,
    from: &Arc<dyn File>,
    length: u64,
    mut upload: Box<dyn MultipartUpload>,
) -> Result<Option<String>, PutFailure> {
    let part = bucket.sizes().piece.max(length.div_ceil(PARTS));
    let joined = (|| {
        let mut flights = VecDeque::new();
        for at in (0..length).step_by(usize::try_from(part).unwrap_or(usize::MAX)) {
            let bytes = read_part(from, at, part.min(length - at))?;
            flights.push_back(bucket.start(upload.put_part(bytes)));
            if flights.len() >= AT_ONCE {
                land(bucket, &mut flights)?;
            }
        }
        while !flights.is_empty() {
            land(bucket, &mut flights)?;
        }
        bucket.run(upload.complete())?;
        // What some servers call the object now is not what they call it when it is asked for.
        Ok(None)
    })();
    if joined.is_err() {
        // What was put costs money until it is given up. A server that cannot be reached keeps it; its rules let it go.
        let _ = bucket.run(upload.abort());
    }
    joined
}

type Flights = VecDeque<tokio::task::JoinHandle<object_store::Result<()>>>;

fn land(bucket: &Bucket, flights: &mut Flights) -> Result<(), PutFailure> {
    let Some(first) = flights.pop_front() else { return Ok(()) };
    let landed = bucket.run(first).map_err(|_| PutFailure::There(WayFailure::of("the request was given up")))?;
    Ok(landed?)
}

fn read_part(from: &Arc<dyn File>, at: u64, length: u64) -> Result<PutPayload, PutFailure> {
    let room = usize::try_from(length).map_err(|_| PutFailure::There(WayFailure::of("it is too long")))?;
    let mut bytes = vec![0; room];
    let count = read_full(from.as_ref(), &mut bytes, at)?;
    if count < room {
        let short = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        return Err(PutFailure::Here(Error::io("read", Path::new("a segment"))(short)));
    }
    Ok(bytes.into())
}
