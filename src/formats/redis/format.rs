//! Redis and Valkey, as a format.

use super::{kinds, log, manifest, meaning, walk};
use crate::formats::{Format, Mending, Numbers};

/// Redis and Valkey.
pub const FORMAT: Format = Format {
    name: "redis",
    aliases: &["valkey"],
    title: "Redis and Valkey append-only files, with their manifest or in one file (Redis 4 to 8, Valkey 7 to 9)",
    protects: "nothing in a command: only lengths and line ends are checked; CRC-64 over the snapshot of a base",
    kinds: kinds::KINDS,
    encrypted: false,
    numbers: Numbers::None,
    layout: manifest::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    decode: Some(meaning::decode),
    count: Some(super::counts::count),
    mending: Mending::Asked(log::mend),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    drawing: |_| &[],
    private: Some(4),
    unprotected: "commands have no checksum: a changed byte in a name, a key or a value cannot be seen, nor a cut between two records at the end \
                  of the last file",
    words: &[
        "no-checksums",
        "open-transaction",
        "a whole command",
        "stands behind it and was written after it",
        "its name",
        "is given to a base only when all of it was synced",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};
