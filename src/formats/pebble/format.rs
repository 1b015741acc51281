//! Pebble, as a format.

use super::super::blocks::Form;
use super::{decode, log, walk};
use crate::formats::{Drawing, Format, Mending, Numbers};
use crate::model::Record;

/// Pebble.
pub const FORMAT: Format = Format {
    name: "pebble",
    aliases: &[],
    title: "Pebble write-ahead log (CockroachDB); read from its source, never met in the wild",
    protects: "masked CRC-32C over all of each chunk but its length; newer chunks say, too, up to where the file had been synced",
    kinds: &["batch"],
    encrypted: false,
    numbers: Numbers::Counted,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    mending: Mending::Never {
        why: "logs are recycled, and what was promised may stand in the other folder of the database; a CockroachDB node that lost promised writes must \
         be removed and built again from its replicas",
        torn_end: "start the node: it ends the log there by itself, or says that promised writes are gone; then remove it and build it again from its replicas",
    },
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: Some(log::around),
    ours: None,
    decode: Some(decode::decode),
    count: Some(super::counts::count),
    drawing,
    private: Some(11),
    unprotected: "",
    words: &[
        "repeated",
        "another-logs-chunks",
        "its own sum",
        "is right, so it was written like that",
        "a later chunk of this log",
        "bears a sync offset behind this place: what stood here had been synced when that chunk was written",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

const CLASSIC: Drawing = &[("crc", 0, 4), ("length", 4, 2), ("type", 6, 1)];
const RECYCLED: Drawing = &[("crc", 0, 4), ("length", 4, 2), ("type", 6, 1), ("log number", 7, 4)];
const SYNC: Drawing = &[("crc", 0, 4), ("length", 4, 2), ("type", 6, 1), ("log number", 7, 4), ("synced", 11, 8)];
const _: () = assert!(Form::Sync.header() == 19);

fn drawing(record: &Record<'_>) -> Drawing {
    let has = |name| record.fields.iter().any(|field| field.name == name);
    match (has("sync_offset"), has("log_number")) {
        (true, _) => SYNC,
        (false, true) => RECYCLED,
        (false, false) => CLASSIC,
    }
}
