//! MySQL and MariaDB, as a format.

use super::event::HEADER;
use super::{kinds, log, meaning, walk};
use crate::formats::{Format, Mending, Numbers};

/// MySQL and MariaDB.
pub const FORMAT: Format = Format {
    name: "mysql",
    aliases: &["mariadb"],
    title: "MySQL and MariaDB binary logs and relay logs (MySQL 5.5 to 9, MariaDB 10 and 11)",
    protects: "CRC-32 over each event, unless binlog_checksum=NONE; nothing links events, and the names of the next file link files",
    kinds: kinds::KINDS,
    encrypted: false,
    numbers: Numbers::None,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    decode: Some(meaning::decode),
    count: Some(super::counts::count),
    mending: Mending::Never {
        why: "no server appends to an old file: after a crash it begins a new one, MySQL cuts the old one behind its last whole transaction by itself, and \
         MariaDB leaves it as it is and may need it to finish prepared transactions; a replica may have read on; \
         to use what is whole, replay it up to one of these places (option stop-position)",
        torn_end: "start the server: it appends to a new file; MySQL first cuts this one behind its last whole transaction, MariaDB leaves it as it is",
    },
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    drawing: |_| &[("time", 0, 4), ("type", 4, 1), ("server", 5, 4), ("length", 9, 4), ("next", 13, 4), ("flags", 17, 2)],
    private: Some(HEADER),
    unprotected: "the flag of the first event that says that the file was not closed; all of an event but its length and type where \
                  checksums are off or MariaDB encrypted it; and nothing links events, so a cut between two of them in the last file is \
                  seen only where it leaves a transaction open",
    words: &[
        "its own sum",
        "is right, so it was written like that",
        "no-checksums",
        "encrypted",
        "uncommitted",
        "not-closed",
        "not-rotated",
        "a whole event",
        "stands behind it and was written after it",
        "the file",
        "was closed, and all of it written, before the next one was begun",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};
