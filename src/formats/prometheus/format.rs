//! Prometheus, as a format.

use super::{log, records, walk};
use crate::formats::{Format, Mending, Numbers};

/// Prometheus.
pub const FORMAT: Format = Format {
    name: "prometheus",
    aliases: &[],
    title: "Prometheus write-ahead log: wal, wbl and checkpoints (2.42 to 3.14, agents, Mimir)",
    protects: "CRC-32C over each fragment; nothing links records or segments, so a cut between two records looks whole",
    kinds: records::KINDS,
    encrypted: false,
    numbers: Numbers::None,
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
    drawing: |_| &[("kind", 0, 1), ("length", 1, 2), ("crc", 3, 4)],
    private: None,
    unprotected: "the kind, flags and length of a frame, as far as they fit its page and its sum; and nothing links records or segments, so a \
                  cut between two records of any segment cannot be seen",
    words: &[
        "compressed",
        "page-left-early",
        "a whole frame",
        "stands behind it and was written after it",
        "what stands behind it",
        "was written after it, for padding is zeros",
        "the piece",
        "was written after the beginning of its record",
        "its own sum",
        "is right, so it was written like that",
        "a later segment",
        "stands, and Prometheus ends or mends a segment before it begins another",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};
