//! ZooKeeper's transaction log, as a format.

use super::{frame, log, walk};
use crate::formats::{Format, Mending, Numbers};
use crate::model::Lsn;

/// ZooKeeper.
pub const FORMAT: Format = Format {
    name: "zookeeper",
    aliases: &[],
    title: "ZooKeeper transaction logs, version-2/log.* (3.4 to 3.9)",
    protects: "Adler-32 over each transaction; not over its length and the byte behind it, nor over the header of the file",
    kinds: frame::KINDS,
    encrypted: false,
    numbers: Numbers::Positions { show: |lsn| frame::show(lsn.0), read: |text| frame::read(text).map(Lsn) },
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
    drawing: |_| {
        &[
            ("adler-32", 0, 8),
            ("length", 8, 4),
            ("session", 12, 8),
            ("cxid", 20, 4),
            ("zxid", 24, 8),
            ("time", 32, 8),
            ("type", 40, 4),
        ]
    },
    private: Some(frame::AROUND + frame::HEADER),
    unprotected: "the number of the database in the header of a file, which no server reads; and a cut between two transactions at the end of \
                  the last file",
    words: &[],
    write_own: log::write_own,
    read_own: log::read_own,
};
