//! NATS JetStream, as a format.

use super::{log, walk};
use crate::formats::{Format, Mending, Numbers};

/// NATS JetStream.
pub const FORMAT: Format = Format {
    name: "nats",
    aliases: &["jetstream", "nats-jetstream"],
    title: "NATS JetStream file store, a stream's message blocks (2.9 to 2.15)",
    protects: "HighwayHash-64 over sequence, time, subject, headers and message, keyed by the names of stream and block; not over lengths",
    kinds: &["msg", "erased", "tombstone"],
    encrypted: false,
    numbers: Numbers::Counted,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    decode: Some(super::meaning::decode),
    count: Some(super::counts::count),
    mending: Mending::Asked(log::mend),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    drawing: |_| &[("length", 0, 4), ("sequence", 4, 8), ("time", 12, 8), ("subject length", 20, 2)],
    private: Some(super::record::HEADER as u64),
    unprotected: "where subject, headers and message begin: a wrong length that leaves their bytes in order is not seen",
    words: &["encrypted-block", "compressed-block", "sums-not-checked", "sequence-back"],
    write_own: log::write_own,
    read_own: log::read_own,
};
