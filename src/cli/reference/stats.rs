//! The keys of `stats --json`.

use super::{BYTES_READ, Key, ObjectShape, REQUESTS, SCOPE, ValueKind, flag, int, list, number, object, text, time};

pub const STATS: ObjectShape = ObjectShape {
    schema: Some("walctl.stats/1"),
    command: "walctl stats LOG --json",
    about: "One object for each log. `--fail-if` and `--openmetrics` use the same names, but for `segments_count`, `damage_count` and \
            `open_transactions_count`, whose last part they leave out. What is true only of the whole log is null where only some of its \
            records were counted.",
    mark: None,
    keys: KEYS,
};

const KEYS: &[Key] = &[
    text("schema", "The name and version of this shape."),
    text("log", "The path of the log, as it was given or found."),
    text("format", "The name of the log's format, as `--format` takes it."),
    SCOPE,
    flag("scanned", "Every segment was read; else Seals were believed."),
    flag("live", "A process has the log open for writing."),
    int("writer_pid", "The process that has the log open for writing; 0 if it is known that there is one and not which.")
        .or_null(),
    text("verdict", "The worst that was seen; `not checked` if nothing was and some segments were not read."),
    time("first_time", "The earliest time of a record.").or_null(),
    time("last_time", "The latest time of a record.").or_null(),
    text("ending", "How the log ends, in words.").or_null(),
    int("frames", "Frames with data: a long record has several."),
    int("batches", "Batches: records that survive a crash together or not at all."),
    object("kinds", KINDS, "Records by kind."),
    list("tags", &ValueKind::Object(TAG), "The tags with the most bytes, as many as `--top` says."),
    flag("all_tags_counted", "No tag was left out of the count because there were too many."),
    list(
        "breakdowns",
        &ValueKind::Object(BREAKDOWN),
        "What the records hold, each by one thing that matters in this format; empty where their kinds say it all.",
    ),
    list(
        "prepared_transactions",
        &ValueKind::Text,
        "Transactions of another system that were prepared or begun, and whose end is not in this log.",
    ),
    flag("all_prepared_known", "No such transaction was left out: there were not too many, and all records were counted."),
    int("untold_records", "Records whose content could not be told: encrypted, longer than 64 MiB, or packed in an unknown way."),
    object("frame_sizes", SIZES, "How large the stored payloads of frames are, in bytes."),
    object("group_sizes", SIZES, "How many frames one sync made durable."),
    object("pads", AMOUNT, "Padding of direct writes."),
    int("frame_header_bytes", "Bytes that frame headers take; null where the format does not tell.").or_null(),
    list("open_transaction_tags", &ValueKind::Integer, "The tags of transactions that have not ended."),
    flag("all_open_transactions_known", "No transaction was left out because there were too many."),
    int("checkpoint_at_lsn", "The LSN of the newest checkpoint record itself.").or_null(),
    list("pauses", &ValueKind::Object(PAUSE), "The longest times without a record, longest first."),
    list("rates", &ValueKind::Integer, "Records in each of 48 equal parts of the log's time."),
    int("scan_bytes_per_second", "How fast this log was read just now; null if it is too small to tell.").or_null(),
    list("segments", &ValueKind::Object(SEGMENT), "The segments, in order."),
    int("segments_count", "How many segments the log has; with a scope more than are listed."),
    int("records", "Whole records."),
    int("first_lsn", "The first LSN.").or_null(),
    int("last_lsn", "The last LSN.").or_null(),
    int("plain_bytes", "Payload as it was appended."),
    int("stored_bytes", "Payload as it is stored, compressed or encrypted."),
    int("used_bytes", "Segments up to the end of their data.").or_null(),
    int("file_bytes", "Segments with the room made ahead.").or_null(),
    int("reserved_bytes", "Room made ahead.").or_null(),
    number("write_amplification", "Used bytes for each byte of payload.").or_null(),
    number("compression_ratio", "Payload bytes for each byte stored."),
    int("groups", "Groups: what one sync made durable."),
    number("frames_per_group", "Frames for each group."),
    int("checkpoint_lsn", "The LSN up to which the newest checkpoint says that state is safe elsewhere.").or_null(),
    int("replay_records", "Records that a restart reads.").or_null(),
    int("replay_bytes", "Bytes that a restart reads.").or_null(),
    number("replay_seconds", "How long a restart reads, at the rate measured just now.").or_null(),
    int("open_transactions_count", "Transactions that have not ended.").or_null(),
    int("clean_shutdowns", "How many times the log was closed cleanly.").or_null(),
    number("longest_pause_seconds", "The longest time without a record, in seconds.").or_null(),
    number("age_seconds", "The time since the last record, in seconds.").or_null(),
    int("damage_count", "Pieces of damage that were seen."),
    int("unchecked_segments", "Segments that were not read because their Seal was believed."),
    REQUESTS,
    BYTES_READ,
];

const KINDS: &[Key] = &[object("*", AMOUNT, "Records of the kind that the key names.").sometimes()];

const AMOUNT: &[Key] = &[int("count", "How many there are."), int("bytes", "Their bytes as they are stored.")];

const TAG: &[Key] = &[int("tag", "The tag of these records."), AMOUNT[0], AMOUNT[1]];

/// What records hold, in one way.
pub const BREAKDOWN: &[Key] = &[
    text("what", "What is counted: `operations`, `samples`, `rows`."),
    text("by", "By what: `column family`, `metric`, `table`."),
    int("count", "How many there are in all."),
    int("bytes", "Their bytes; 0 where they have none of their own."),
    text("part", "The part of the bytes that `part_bytes` counts: `page images`.").or_null(),
    int("names_count", "How many names there are; up to 10,000 are told apart."),
    list("rows", &ValueKind::Object(ROW), "The names with the most bytes, or most of them, as many as `--top` says."),
    object("others", OTHERS, "All other names together."),
];

const ROW: &[Key] = &[
    text("name", "The name: a column family, a metric, a table."),
    int("count", "How many."),
    int("bytes", "Their bytes."),
    int("part_bytes", "Those of them that are told apart; null where none are.").or_null(),
];

const OTHERS: &[Key] = &[ROW[1], ROW[2], ROW[3]];

/// What stands behind a place of a log.
pub const BEHIND: &[Key] = &[
    int("records", "Whole records there."),
    int("first_lsn", "The first LSN of these.").or_null(),
    int("last_lsn", "The last LSN of these.").or_null(),
    time("first_time", "The earliest time of one of these.").or_null(),
    time("last_time", "The latest time of one of these.").or_null(),
    list("breakdowns", &ValueKind::Object(BREAKDOWN), "What they hold, as in `stats`, with up to ten names each."),
    flag("more", "Reading ended after 256 MiB: there may be more."),
];

const SIZES: &[Key] = &[
    int("p50", "Half of them are not larger.").or_null(),
    int("p90", "90 in 100 are not larger.").or_null(),
    int("p99", "99 in 100 are not larger.").or_null(),
    int("max", "None is larger.").or_null(),
    list("histogram", &ValueKind::Object(BUCKET), "Counts by size; empty classes are left out."),
];

const BUCKET: &[Key] =
    &[int("up_to", "The largest size of the class, which begins after the class below."), int("count", "How many there are.")];

const PAUSE: &[Key] = &[
    number("seconds", "How long it lasted."),
    int("lsn", "The LSN of the record that ended it."),
    int("then_in_one_group", "How many frames the first group after it has.").or_null(),
];

const SEGMENT: &[Key] = &[
    text("file", "The segment's name within the log."),
    text("state", "`sealed` if the segment is finished, `active` if it may still grow."),
    int("records", "Whole records."),
    flag("checked", "It was read; else its Seal was believed."),
    int("first_lsn", "The first LSN.").or_null(),
    int("last_lsn", "The last LSN.").or_null(),
    time("first_time", "The earliest time of a record.").or_null(),
    time("last_time", "The latest time of a record.").or_null(),
    int("used_bytes", "Bytes up to the end of its data."),
    int("file_bytes", "The length of the file."),
    text("kept_by", "What keeps it from being removed: active, checkpoint, or transaction and its tag.").or_null(),
];
