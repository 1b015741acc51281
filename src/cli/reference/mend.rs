//! The keys of what changes logs: `repair`, `repair --undo`, `repair --salvage`, `rotate`.

use super::stats::BEHIND;
use super::{BYTES_READ, Key, ObjectShape, REQUESTS, SCOPE, ValueKind, flag, int, list, object, text, time};

pub const REPAIR: ObjectShape = ObjectShape {
    schema: Some("walctl.repair/1"),
    command: "walctl repair LOG --json",
    about: "One object: the plan, and what came of it.",
    mark: None,
    keys: &[
        SCHEMA,
        LOG,
        FORMAT,
        flag("dry_run", "Nothing was to be changed."),
        text("verdict", "The verdict on the log before the repair."),
        object("before", STATE, "The log before the repair."),
        list("cuts", &ValueKind::Object(CUT), "What is cut, in the order in which it is done."),
        Key {
            kind: ValueKind::OrNull(&ValueKind::Object(REFUSED)),
            ..text("refused", "Why nothing is cut; null if the plan stands.")
        },
        flag("done", "The log is as the plan wants it."),
        Key {
            kind: ValueKind::OrNull(&ValueKind::Object(STATE)),
            ..text("after", "The log after the repair; null if nothing was changed.")
        },
    ],
};

pub const UNDO: ObjectShape = ObjectShape {
    schema: Some("walctl.undo/1"),
    command: "walctl repair LOG --undo --json",
    about: "One object: the cuts of the newest repair, put back.",
    mark: None,
    keys: &[
        SCHEMA,
        LOG,
        flag("dry_run", "Nothing was to be changed."),
        list("undone", &ValueKind::Object(UNDONE), "What is put back, in the order in which it is done."),
        flag("done", "It was put back."),
        Key {
            kind: ValueKind::OrNull(&ValueKind::Object(STATE)),
            ..text("after", "The log after the undo; null if nothing was changed.")
        },
    ],
};

pub const SALVAGED: ObjectShape = ObjectShape {
    schema: Some("walctl.salvage/1"),
    command: "walctl repair LOG --salvage NEW --json",
    about: "One object: the new log, and what it lacks.",
    mark: Some("gaps"),
    keys: SALVAGE,
};

pub const SALVAGE_PLAN: ObjectShape = ObjectShape {
    schema: Some("walctl.salvage/1"),
    command: "walctl repair LOG --salvage NEW --dry-run --json",
    about: "One object: what would be written.",
    mark: Some("damage_count"),
    keys: &[
        SCHEMA,
        LOG,
        FORMAT,
        flag("dry_run", "Nothing was to be changed: always true."),
        text("verdict", "The verdict on the old log."),
        text("salvaged", "The path of the new log."),
        int("records", "Records that would be written; with a scope those of them that it holds."),
        int("damage_count", "Pieces of damage that would be left out."),
        SCOPE,
        flag("done", "The new log was written: always false."),
    ],
};

pub const ROTATE: ObjectShape = ObjectShape {
    schema: Some("walctl.rotate/1"),
    command: "walctl rotate DIR --json",
    about: "One object: what was sealed and begun, what went, and what stays and why.",
    mark: None,
    keys: &[
        SCHEMA,
        LOG,
        flag("dry_run", "Nothing was to be changed."),
        Key {
            kind: ValueKind::OrNull(&ValueKind::Object(CHECKPOINT)),
            ..text("checkpoint", "The checkpoint that was written first.")
        },
        text("sealed", "The segment that was sealed; null if there was nothing to seal.").or_null(),
        text("active", "The segment that is written to from now on."),
        int("next_lsn", "The LSN that the next record gets."),
        list("removed", &ValueKind::Object(REMOVED), "The segments that were removed, or would be."),
        list("kept", &ValueKind::Object(KEPT), "The segments that stay, and why."),
        REQUESTS,
        BYTES_READ,
    ],
};

const SCHEMA: Key = text("schema", "The name and version of this shape.");
const LOG: Key = text("log", "The path of the log, as it was given or found.");
const FORMAT: Key = text("format", "The name of the log's format, as `--format` takes it.");

const STATE: &[Key] = &[
    text("verdict", "The verdict."),
    int("records", "Whole records."),
    int("first_lsn", "The first LSN.").or_null(),
    int("last_lsn", "The last LSN.").or_null(),
    int("damage_count", "Pieces of damage."),
];

const REFUSED: &[Key] = &[
    text("kind", "What stands against it: damage, suspect, max-cut, format, no-such-end, no-copy or no-such-hole."),
    text("why", "The same in words."),
    text("next", "What to do next: a command to type, or advice."),
];

const FILE: Key = text("file", "The segment's name within the log.");
const OFFSET: Key = int("offset", "The offset in that segment at which it is cut.");
const BYTES: Key = int("bytes", "How many bytes are cut, up to the last one that is not zero.");
const FILE_BYTES: Key = int("file_bytes", "How long the segment was.");
const FILE_REMOVED: Key = flag("file_removed", "The whole segment is removed, not cut.");
const FILL: Key = text("fill", "What is written at the cut, in hex, as the log's own system wants it.");
const FILL_ADDED: Key = flag("fill_added", "The segment was not there, and is added.");
const NEWEST: Key = text("newest_file", "The last segment at that time, if others stood behind the cut on purpose.").or_null();
const HOLE_FIRST: Key = int("hole_first_lsn", "The first LSN of a hole that is accepted; nothing is cut then.").or_null();
const HOLE_LAST: Key = int("hole_last_lsn", "The last LSN of a hole that is accepted.").or_null();
const CRC32: Key = text("crc32", "The CRC-32 of the bytes that are cut, in hex.");
const BEFORE_CRC32: Key = text("before_crc32", "The CRC-32 of up to 4,096 bytes before the cut, in hex.");
const FIRST: Key = int("first_lsn", "The first LSN that was in these bytes, or may have been.").or_null();
const LAST: Key = int("last_lsn", "The last LSN that was in these bytes, or may have been.").or_null();
const AT: Key = int("accepted_to_lsn", "The LSN that `--at` named.").or_null();
const WHY: Key = text("why", "What is wrong with them, in words.");
const NUMBER: Key = int("repair_number", "Which repair of this log it is, counted from 1.");
const STEP: Key = int("step", "Which cut of that repair, counted from 0.");
const TIME: Key = time("time", "When it was done.");
const VERSION: Key = text("walctl_version", "The version of walctl that did it.");
const SAVED_AS: Key = text("saved_as", "The name of the file that keeps the bytes.");

const UNDONE: &[Key] = &[
    FILE,
    OFFSET,
    BYTES,
    FILE_BYTES,
    FILE_REMOVED,
    FILL,
    FILL_ADDED,
    NEWEST,
    HOLE_FIRST,
    HOLE_LAST,
    CRC32,
    BEFORE_CRC32,
    FIRST,
    LAST,
    AT,
    WHY,
    FORMAT,
    NUMBER,
    STEP,
    TIME,
    VERSION,
    SAVED_AS,
];

const CUT: &[Key] = &[
    FILE,
    OFFSET,
    BYTES,
    FILE_BYTES,
    FILE_REMOVED,
    FILL,
    FILL_ADDED,
    NEWEST,
    HOLE_FIRST,
    HOLE_LAST,
    CRC32,
    BEFORE_CRC32,
    FIRST,
    LAST,
    AT,
    WHY,
    FORMAT,
    NUMBER,
    STEP,
    TIME,
    VERSION,
    SAVED_AS,
    flag("already_saved", "That file was there: an earlier repair was interrupted."),
    text("verdict", "The verdict on these bytes."),
    list("damage_kinds", &ValueKind::Text, "The kinds of damage that the cut takes away."),
    text("acknowledged", "Whether what is cut had been acknowledged: yes, no or unknown."),
    int("whole_frames", "Whole frames that are cut with it."),
    int("whole_first_lsn", "The first LSN of these.").or_null(),
    int("whole_last_lsn", "The last LSN of these.").or_null(),
    Key {
        kind: ValueKind::OrNull(&ValueKind::Object(BEHIND)),
        ..text("whole_records", "What whole records that are cut with it hold, in a log of another system.")
    },
    text("restored_from", "The copy beside the log from which records are put back.").or_null(),
    int("restored_first_lsn", "The first LSN of these.").or_null(),
    int("restored_last_lsn", "The last LSN of these.").or_null(),
    int("restored_bytes", "Their bytes.").or_null(),
    Key {
        kind: ValueKind::OrNull(&ValueKind::Object(ACCEPTED)),
        ..text("accepted_hole", "The hole that is accepted, if that is what was asked for.")
    },
];

const ACCEPTED: &[Key] = &[
    int("first_lsn", "The first LSN that is missing."),
    int("last_lsn", "The last LSN that is missing."),
    time("time_before", "The time of the record before the hole.").or_null(),
    time("time_after", "The time of the record after the hole.").or_null(),
    text("reason", "Why the records are missing, in words; may be empty."),
];

const SALVAGE: &[Key] = &[
    SCHEMA,
    LOG,
    FORMAT,
    flag("dry_run", "Nothing was to be changed: always false."),
    text("verdict", "The verdict on the old log."),
    text("salvaged", "The path of the new log."),
    list("files", &ValueKind::Text, "The segments of the new log."),
    int("records", "Records in the new log."),
    int("bytes", "Payload bytes in it."),
    int("first_lsn", "The first LSN of the new log.").or_null(),
    int("last_lsn", "The last LSN of the new log.").or_null(),
    list("missing_ranges", &ValueKind::Object(super::verify::RANGE), "LSNs that are missing, known holes of the new log."),
    int("missing_count", "How many LSNs these are."),
    list("gaps", &ValueKind::Object(GAP), "The damage of the old log, and the records around it."),
    flag("renumbered", "Records bear new LSNs, because some of the old log had none."),
    int("shifted", "What was added to every number: 1 if the old format counts from 0."),
    int("unused_count", "How many LSNs between the records the old format never assigned."),
    int("left_out_count", "Valid records that are in a log of their own: an LSN assigned before, or another log's."),
    text("left_out_log", "The path of the log that holds them.").or_null(),
    int("too_long_count", "Valid records that were left out because they are over 1 GiB."),
    list("incomplete_transactions", &ValueKind::Integer, "The tags of transactions that lack a part."),
    flag("more_incomplete_transactions", "There are more of them than are listed."),
    SCOPE,
    int("outside_count", "Records that were not asked for: they are not in the new log, and not lost."),
    flag("done", "The new log was written: always true."),
    Key { kind: ValueKind::OrNull(&ValueKind::Object(CHECKED)), ..text("after", "The new log, checked.") },
];

const CHECKED: &[Key] = &[text("verdict", "The verdict on the new log."), int("records", "Whole records in it.")];

const GAP: &[Key] = &[
    FILE,
    int("offset", "The offset in that segment at which the damage begins."),
    int("length", "How many bytes it covers."),
    text("verdict", "What this piece means: torn, suspect, unreadable, foreign, missing or corrupt."),
    text("kind", "The kind of damage; `walctl explain` says what each means."),
    text("acknowledged", "Whether what stood there had been acknowledged: yes, no or unknown."),
    int("doubt_first_lsn", "The first LSN that may be lost.").or_null(),
    int("doubt_last_lsn", "The last LSN that may be lost.").or_null(),
    text("detail", "What was expected and what was found, in words."),
    Key { kind: ValueKind::OrNull(&ValueKind::Object(NEIGHBOUR)), ..text("record_before", "The last record before it.") },
    Key { kind: ValueKind::OrNull(&ValueKind::Object(NEIGHBOUR)), ..text("record_after", "The first record after it.") },
];

const NEIGHBOUR: &[Key] = &[
    int("lsn", "The record's LSN.").or_null(),
    text("kind", "The record's kind."),
    time("time", "When the record was written.").or_null(),
    int("tag", "The record's tag.").or_null(),
];

const CHECKPOINT: &[Key] = &[
    int("checkpoint_at_lsn", "The LSN of the checkpoint record itself."),
    int("checkpoint_lsn", "The LSN up to which it says that state is safe elsewhere."),
];

const SEGMENT_FIRST: Key = int("first_lsn", "The first LSN of the segment.").or_null();
const SEGMENT_LAST: Key = int("last_lsn", "The last LSN of the segment.").or_null();
const SEGMENT_BYTES: Key = int("bytes", "The length of the file.");

const REMOVED: &[Key] = &[
    FILE,
    SEGMENT_FIRST,
    SEGMENT_LAST,
    SEGMENT_BYTES,
    text("archived", "The path of the copy that was made first; null without `--archive`.").or_null(),
];

const KEPT: &[Key] = &[
    FILE,
    SEGMENT_FIRST,
    SEGMENT_LAST,
    SEGMENT_BYTES,
    list("pinned_by", &ValueKind::Object(REASON), "Everything that keeps it."),
];

const REASON: &[Key] = &[
    text("kind", "What keeps it: active, keep-segments, keep-bytes, keep-for, checkpoint, transaction, cursor or earlier."),
    text("detail", "The same in words."),
];
