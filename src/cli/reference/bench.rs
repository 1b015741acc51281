//! The keys of `bench --json` and `bench --crash-test --json`.

use super::{Key, ObjectShape, ValueKind, flag, int, list, number, object, text};

pub const BENCH: ObjectShape = ObjectShape {
    schema: Some("walctl.bench/1"),
    command: "walctl bench DIR --json",
    about: "One object: everything that was measured. `--baseline` and `--show` read it again.",
    mark: None,
    keys: KEYS,
};

pub const CRASH: ObjectShape = ObjectShape {
    schema: Some("walctl.crash-test/1"),
    command: "walctl bench DIR --crash-test 50 --json",
    about: "One object: what became of acknowledged records over many crashes.",
    mark: None,
    keys: &[
        text("schema", "The name and version of this shape."),
        object("place", PLACE, "The machine and the disk."),
        text("flags", "The flags of `append` that were tested."),
        flag("power", "The power was cut, in a filesystem image; else the process was killed."),
        int("crashes", "Crashes that happened."),
        int("acknowledged_count", "Records that had been acknowledged."),
        int("lost_count", "Of these, records that were gone."),
        int("different_count", "Of these, records that came back with another content."),
        int("torn_count", "Crashes that left a torn or suspect tail, which is no loss."),
        int("worse_count", "Crashes that left worse damage."),
        list("findings", &ValueKind::Text, "What was found wrong, in words."),
        flag("promises_kept", "Nothing acknowledged was lost or changed, and nothing worse than a torn tail was left."),
    ],
};

const KEYS: &[Key] = &[
    text("schema", "The name and version of this shape."),
    Key { kind: ValueKind::OrNull(&ValueKind::Time), ..text("made", "When it was measured; null in runs of older versions.") },
    text("version", "The version of walctl that measured; empty in runs of older versions."),
    text("command_line", "What was typed to measure it; empty in runs of older versions."),
    text(
        "steadiness",
        "How far repeats agree: `steady`; `noisy`, where small differences mean nothing; `too-noisy`, where no figure can be believed; \
         `unknown` if nothing was repeated.",
    ),
    list(
        "quotable_keys",
        &ValueKind::Text,
        "The `key` of the cells whose figures may be quoted: the quickest load, then a lone appender. Empty if none can be believed.",
    ),
    object("place", PLACE, "The machine and the disk."),
    list("disk", &ValueKind::Object(COST), "What a durable write takes, before the loads."),
    list("disk_after", &ValueKind::Object(COST), "The same after the loads, to see whether the machine changed meanwhile."),
    list("refused_ways", &ValueKind::Text, "Ways of syncing that the filesystem refuses, in words."),
    flag("trusted", "Nothing grave speaks against the disk."),
    list("doubts", &ValueKind::Object(DOUBT), "What speaks against the disk or the measurement."),
    list("cells", &ValueKind::Object(CELL), "Each combination of load and settings that was measured."),
    int("rounds", "How many times each was measured."),
    flag("interrupted", "The run was ended before all was measured."),
    list("notes", &ValueKind::Text, "What is worth knowing about the run, in words."),
    Key {
        kind: ValueKind::OrNull(&ValueKind::Object(ADVICE)),
        ..text("advice", "What to set; null if only a part was measured.")
    },
    list("targets", &ValueKind::Object(TARGET), "The highest rate at which a latency holds; only with `--target`."),
    number("seconds", "How long the run took."),
];

const PLACE: &[Key] = &[
    text("dir", "The folder that was measured."),
    text("filesystem", "The type of the filesystem."),
    text("mount_point", "Where it is mounted."),
    list("options", &ValueKind::Text, "The options of mount and filesystem."),
    text("source", "What is mounted."),
    text("device", "The name of the disk; empty if there is none."),
    text("model", "What the disk says it is."),
    text(
        "write_cache",
        "`write back` if the disk keeps writes in memory that a power failure empties, `write through` if it says it does not.",
    ),
    flag("rotational", "The disk says that it spins; null if it says nothing.").or_null(),
    text("kernel", "The kernel's release."),
    int("cpus", "Processors that may be used."),
];

const COST: &[Key] = &[
    text("room", "How the room for the writes is made: extend, fallocate, zero or recycled."),
    text("way", "How a write is made durable: fdatasync, fsync, O_DSYNC, O_DIRECT+fdatasync, O_DIRECT+O_DSYNC or none."),
    int("bytes", "The size of a write."),
    object("ns", SPREAD, "The median time of a durable write over several rounds, in nanoseconds."),
    number("p99_ns", "99 of 100 writes took no longer, in nanoseconds."),
    int("writes", "How many writes were measured."),
];

const SPREAD: &[Key] = &[
    number("median", "The middle one of the repeats."),
    number("min", "The smallest of the repeats."),
    number("max", "The largest of the repeats."),
];

const DOUBT: &[Key] = &[
    text("name", "Its name."),
    flag("grave", "It speaks against trusting the disk, not only against the figures."),
    text("text", "What was seen and what it means, in words."),
];

const SETTING_KEY: Key = text("key", "A name for the combination, by which a baseline finds it again.");
const APPENDERS: Key = int("appenders", "How many threads append.");
const SIZE: Key = text("size", "The size of the records, as `--size` takes it.");
const SYNC: Key = text("sync", "How groups are made durable, as `--sync` takes it.");
const WINDOW: Key = text("window", "How long a leader waits for company, as `--window` takes it.");
const PREALLOCATE: Key = text("preallocate", "How room is made ahead, as `--preallocate` takes it.");
const DIRECT: Key = flag("direct", "Writes bypass the page cache.");
const BUFFERED: Key = flag("buffered", "Writes always go through the page cache.");
const INFLIGHT: Key = int("inflight", "How many records each thread keeps waiting.");
const RATE: Key = number("rate", "The rate that was asked for, in records a second; null for as fast as it goes.").or_null();

const SETTINGS: &[Key] = &[SETTING_KEY, APPENDERS, SIZE, SYNC, WINDOW, PREALLOCATE, DIRECT, BUFFERED, INFLIGHT, RATE];

const CELL: &[Key] = &[
    SETTING_KEY,
    APPENDERS,
    SIZE,
    SYNC,
    WINDOW,
    PREALLOCATE,
    DIRECT,
    BUFFERED,
    INFLIGHT,
    RATE,
    flag("durable", "An acknowledgement promises something under this sync mode."),
    int("repeats", "How many repeats there are."),
    object("figures", FIGURES, "What was measured. Times are in nanoseconds, rates a second."),
    object("groups_by_size", GROUPS, "How many groups had how many records."),
    object("appends_by_ns", TIMES, "How many appends took how long, over all repeats; empty in runs of older versions."),
    list(
        "rate_over_time",
        &ValueKind::List(&ValueKind::Number),
        "For each repeat the appends a second in 20 equal parts of its time, one after the other.",
    ),
    number("share_of_disk", "The rate, as a part of what the disk could do with one record a sync.").or_null(),
    text("noise", "What repeats that disagree mean, in words; null if they agree.").or_null(),
    flag("two_cohorts", "The appenders form two groups that take turns."),
    int("lacking_count", "Records that were acknowledged and are not in the log."),
];

const GROUPS: &[Key] = &[int("*", "Groups with as many records as the key says.").sometimes()];

const TIMES: &[Key] =
    &[int("*", "Appends that took no more nanoseconds than the key says, and more than the next smaller key.").sometimes()];

const FIGURES: &[Key] = &[
    object("rate", SPREAD, "Acknowledged appends a second."),
    object("bytes", SPREAD, "Payload bytes a second."),
    object("syncs", SPREAD, "Syncs a second."),
    object("acks-per-sync", SPREAD, "Appends that one sync acknowledged."),
    object("cpu", SPREAD, "Processor time for an append."),
    object("amplification", SPREAD, "Bytes on the device for each byte of payload; only where the device counts.").sometimes(),
    object("p50", SPREAD, "Half of the appends took no longer."),
    object("p90", SPREAD, "90 in 100 appends took no longer."),
    object("p99", SPREAD, "99 in 100 appends took no longer."),
    object("p99.9", SPREAD, "999 in 1,000 appends took no longer."),
    object("max", SPREAD, "No append took longer."),
    object("mean-queue", SPREAD, "The mean time in the queue."),
    object("mean-window", SPREAD, "The mean time that a leader waited for company."),
    object("mean-write", SPREAD, "The mean time of the write."),
    object("mean-sync", SPREAD, "The mean time of the sync."),
    object("mean-wake", SPREAD, "The mean time until the caller ran again."),
];

const ADVICE: &[Key] = &[
    text("headline", "What to set, in one line."),
    text("flags", "The flags of `append`; empty if the defaults are best."),
    list("reasons", &ValueKind::Text, "Why, in words."),
];

const TARGET: &[Key] = &[
    SETTING_KEY,
    object("cell", SETTINGS, "The load and settings."),
    number("rate", "The highest rate at which the latency held; null if it never did.").or_null(),
    list("steps", &ValueKind::Object(RATE_STEP), "The rates that were tried."),
];

const RATE_STEP: &[Key] = &[
    number("rate", "The rate that was tried, in records a second."),
    number("reached_rate", "The rate that was reached."),
    number("latency_ns", "The latency that was measured, in nanoseconds."),
    flag("sustained", "Rate and latency held."),
];
