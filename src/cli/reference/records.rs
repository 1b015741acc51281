//! The keys of records, acknowledgements, lists and failures.

use super::{Key, ObjectShape, ValueKind, flag, int, key, list, object, text, time};

pub const DUMP: ObjectShape = ObjectShape {
    schema: None,
    command: "walctl dump LOG --json",
    about: "One line for each record, without `schema` and without blanks: a log has millions. `append --json` reads the same lines.",
    mark: None,
    keys: &[
        text("log", "The path of the log; only if several are shown.").sometimes(),
        int("lsn", "The record's LSN; null if the format has none, or it is lost.").or_null(),
        text("kind", "The record's kind, as `--kind` takes it."),
        time("time", "When the record was written; null if nobody noted it.").or_null(),
        int("tag", "The record's tag; null if it has none.").or_null(),
        text("file", "The segment's name within the log."),
        int("offset", "The offset in that segment at which the record begins."),
        int("length", "How many bytes of the segment belong to it, its header among them."),
        text("payload", "The payload, if it is valid UTF-8.").sometimes(),
        text("payload_base64", "The payload in Base64, if it is not; always with `--payload base64`.").sometimes(),
        text("payload_hex", "The payload in hex; only with `--payload hex`.").sometimes(),
        key("payload_json", ValueKind::Any, "The payload as JSON; only with `--payload json`, if it is JSON.").sometimes(),
        int("payload_length", "The length of the payload; only with `--payload len` and `--redact`.").sometimes(),
        text("payload_hash", "A keyed hash of the payload; only with `--redact`. Equal payloads have equal hashes in one run.")
            .sometimes(),
        object("meta", META, "Facts that only this format has.").sometimes(),
        key(
            "decoded",
            ValueKind::Any,
            "What the record means; the keys depend on format and kind. `--decode none` leaves it out.",
        )
        .sometimes(),
        flag("encrypted", "The payload is encrypted and no key opens it; only then.").sometimes(),
        flag("after_damage", "Damage stands somewhere before it; only then.").sometimes(),
    ],
};

const META: &[Key] = &[key("*", ValueKind::Any, "A fact of the format, by the name that the key says.").sometimes()];

pub const APPEND: ObjectShape = ObjectShape {
    schema: None,
    command: "walctl append DIR --json",
    about: "One line for each record once it is durable, without `schema` and without blanks.",
    mark: None,
    keys: &[
        int("lsn", "The LSN of the record; of a long one, of its first frame."),
        int("last_lsn", "The LSN of its last frame; only for a record that is so long that it has several.").sometimes(),
        int("group", "Which group of this run it was in, counted from 1."),
        int("group_size", "How many records this group made durable together."),
        int("wait_us", "Microseconds from the call to the sync."),
        int("sync_us", "Microseconds that the sync took."),
        flag("durable", "Always false: under `--sync none` or an interval an acknowledgement promises nothing; only then.")
            .sometimes(),
    ],
};

pub const FORMATS: ObjectShape = ObjectShape {
    schema: Some("walctl.formats/1"),
    command: "walctl verify --format list --json",
    about: "One object for each format.",
    mark: None,
    keys: &[
        text("schema", "The name and version of this shape."),
        text("format", "The name, as `--format` takes it."),
        list("aliases", &ValueKind::Text, "Other names that `--format` takes."),
        text("title", "What it is, in words."),
        text("protects", "What its checksums protect, in words."),
        flag("opens_encrypted", "Encrypted payloads are opened with `--key-file`."),
        text("repair", "`cut` if a torn tail can be cut, `refuse` if not."),
        text("why", "Why it is refused.").or_null(),
    ],
};

pub const EXPLAIN: ObjectShape = ObjectShape {
    schema: Some("walctl.explain/1"),
    command: "walctl explain --json",
    about: "One object for each word.",
    mark: None,
    keys: &[
        text("schema", "The name and version of this shape."),
        text("name", "The word."),
        text("class", "What sort of word it is: damage, verdict, warning, exit code, term, format or key."),
        text("meaning", "What it means."),
        text("usual_cause", "How it comes about; for damage and warnings.").sometimes(),
        text("what_helps", "What to do about it.").sometimes(),
        text("exit_code", "The exit code of a verdict.").sometimes(),
        text("see", "What to read or type next; for terms and formats.").sometimes(),
        list("also", &ValueKind::Text, "What else it is found by.").sometimes(),
        text("example", "Output in which it stands, or a command that shows it.").sometimes(),
        list("places", &ValueKind::Object(PLACE), "Where a key stands.").sometimes(),
        text("verdicts", "The verdicts that end with this exit code.").sometimes(),
    ],
};

const PLACE: &[Key] = &[
    text("command", "What is typed to see it."),
    text("path", "Where it stands in what that prints."),
    text("type", "The type of its value."),
    text("meaning", "What it means there."),
];

pub const ERROR: ObjectShape = ObjectShape {
    schema: Some("walctl.error/1"),
    command: "walctl COMMAND --json",
    about: "One object on standard error for each failure; what was found before it stands on standard output.",
    mark: None,
    keys: &[text("schema", "The name and version of this shape."), object("error", FAILURE, "The failure.")],
};

const FAILURE: &[Key] = &[
    int("code", "The exit code that this failure alone would lead to."),
    text("message", "What went wrong."),
    text("hint", "What to do next: a command to type, or advice.").or_null(),
];
