//! The keys of `verify --json`.

use super::stats::BEHIND;
use super::{BYTES_READ, Key, ObjectShape, REQUESTS, SCOPE, ValueKind, flag, int, list, number, object, text, time};

const SCHEMA: Option<&str> = Some("walctl.verify/1");

pub const LOG: ObjectShape = ObjectShape {
    schema: SCHEMA,
    command: "walctl verify LOG --json",
    about: "One object for each log. The exit code says the same as `verdict`, over all logs.",
    mark: Some("segments"),
    keys: KEYS,
};

pub const PART: ObjectShape = ObjectShape {
    schema: SCHEMA,
    command: "walctl verify LOG --part 1/8 --seen FILE --json",
    about: "What is said of a log of which this run walked only a part, with `--part` or when it was interrupted.",
    mark: Some("part"),
    keys: &[
        text("schema", "The name and version of this shape."),
        text("log", "The path of the log, as it was given or found."),
        text("format", "The name of the log's format, as `--format` takes it."),
        text("verdict", "Always `not checked`: a part of a log is not judged."),
        Key {
            kind: ValueKind::OrNull(&ValueKind::Object(WHICH)),
            ..text("part", "Which part was to be walked; null with `--max-bytes` or after Ctrl-C.")
        },
        int("damage_count", "How many pieces of damage were met; what they mean is judged when all is walked."),
        object("seen", COUNTS, "How much of the log the file of what was seen covers."),
        REQUESTS,
        BYTES_READ,
    ],
};

pub const SIGHTED: ObjectShape = ObjectShape {
    schema: SCHEMA,
    command: "walctl verify /var/lib --json",
    about: "What is said of a log below a folder that walctl knows by sight and cannot read.",
    mark: Some("system"),
    keys: &[
        text("schema", "The name and version of this shape."),
        text("log", "The path of the log, as it was given or found."),
        Key { kind: ValueKind::OrNull(&ValueKind::Text), ..text("format", "Always null: walctl does not read it.") },
        text("verdict", "Always `not checked`."),
        text("system", "The system that wrote it."),
        text("read_with", "The tool of that system that reads it."),
    ],
};

const WHICH: &[Key] = &[int("number", "The part's number, counted from 1."), int("of", "How many parts there are.")];

const KEYS: &[Key] = &[
    text("schema", "The name and version of this shape."),
    text("log", "The path of the log, as it was given or found."),
    text("format", "The name of the log's format, as `--format` takes it."),
    text(
        "verdict",
        "The worst verdict: clean, torn, suspect, unreadable, foreign, missing or corrupt; `not checked` if nothing is wrong in the part that was read.",
    ),
    flag("live", "A process had the log open for writing when it was read."),
    int("records", "Whole records."),
    int("first_lsn", "The first LSN.").or_null(),
    int("last_lsn", "The last LSN.").or_null(),
    int("valid_bytes", "Bytes that are as they should be."),
    list("segments", &ValueKind::Object(SEGMENT), "The segments, in order."),
    list("damage", &ValueKind::Object(DAMAGE), "The pieces of damage, in the order of their places."),
    int("damage_beyond_count", "How many more pieces there are than `damage` lists."),
    text("acknowledged_lost", "Whether records that had been acknowledged are lost: yes, no or unknown."),
    int("writer_pid", "The process that has the log open for writing; 0 if it is known that there is one and not which.")
        .or_null(),
    text("unprotected", "What can change in whole records without any check of the format noticing it.").or_null(),
    list("warnings", &ValueKind::Object(WARNING), "What is worth knowing and is no damage."),
    list(
        "known_holes",
        &ValueKind::Object(HOLE),
        "Missing records that the log itself declares missing: they do not change the verdict.",
    ),
    int("unused_count", "How many LSNs between the records were never assigned by the format that the log was salvaged from."),
    Key {
        kind: ValueKind::Object(BEHIND),
        ..text("behind_damage", "What stands behind the first damage of another system's log, where something whole does.")
            .sometimes()
    },
    text("recovery", "What the log's own system would do if it opened the log now, in words.").sometimes(),
    object("media", MEDIA, "What a read past the page cache found; only with `--media`.").sometimes(),
    object("ledger", LEDGER, "How the log compares with a ledger; only with `--ledger`.").sometimes(),
    object("looked_at", LOOKED_AT, "How much was read; only with `--ends` and `--sample`.").sometimes(),
    object("seen", SEEN, "How much was taken from the file of what was seen; only with `--seen`.").sometimes(),
    object(
        "accepted",
        ACCEPTED,
        "Damage that is accepted: it is not in `damage`, and does not count in any verdict; only with `--accept`.",
    )
    .sometimes(),
    REQUESTS,
    BYTES_READ,
];

const ACCEPTED: &[Key] = &[
    text("path", "The file that lists what is accepted."),
    list("damage", &ValueKind::Object(ACCEPTED_DAMAGE), "The pieces of damage that are accepted, in the order of their places."),
    list("void", &ValueKind::Object(ACCEPTANCE), "Acceptances that do not hold, because something has changed since."),
    list("gone", &ValueKind::Object(ACCEPTANCE), "Acceptances of damage that does not stand there any more."),
];

const ACCEPTED_DAMAGE: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which it begins."),
    int("length", "How many bytes it covers; 0 if nothing is there to be wrong."),
    text("verdict", "What this piece means: torn, suspect, unreadable, foreign, missing or corrupt."),
    text("kind", "The kind of damage; `walctl explain` says what each means."),
    int("lsn", "The LSN that was due there.").or_null(),
    text("acknowledged", "Whether what stood there had been acknowledged: yes, no or unknown."),
    text("detail", "What was expected and what was found, in words."),
    int("doubt_first_lsn", "The first LSN that may be lost.").or_null(),
    int("doubt_last_lsn", "The last LSN that may be lost.").or_null(),
    time("since", "When it was accepted."),
    text("reason", "Why it was accepted, in the words of the person who did."),
];

const ACCEPTANCE: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which the damage began."),
    int("length", "How many bytes it covered."),
    text("kind", "The kind of damage."),
    time("since", "When it was accepted."),
    text("reason", "Why it was accepted, in the words of the person who did."),
    text("why", "What has changed since, in words."),
];

const SEGMENT: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("first_lsn", "The first LSN.").or_null(),
    int("last_lsn", "The last LSN.").or_null(),
    int("records", "Whole records."),
    int("valid_bytes", "Bytes that are as they should be."),
    int("file_bytes", "The length of the file; null if it is a stream.").or_null(),
    text("state", "`sealed` if the segment is finished, `active` if it may still grow."),
    text("verdict", "The worst verdict on this segment; `not checked` if it was not read."),
    int("data_end", "The offset at which its data ends."),
];

const DAMAGE: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which it begins."),
    int("length", "How many bytes it covers; 0 if nothing is there to be wrong."),
    text("verdict", "What this piece means: torn, suspect, unreadable, foreign, missing or corrupt."),
    text("kind", "The kind of damage; `walctl explain` says what each means."),
    int("lsn", "The LSN that was due there.").or_null(),
    text("acknowledged", "Whether what stood there had been acknowledged: yes, no or unknown."),
    text("detail", "What was expected and what was found, in words."),
    text("next", "What to do next: a command to type, or advice."),
    text("expected", "What should stand there; may be empty."),
    text("found", "What stands there; may be empty."),
    int("doubt_first_lsn", "The first LSN that may be lost.").or_null(),
    int("doubt_last_lsn", "The last LSN that may be lost.").or_null(),
    text("proof", "What proves that it had been synced, in words.").or_null(),
    time("time_before", "The time of the last record before it; null if none is near or has a time.").or_null(),
    time("time_after", "The time of the first record after it; null if none is near or has a time.").or_null(),
];

const WARNING: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which it begins."),
    int("length", "How many bytes it covers; 0 if it concerns the whole segment."),
    text("name", "The name of the warning; `walctl explain` says what each means."),
    text("text", "What was seen, what it means and what to do, in words."),
];

const HOLE: &[Key] = &[
    int("first_lsn", "The first LSN that is missing."),
    int("last_lsn", "The last LSN that is missing."),
    time("since", "When the hole was declared.").or_null(),
    time("time_before", "The time of the record before the hole.").or_null(),
    time("time_after", "The time of the record after the hole.").or_null(),
    text("origin", "How it came into the log: salvaged, accepted or unused."),
    text("reason", "Why the records are missing, in words; may be empty."),
    text("file", "The segment that declares it."),
    int("offset", "The offset of the declaration in that segment."),
];

const MEDIA: &[Key] = &[
    flag("direct", "The page cache was really bypassed; else it was only asked to forget."),
    int("compared_bytes", "How many bytes were compared."),
    list("differing_spans", &ValueKind::Object(SPAN), "Where the disk holds other bytes than the page cache."),
];

const SPAN: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which it begins."),
    int("length", "How many bytes it covers."),
];

const LEDGER: &[Key] = &[
    text("path", "The path of the ledger."),
    int("listed_count", "How many records the ledger lists as acknowledged."),
    int("lacking_count", "How many of these the log lacks."),
    list("lacking_lsns", &ValueKind::Object(RANGE), "Which ones, as ranges."),
    int(
        "before_first_record_count",
        "How many of these lie before the log's first record: pruned on purpose, or lost with their segments.",
    ),
    list("different_lsns", &ValueKind::Integer, "The LSNs of records whose content is not the one that was acknowledged."),
    int("unread_count", "How many records could not be compared because no key opens them."),
    int("last_lsn", "The last LSN that the ledger covers.").or_null(),
];

pub(super) const RANGE: &[Key] =
    &[int("first_lsn", "The first LSN of the range."), int("last_lsn", "The last LSN of the range.")];

const LOOKED_AT: &[Key] = &[
    int("walked_count", "How many segments were read."),
    int("unchecked_count", "How many were not."),
    number("sample_percent", "The part that was to be read, in percent; only with `--sample`.").sometimes(),
    int("seed", "The seed that chooses the same segments again; only with `--sample`.").sometimes(),
    SCOPE.sometimes(),
];

const COUNTS: &[Key] = &[
    text("path", "The path of the file of what was seen."),
    int("segments_count", "How many segments the log has."),
    int("as_seen_count", "How many are as they were seen, and were not walked again."),
    int("walked_count", "How many were walked now."),
    int("left_count", "How many are left for another run."),
    flag("kept", "What was found is kept in the file."),
];

const SEEN: &[Key] = &[
    COUNTS[0],
    COUNTS[1],
    COUNTS[2],
    COUNTS[3],
    COUNTS[4],
    COUNTS[5],
    time("oldest", "When the oldest walk that was believed took place.").or_null(),
    int("broken_lines_count", "How many lines of the file could not be read."),
    int("too_old_lines_count", "How many lines of the file were older than `--seen-for`."),
];
