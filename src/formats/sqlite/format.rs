//! SQLite, as a format.

use super::frame::FRAME_HEADER;
use super::{decode, log, walk};
use crate::disk::{Lock, LockKind};
use crate::formats::{Format, Mending, Numbers};

/// SQLite.
pub const FORMAT: Format = Format {
    name: "sqlite",
    aliases: &[],
    title: "SQLite write-ahead log, the -wal file beside a database (3.7 and later)",
    protects: "a 64-bit sum that runs from the header through page number, size and page of all frames; salts are compared",
    kinds: &["frame", "commit"],
    encrypted: false,
    numbers: Numbers::None,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    mending: Mending::Never {
        why: "SQLite finds the end by itself, so a torn end needs no cut, and frames behind damage cannot be chained again without the pages that are \
         gone; copy the database, its -wal and its -shm together before any program opens the database: opening it lets the next checkpoint or \
         write destroy what stands behind the damage",
        torn_end: "nothing to mend: SQLite ends at the last whole commit when the database is opened; copy the database, its -wal and its -shm first",
    },
    // A process that has the database open holds a lock on it and, unless it has it for itself alone, on the index of the log.
    lock: Some(Lock { name: "-shm", kind: LockKind::FcntlBeside { ending: "-wal" } }),
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: Some(decode::decode),
    count: Some(super::counts::count),
    drawing: |_| &[("page", 0, 4), ("size", 4, 4), ("salts", 8, 8), ("sum", 16, 8)],
    private: Some(FRAME_HEADER as u64),
    unprotected: "",
    words: &[
        "uncommitted",
        "what stands behind the header",
        "was written after it",
        "a commit frame of this log",
        "stands behind it, so transactions had been committed that SQLite does not see any more",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

const _: () = assert!(FRAME_HEADER == 24);
