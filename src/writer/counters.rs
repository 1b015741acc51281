//! What a writer did: for statistics and benchmarks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::Lsn;
use crate::native::{BUCKETS, bucket};

/// Counted since the writer was opened. Reading takes no lock.
#[derive(Debug)]
pub struct Counters {
    groups: AtomicU64,
    records: AtomicU64,
    syncs: AtomicU64,
    past_cache: AtomicU64,
    bytes: AtomicU64,
    payload_bytes: AtomicU64,
    rotations: AtomicU64,
    begun: AtomicU64,
    gone: AtomicU64,
    sizes: [AtomicU64; BUCKETS],
    durable: AtomicU64,
    direct_refused: AtomicBool,
}

/// The numbers of [`Counters`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Groups written.
    pub groups: u64,
    /// Records in them.
    pub records: u64,
    /// Syncs of groups; writes that are durable when they return count too.
    pub syncs: u64,
    /// Groups that went past the page cache, whatever the mode.
    pub past_cache: u64,
    /// Bytes of groups: frames and padding.
    pub bytes: u64,
    /// Bytes of them that callers gave, before compression and encryption as far as the writer was told.
    pub payload_bytes: u64,
    /// Segments sealed.
    pub rotations: u64,
    /// Segments begun.
    pub segments_begun: u64,
    /// Segments that retention let go.
    pub segments_gone: u64,
    /// Groups by their number of records, in powers of two: 0, 1, 2–3, 4–7 …
    pub group_sizes: Vec<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            groups: AtomicU64::new(0),
            records: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            past_cache: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            payload_bytes: AtomicU64::new(0),
            rotations: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            sizes: std::array::from_fn(|_| AtomicU64::new(0)),
            durable: AtomicU64::new(0),
            direct_refused: AtomicBool::new(false),
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn group(&self, records: usize, bytes: u64, payload_bytes: u64) {
        add(&self.groups, 1);
        add(&self.records, records as u64);
        add(&self.bytes, bytes);
        add(&self.payload_bytes, payload_bytes);
        add(&self.sizes[bucket(records as u64)], 1);
    }

    pub(super) fn past_cache(&self) {
        add(&self.past_cache, 1);
    }

    pub(super) fn sync(&self) {
        add(&self.syncs, 1);
    }

    pub(super) fn rotation(&self) {
        add(&self.rotations, 1);
    }

    pub(super) fn begun(&self) {
        add(&self.begun, 1);
    }

    pub(super) fn gone(&self, count: u64) {
        add(&self.gone, count);
    }

    pub(super) fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Everything below `lsn` is durable.
    pub(super) fn durable_below(&self, lsn: Lsn) {
        self.durable.store(lsn.before().unwrap_or(Lsn(0)).0, Ordering::Release);
    }

    /// The last LSN that is known durable; 0 for none.
    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// The filesystem takes no direct writes although they were asked for.
    pub(super) fn refuse_direct(&self) {
        self.direct_refused.store(true, Ordering::Relaxed);
    }

    pub(super) fn direct_refused(&self) -> bool {
        self.direct_refused.load(Ordering::Relaxed)
    }

    /// The numbers as they stand now.
    #[must_use]
    pub fn now(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            groups: get(&self.groups),
            records: get(&self.records),
            syncs: get(&self.syncs),
            past_cache: get(&self.past_cache),
            bytes: get(&self.bytes),
            payload_bytes: get(&self.payload_bytes),
            rotations: get(&self.rotations),
            segments_begun: get(&self.begun),
            segments_gone: get(&self.gone),
            group_sizes: self.sizes.iter().map(get).collect(),
        }
    }
}
