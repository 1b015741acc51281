//! Words that output and help use without saying what they are, and the other names that people look them up by.

/// A word, its other names, what it means, and what to read or type next.
pub struct Term {
    /// As it is shown; matched without regard to case, `-`, `_` and blanks.
    pub name: &'static str,
    /// What people type instead.
    pub also: &'static [&'static str],
    /// What it is.
    pub words: &'static str,
    /// Where more is to be had.
    pub see: &'static str,
}

const fn term(name: &'static str, also: &'static [&'static str], words: &'static str, see: &'static str) -> Term {
    Term { name, also, words, see }
}

/// All of them, sorted by name.
pub const TERMS: &[Term] = &[
    term(
        "acknowledged",
        &["acked", "ack", "acknowledgement", "promised"],
        "somebody was told that the record is durable. Only a proof in the log, or a ledger, makes this yes or no; else it is unknown",
        "walctl explain unknown; walctl verify LOG --ledger FILE",
    ),
    term(
        "active",
        &["active segment"],
        "the state of the segment that is written to, or was last: the one with the highest number. Others are sealed",
        "walctl explain sealed",
    ),
    term(
        "batch",
        &[],
        "records that stand or fall together: a crash keeps all of them or none",
        "walctl append --help; walctl explain broken-batch",
    ),
    term(
        "checkpoint",
        &[],
        "a record that says up to which LSN state is safe elsewhere, so that a restart need not read what lies before it",
        "walctl stats LOG",
    ),
    term(
        "cut",
        &["cut file", "truncate"],
        "repair shortens a segment to the last whole record. The bytes that go are saved first, in FILE.cut-OFFSET beside the segment",
        "walctl repair LOG --dry-run; walctl explain undo",
    ),
    term(
        "differ",
        &["differs"],
        "in diff: both logs have a record with this LSN, and its payload, kind or tag is another one",
        "walctl diff A B",
    ),
    term(
        "frame",
        &["frames"],
        "what lies on disk: a header with a checksum, and a payload. A small record is one frame, a large one several",
        "walctl dump LOG --frames",
    ),
    term(
        "gap",
        &["gaps", "missing lsns"],
        "LSNs without a record, and records on both sides of them. lsn-gap is one inside a segment, missing-segment one between two segments; \
         a gap that is known to be lost is a known hole",
        "walctl explain lsn-gap missing-segment hole",
    ),
    term(
        "group",
        &["groups", "group commit"],
        "records that one sync made durable together",
        "walctl stats LOG; walctl explain groups",
    ),
    term(
        "in doubt",
        &["doubt"],
        "LSNs of which no whole record is there, where records were due. Whether all of them are lost only a copy of the log can say",
        "walctl diff LOG BACKUP",
    ),
    term(
        "known hole",
        &["hole", "holes", "known holes", "accepted hole", "accept hole"],
        "LSNs that are gone for good, as the log itself says in a frame of its own: salvage writes it, or repair --accept-hole A..B --yes. \
         verify lists it each time, calls the log clean, and raises no alarm",
        "walctl verify LOG; walctl repair LOG --undo takes an accepted one back",
    ),
    term(
        "lag",
        &["lags", "ends before"],
        "in diff: one log ends at a lower LSN than the other. It is a replica that has not caught up, or a log that lost its end",
        "walctl diff A B names the command that brings the records over",
    ),
    term(
        "ledger",
        &["ledger file"],
        "a file in which append --ledger notes each LSN that it acknowledges, with a digest: it proves later what had been promised",
        "walctl verify LOG --ledger FILE",
    ),
    term(
        "log",
        &["wal", "write-ahead log"],
        "a folder of segments. It is named by the folder; copying the folder copies the log",
        "walctl verify LOG",
    ),
    term(
        "LSN",
        &["log sequence number", "lsns", "sequence number"],
        "the number of a record: counted from 1 in walctl's own logs, and never given twice. In some formats it is a position in the log",
        "walctl dump LOG --lsn A..B",
    ),
    term(
        "only in",
        &["only in a", "only in b"],
        "in diff: one log has records with these LSNs, and the other has none there and no damage that would explain it",
        "walctl diff A B",
    ),
    term("record", &["records"], "what somebody wrote: a payload with an LSN, a kind, a tag and a time", "walctl dump LOG"),
    term(
        "refuses",
        &["refuse", "refused"],
        "repair changes nothing where a cut would drop what had been acknowledged, or what the log's own system would keep. It says why, and \
         what helps instead",
        "walctl repair LOG --dry-run; walctl verify --format list says which formats are never cut",
    ),
    term(
        "running sum",
        &["rolling sum", "chain", "chained checksum", "rolling crc"],
        "a checksum that goes on from record to record, or from segment to segment: one that is removed, exchanged or put in does not fit",
        "walctl explain broken-chain",
    ),
    term(
        "salvage",
        &["salvaged"],
        "copies everything that is whole into a new log, and writes known holes where records are lost. The old log is not changed",
        "walctl repair LOG --salvage NEW",
    ),
    term(
        "seal",
        &["seals"],
        "the frame that ends a finished segment: counts, first and last LSN and time, an index, a digest. stats and verify --ends believe it",
        "walctl rotate LOG; walctl explain sealed",
    ),
    term(
        "sealed",
        &["sealed segment"],
        "the state of a segment to which nothing more is written, since a later one was begun or it ends with a Seal. The other state is active",
        "walctl explain active seal",
    ),
    term(
        "segment",
        &["segments", "segment file"],
        "one file of a log. Only the last one is written to",
        "walctl verify LOG lists them",
    ),
    term(
        "state",
        &[],
        "a column of verify and stats: sealed, or active for the segment that is written to. What is wrong with it stands under verdict",
        "walctl explain sealed active",
    ),
    term(
        "synced",
        &["sync", "durable", "fsync", "fdatasync"],
        "the disk confirmed that the bytes survive a power loss. A record is acknowledged after that, and not before",
        "walctl append --help, under --sync",
    ),
    term(
        "tail",
        &["torn tail", "end"],
        "the end of a log. A torn tail is what a crash in the middle of a write leaves: no record behind it, nothing that proves a sync",
        "walctl explain torn; walctl repair LOG --dry-run",
    ),
    term(
        "too noisy",
        &["noisy", "noise", "too noisy to measure", "drift"],
        "bench saw the same load run at very different speeds: something else uses the disk or the machine, or the disk was slowed down \
         meanwhile, as rented ones are when a quota is used up. No figure of that run is one to quote",
        "walctl bench DIR --duration 3s --repeats 9, when nothing else runs; two runs an hour apart show a quota",
    ),
    term(
        "trust",
        &["trusted", "lies", "honours syncs"],
        "whether a disk keeps what it says is synced. bench looks at how long a sync takes, what the kernel knows of the disk's cache, and \
         what lies between. That may speak against a disk and never for it: only cutting the power proves it",
        "walctl bench DIR --crash-test --help",
    ),
    term(
        "undo",
        &["put back", "revert"],
        "puts back, byte for byte, what the newest repair cut, unless something was written behind the cut since. A known hole is taken back \
         at any time",
        "walctl repair LOG --undo",
    ),
    term(
        "unknown",
        &["acknowledged or not is unknown", "unknown acknowledgement"],
        "nothing in the log proves that the record was acknowledged, and nothing proves that it was not. A ledger decides, if one was kept; \
         else the client that wrote it",
        "walctl verify LOG --ledger FILE",
    ),
];
