//! PostgreSQL, as a format.

use super::meaning::decode;
use super::page::{KINDS, RECORD_HEADER, position, show};
use super::{log, walk};
use crate::formats::{Format, Mending, Numbers};

/// PostgreSQL.
pub const FORMAT: Format = Format {
    name: "postgres",
    aliases: &[],
    title: "PostgreSQL write-ahead log, pg_wal (13 to 18)",
    protects: "CRC-32C over each record; page headers have no sum, and what they repeat is compared",
    kinds: KINDS,
    encrypted: false,
    numbers: Numbers::Positions { show: |lsn| show(lsn.0), read: position },
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    mending: Mending::Never {
        why: "the data files may already hold the changes of records that would be cut, and the server finds the end by itself; fetch the damaged \
         segment from an archive or a standby before the server is started, for it overwrites what follows the damage",
        torn_end: "start the server: it finds the end of its log by itself; if a standby or the archive has this segment whole, put that in place first",
    },
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: Some(walk::around),
    ours: None,
    decode: Some(decode),
    count: Some(super::counts::count),
    drawing: |_| {
        &[("length", 0, 4), ("xid", 4, 4), ("prev", 8, 8), ("info", 16, 1), ("manager", 17, 1), ("zero", 18, 2), ("crc", 20, 4)]
    },
    private: Some(RECORD_HEADER as u64),
    unprotected: "page headers: a system identifier and flags can change unseen; no reader looks at padding behind records, or at \
                  what follows a switch",
    words: &[
        "goes-on-elsewhere",
        "a later page",
        "bears the position at which it stands, so the log had gone on behind this",
        "a whole record",
        "stands behind it and was written after it",
        "the size of segments",
        "says that the bytes had been there, for files are made in full before they are used",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

const _: () = assert!(RECORD_HEADER == 24);
