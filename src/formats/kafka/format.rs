//! Kafka, as a format.

use super::{log, walk};
use crate::formats::{Format, Mending, Numbers, numbered};

/// Kafka.
pub const FORMAT: Format = Format {
    name: "kafka",
    aliases: &[],
    title: "Kafka log segments (record batches, Kafka 0.11 and later)",
    protects: "CRC-32C over each batch from byte 21 on; not over base offset, length, leader epoch and magic",
    kinds: &["batch", "control"],
    encrypted: false,
    numbers: Numbers::CountedFromZero,
    layout: |folder| numbered(folder, log::base_of),
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    mending: Mending::Never {
        why: "cutting a partition by hand leaves its index files and checkpoints wrong, and loses promised records where no other replica has them; \
         stop the broker, move the folder of the partition away and let the broker fetch it again from another replica",
        torn_end: "start the broker: it cuts the end of its newest segment by itself, and fetches from another replica what that has more",
    },
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: Some(super::meaning::decode),
    count: Some(super::counts::count),
    drawing: |_| {
        &[
            ("base offset", 0, 8),
            ("length", 8, 4),
            ("leader epoch", 12, 4),
            ("magic", 16, 1),
            ("crc", 17, 4),
            ("attributes", 21, 2),
            ("last offset delta", 23, 4),
            ("first timestamp", 27, 8),
            ("max timestamp", 35, 8),
            ("producer id", 43, 8),
            ("producer epoch", 51, 2),
            ("first sequence", 53, 4),
            ("records", 57, 4),
        ]
    },
    private: Some(super::batch::HEADER as u64),
    unprotected: "the leader epoch of a batch, and its base offset as far as it fits those around it; and a cut between two records at the end \
                  of the log cannot be seen",
    words: &["sequence-gap", "index-mismatch"],
    write_own: log::write_own,
    read_own: log::read_own,
};
