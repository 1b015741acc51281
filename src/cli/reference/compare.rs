//! The keys of `diff --json`.

use super::{Key, ObjectShape, ValueKind, flag, int, list, object, text, time};

pub const DIFF: ObjectShape = ObjectShape {
    schema: Some("walctl.diff/1"),
    command: "walctl diff A B --json",
    about: "One object for two logs; for several pairs, one each. `a` is the log that was named first.",
    mark: None,
    keys: KEYS,
};

const KEYS: &[Key] = &[
    text("schema", "The name and version of this shape."),
    flag("same", "The logs are the same as far as both go; null if some of it could not be compared.").or_null(),
    object("a", SIDE, "The log that was named first."),
    object("b", SIDE, "The log that was named second."),
    flag("by_source_lsn", "One log was salvaged, and is compared by the numbers that its records had before."),
    int("same_count", "Records that are in both and the same."),
    int("parts_at_lsn", "The first LSN at which the logs part.").or_null(),
    Key { kind: ValueKind::OrNull(&ValueKind::Object(SIGHT)), ..text("parts_a", "The record of the first log there.") },
    Key { kind: ValueKind::OrNull(&ValueKind::Object(SIGHT)), ..text("parts_b", "The record of the second log there.") },
    list("only_a", &ValueKind::Object(ONLY), "Ranges that only the first log has, without damage or retention to explain it."),
    int("only_a_count", "How many records these are."),
    list("only_b", &ValueKind::Object(ONLY), "Ranges that only the second log has, without damage or retention to explain it."),
    int("only_b_count", "How many records these are."),
    list("differing", &ValueKind::Object(DIFFERING), "Ranges of records that both have and that differ."),
    int("differing_count", "How many records these are."),
    list("not_compared", &ValueKind::Object(UNCOMPARED), "Ranges that were not compared, and why."),
    int("not_compared_count", "How many records these are."),
    list("in_neither", &ValueKind::Object(NEITHER), "LSNs of which neither log has a whole record, where one has damage."),
];

const NEITHER: &[Key] =
    &[FIRST, LAST, text("damaged_log", "Which log has damage there: a, b or both."), text("damage_kind", "The kind of damage.")];

const SIDE: &[Key] = &[
    text("log", "The path of the log, as it was given or found."),
    text("format", "The name of the log's format, as `--format` takes it."),
    text("verdict", "The worst verdict on what was read of it."),
    flag("live", "A process had the log open for writing when it was read."),
    int("records", "Records that were read to be compared."),
    int("first_lsn", "The first LSN of these.").or_null(),
    int("last_lsn", "The last LSN of these.").or_null(),
    list("damage", &ValueKind::Object(DAMAGE), "The pieces of damage in what was read."),
    int("damage_beyond_count", "How many more pieces there are than `damage` lists."),
    int("unnumbered_count", "Records without a number, which cannot be compared."),
    int("disordered_count", "Records out of order that could not be put in order."),
];

const DAMAGE: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset in that segment at which it begins."),
    int("length", "How many bytes it covers; 0 if nothing is there to be wrong."),
    text("verdict", "What this piece means: torn, suspect, unreadable, foreign, missing or corrupt."),
    text("kind", "The kind of damage; `walctl explain` says what each means."),
    int("lsn", "The LSN that was due there.").or_null(),
];

const SIGHT: &[Key] = &[
    text("file", "The segment's name within the log."),
    int("offset", "The offset of the record in that segment."),
    text("kind", "The record's kind."),
    time("time", "When the record was written.").or_null(),
    int("payload_bytes", "The length of its payload."),
];

const FIRST: Key = int("first_lsn", "The first LSN of the range.");
const LAST: Key = int("last_lsn", "The last LSN of the range.");
const RECORDS: Key = int("records", "How many records it has.");

const ONLY: &[Key] = &[FIRST, LAST, RECORDS, flag("known_hole", "The other log declares them missing.")];

const DIFFERING: &[Key] =
    &[FIRST, LAST, RECORDS, list("differ_in", &ValueKind::Text, "In what they differ: payload, kind or tag.")];

const UNCOMPARED: &[Key] = &[
    FIRST,
    LAST,
    RECORDS,
    text("explained_by", "Why: damage, encrypted, pruned, removed or meanwhile."),
    text("lacking_log", "Which log lacks them: a or b; null if both have them.").or_null(),
    text("damage_kind", "The kind of damage, if damage is the reason.").or_null(),
];
