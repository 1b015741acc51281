//! The content of a record as a reader gives it: borrowed, or a part of what was read with one stroke.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The payload of a [`LogRecord`](crate::LogRecord): bytes, wherever they lie. A record from an iterator shares the buffer of some 4 MiB that
/// it was read into with its neighbours; to keep a few records of many for long, copy them with `to_vec()`.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// # walctl::Log::open(dir.path())?.append("payload")?;
/// let record = walctl::Reader::open(dir.path())?.next().expect("there is one")?;
/// assert_eq!(record.payload, b"payload"[..]);
/// let text = String::from_utf8_lossy(&record.payload);
/// let own: Vec<u8> = record.payload.to_vec();
/// # let _ = (text, own);
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone)]
pub struct RecordBytes<'a>(WhereBytesLie<'a>);

#[derive(Clone)]
enum WhereBytesLie<'a> {
    Borrowed(&'a [u8]),
    Shared(Arc<Vec<u8>>, Range<usize>),
}

impl<'a> RecordBytes<'a> {
    pub(super) fn borrowed(bytes: &'a [u8]) -> RecordBytes<'a> {
        RecordBytes(WhereBytesLie::Borrowed(bytes))
    }

    pub(super) fn owned(bytes: Vec<u8>) -> RecordBytes<'static> {
        let whole = 0..bytes.len();
        RecordBytes::shared(&Arc::new(bytes), whole)
    }

    /// A part of a buffer that several records share.
    pub(super) fn shared(buffer: &Arc<Vec<u8>>, part: Range<usize>) -> RecordBytes<'static> {
        RecordBytes(WhereBytesLie::Shared(buffer.clone(), part))
    }

    pub(super) fn into_owned(self) -> RecordBytes<'static> {
        match self.0 {
            WhereBytesLie::Borrowed(bytes) => RecordBytes::owned(bytes.to_vec()),
            WhereBytesLie::Shared(buffer, part) => RecordBytes(WhereBytesLie::Shared(buffer, part)),
        }
    }
}

impl Deref for RecordBytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            WhereBytesLie::Borrowed(bytes) => bytes,
            WhereBytesLie::Shared(buffer, part) => &buffer[part.clone()],
        }
    }
}

impl AsRef<[u8]> for RecordBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for RecordBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be secret: only its size is printed.
        write!(f, "RecordBytes({})", self.len())
    }
}

impl Eq for RecordBytes<'_> {}

impl PartialEq for RecordBytes<'_> {
    fn eq(&self, other: &RecordBytes<'_>) -> bool {
        **self == **other
    }
}

impl PartialEq<[u8]> for RecordBytes<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for RecordBytes<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}
