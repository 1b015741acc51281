//! RocksDB and LevelDB, as a format.

use super::super::blocks::RECYCLED_HEADER;
use super::{decode, log, walk};
use crate::formats::{Drawing, Format, Mending, Numbers};
use crate::model::Record;

/// RocksDB and LevelDB.
pub const FORMAT: Format = Format {
    name: "rocksdb",
    aliases: &["leveldb"],
    title: "RocksDB and LevelDB write-ahead log (RocksDB up to 9.11, LevelDB up to 1.23)",
    protects: "masked CRC-32C over type and payload of each frame; a log that ends early at a record looks whole",
    kinds: &["batch", "set_compression", "timestamp_sizes", "predecessor", "version_edit", "unknown"],
    encrypted: false,
    numbers: Numbers::Counted,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    mending: Mending::Asked(log::mend),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: Some(decode::decode),
    count: Some(super::counts::count),
    drawing,
    private: Some(7),
    unprotected: "",
    words: &[
        "sequence-skipped",
        "sequence-gap",
        "compressed",
        "another-logs-frames",
        "predecessor-absent",
        "a whole frame",
        "stands behind it and was written after it",
        "a whole frame with this log's number",
        "stands behind it, so the log does not end here",
        "the piece",
        "was written after the beginning of its record",
        "its own sum",
        "is right, so it was written like that",
        "the next log",
        "says how long this one was when it was finished",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

const CLASSIC: Drawing = &[("crc", 0, 4), ("length", 4, 2), ("type", 6, 1)];
const RECYCLED: Drawing = &[("crc", 0, 4), ("length", 4, 2), ("type", 6, 1), ("log number", 7, 4)];
const _: () = assert!(RECYCLED_HEADER == 11);

fn drawing(record: &Record<'_>) -> Drawing {
    if record.fields.iter().any(|field| field.name == "log_number") { RECYCLED } else { CLASSIC }
}
