//! raft-engine, as a format.

use super::{log, meaning, walk};
use crate::formats::{Format, Mending, Numbers};

/// raft-engine.
pub const FORMAT: Format = Format {
    name: "raft-engine",
    aliases: &["tikv"],
    title: "raft-engine, TiKV's raft log (0.4, format versions 1 and 2)",
    protects: "CRC-32 over the items of a batch and another over its entries, which the engine checks only when it reads them; nothing links \
               batches or files, so a cut between two batches looks whole",
    kinds: &["batch"],
    encrypted: false,
    numbers: Numbers::None,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    decode: Some(meaning::decode),
    count: Some(super::counts::count),
    mending: Mending::Asked(log::mend),
    // The engine locks LOCK with flock, and its files are open for writing anyway.
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    drawing: |_| &[("length and compression", 0, 8), ("offset of the items", 8, 8)],
    // Entries and values may hold anything.
    private: Some(16),
    unprotected: "the header of a batch, as far as its sums still fit, and zeros between batches; and nothing links batches or files, so a cut \
                  between two batches cannot be seen",
    words: &["entries-unread", log::SIGNED.0, log::SIGNED.1],
    write_own: log::write_own,
    read_own: log::read_own,
};
