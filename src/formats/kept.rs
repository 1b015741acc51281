//! A summary as a line of text, and back: what was walked once need not be walked again.
//!
//! A line holds all that [`Format::join`] reads of a summary, so that the join over lines finds what the join over walks finds. It is
//! one JSON object, of this version of the crate, of one format and one segment, with a sum over itself at its end:
//!
//! ```text
//! {"schema":"walctl.seen/1","by":"0.1.0","format":"rivven","segment":"00000000000000000001.wal","followed":true,"asked":{…},"file":{…},
//!  "beside":[…],"named":false,"log":"/var/lib/rivven/wal","walked":"2026-11-20T15:32:46.338261Z","found":{…},"sum":"1c291ca3"}
//! ```
//!
//! Up to `beside` it says what it is a line of, and is found by these bytes. A line that is cut, changed by one bit, of another version,
//! or of another segment gives nothing; then the segment is walked again.
//! The sum is there against accidents. A program that can write the lines can make them say anything, as with the log itself; all that
//! such a line is promised is that it does no harm: no panic, and no more memory than a small multiple of its length.

use serde_json::{Value, json};

use super::{Capped, Ending, Format, KnownHole, State, Summary};
use crate::disk::{EntryKind, Segment, crc32};
use crate::model::{CATALOGUE, Damage, Facts, Hole, HoleOrigin, Look, Lsn, LsnRange, Proof, SegmentId, Span, Time, Warning};

/// What the lines of this version begin with. Another version of the crate, or a build that reads less, is another one, too: it may find
/// something else in the same bytes.
pub const KEPT: &str = "{\"schema\":\"walctl.seen/1\",";
const BY: &str = if cfg!(all(feature = "encryption", feature = "zstd")) {
    env!("CARGO_PKG_VERSION")
} else if cfg!(feature = "encryption") {
    concat!(env!("CARGO_PKG_VERSION"), " without zstd")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " without encryption")
};
/// A line is not longer. That is far more than the damage that a summary lists can take.
pub const LONGEST_LINE: usize = 16 << 20;

/// What a line says besides what was found.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// What was asked of the walk, an object: the line is good for the same question alone.
    pub asked: &'a Value,
    /// How the file stood when it was walked, an object: its length and stamp.
    pub file: &'a Value,
    /// What else the walk looked at, an array.
    pub beside: &'a Value,
    /// The user named the format; otherwise it was recognised.
    pub named: bool,
    /// The log that the segment belongs to, for people.
    pub log: &'a str,
    /// When the walk began.
    pub walked: Time,
}

/// The parts of a line whose sum is right, as they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What it is a line of, up to the file's stamp.
    pub of: &'a str,
    /// The same with the stamp: what [`line_key`] makes.
    pub key: &'a str,
    /// What else the walk looked at, as JSON.
    pub beside: &'a str,
    /// The user had named the format.
    pub named: bool,
    /// The log, as JSON.
    pub log: &'a str,
    /// When it was walked.
    pub walked: Time,
    /// What was found, as JSON.
    pub found: &'a str,
}

/// How a line begins that is about this segment, this question and this state of the file.
#[must_use]
pub fn line_key(format: &Format, segment: &Segment, asked: &Value, file: &Value) -> String {
    format!(
        "{KEPT}\"by\":{},\"format\":{},\"segment\":{},\"followed\":{},\"asked\":{asked},\"file\":{file}",
        json!(BY),
        json!(format.name),
        json!(segment.name),
        segment.followed,
    )
}

/// The line of a segment, without a newline; `None` when this summary cannot be kept.
#[must_use]
pub fn write_line(format: &Format, segment: &Segment, label: &Label<'_>, summary: &Summary) -> Option<String> {
    // A walk that began in the middle knows a part only.
    if !summary.whole || segment.kind != EntryKind::File {
        return None;
    }
    let own = match summary.own {
        Some(_) => (format.write_own)(summary)?,
        None => Value::Null,
    };
    let mut line = line_key(format, segment, label.asked, label.file);
    line.push_str(&format!(
        ",\"beside\":{},\"named\":{},\"log\":{},\"walked\":\"{}\",\"found\":{}",
        label.beside,
        label.named,
        json!(label.log),
        label.walked,
        found(summary, own)
    ));
    let sum = crc32(0, line.as_bytes());
    line.push_str(&format!(",\"sum\":\"{sum:08x}\"}}"));
    (line.len() <= LONGEST_LINE).then_some(line)
}

/// The parts of a line, if it is one of this version and as it was written.
#[must_use]
pub fn parts(line: &str) -> Option<Parts<'_>> {
    const TAIL: usize = r#","sum":"00000000"}"#.len();
    if line.len() > LONGEST_LINE || !line.starts_with(KEPT) {
        return None;
    }
    let (head, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
    if tail != format!(",\"sum\":\"{:08x}\"}}", crc32(0, head.as_bytes())) {
        return None;
    }
    // Inside of strings quotes stand behind backslashes, so what is looked for stands nowhere but between two keys.
    let find = |from: usize, what: &str| Some(from + memchr::memmem::find(&head.as_bytes()[from..], what.as_bytes())?);
    let (before_file, beside) = (find(0, ",\"file\":{")?, ",\"beside\":");
    let before_beside = find(before_file, ",\"beside\":[")?;
    let before_named = find(before_beside, ",\"named\":")?;
    let before_log = find(before_named, ",\"log\":\"")?;
    let before_walked = find(before_log, ",\"walked\":\"")?;
    let before_found = find(before_walked, ",\"found\":{")?;
    let walked = head.get(before_walked + ",\"walked\":\"".len()..before_found)?.strip_suffix('"')?;
    Some(Parts {
        of: &head[..before_file],
        key: &head[..before_beside],
        beside: head.get(before_beside + beside.len()..before_named)?,
        named: head.get(before_named..before_log)? != ",\"named\":false",
        log: head.get(before_log + ",\"log\":".len()..before_walked)?,
        walked: Time::parse(walked)?,
        found: head.get(before_found + ",\"found\":".len()..)?,
    })
}

/// The summary of a segment from its line, if it is one, of this version, and of this segment in this state of its file.
#[must_use]
pub fn read_line(format: &Format, segment: &Segment, asked: &Value, file: &Value, line: &str) -> Option<Summary> {
    let parts = parts(line)?;
    if segment.kind != EntryKind::File || parts.key != line_key(format, segment, asked, file) {
        return None;
    }
    read_found(format, segment, file, &parts)
}

/// The same of a line whose key was found to be the right one.
#[must_use]
pub fn read_found(format: &Format, segment: &Segment, file: &Value, parts: &Parts<'_>) -> Option<Summary> {
    let found: Value = serde_json::from_str(parts.found).ok()?;
    let summary = summary(format, segment.id, &found)?;
    // The file was as long when it was walked: anything else is a lie.
    let fits = file["length"].as_u64().is_none_or(|length| length == summary.length);
    fits.then_some(summary)
}

fn found(summary: &Summary, own: Value) -> Value {
    let damage: Vec<Value> = summary.damage.kept().iter().map(damage_value).collect();
    let warnings: Vec<Value> =
        summary.warnings.kept().iter().map(|w| json!({"name": w.name, "at": span_value(&w.span), "text": w.text})).collect();
    let holes: Vec<Value> = summary.holes.kept().iter().map(hole_value).collect();
    json!({
        "records": summary.records, "frames": summary.frames, "lsns": range_value(summary.lsns), "due": summary.due.map(|l| l.0),
        "begins": summary.begins.map(|l| l.0), "valid_bytes": summary.valid_bytes, "end": summary.end, "length": summary.length,
        "ending": ENDINGS.iter().find(|(ending, _)| *ending == summary.ending).map(|(_, name)| name), "state": summary.state.name(),
        "blank": summary.blank, "locked": summary.locked, "damage": damage, "more_damage": summary.damage.beyond(),
        "warnings": warnings, "more_warnings": summary.warnings.beyond(), "holes": holes, "more_holes": summary.holes.beyond(),
        "recovery": summary.recovery, "own": own,
    })
}

fn summary(format: &Format, id: SegmentId, from: &Value) -> Option<Summary> {
    let list = |name: &str, more: &str| Some((from[name].as_array()?, from[more].as_u64()?));
    let (damage, warnings, holes) =
        (list("damage", "more_damage")?, list("warnings", "more_warnings")?, list("holes", "more_holes")?);
    Some(Summary {
        records: from["records"].as_u64()?,
        frames: from["frames"].as_u64()?,
        lsns: maybe(&from["lsns"], range)?,
        due: maybe(&from["due"], lsn)?,
        begins: maybe(&from["begins"], lsn)?,
        valid_bytes: from["valid_bytes"].as_u64()?,
        end: from["end"].as_u64()?,
        length: from["length"].as_u64()?,
        ending: named(&from["ending"], ENDINGS)?,
        state: [State::Sealed, State::Active].into_iter().find(|state| from["state"] == state.name())?,
        whole: true,
        blank: from["blank"].as_bool()?,
        damage: capped(damage, |value| read_damage(format, id, value))?,
        warnings: capped(warnings, |value| warning(format, id, value))?,
        locked: from["locked"].as_u64()?,
        holes: capped(holes, |value| hole(id, value))?,
        tally: None,
        resume: None,
        recovery: maybe(&from["recovery"], text)?,
        own: maybe(&from["own"], format.read_own)?,
    })
}

const ENDINGS: &[(Ending, &str)] = &[
    (Ending::FileEnds, "file-ends"),
    (Ending::Zeros, "zeros"),
    (Ending::Closed, "closed"),
    (Ending::Sealed, "sealed"),
    (Ending::Remains, "remains"),
    (Ending::Damage, "damage"),
];

const LOOKS: &[(Look, &str)] = &[
    (Look::Interrupted, "interrupted"),
    (Look::Wrong, "wrong"),
    (Look::Followed, "followed"),
    (Look::Absent, "absent"),
    (Look::Skipped, "skipped"),
    (Look::Altered, "altered"),
    (Look::Mixed, "mixed"),
    (Look::Refused, "refused"),
];

fn named<T: Copy>(value: &Value, names: &[(T, &str)]) -> Option<T> {
    names.iter().find(|(_, name)| value == name).map(|(thing, _)| *thing)
}

/// One of the format's fixed texts.
fn word(format: &Format, value: &Value) -> Option<&'static str> {
    format.words.iter().find(|word| value == **word).copied()
}

/// What may be absent: `Some(None)` where it is, `None` where it is there and wrong.
pub(super) fn maybe<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() { Some(None) } else { read(value).map(Some) }
}

fn lsn(value: &Value) -> Option<Lsn> {
    value.as_u64().map(Lsn)
}

fn time(value: &Value) -> Option<Time> {
    value.as_u64().map(Time)
}

fn range_value(range: Option<LsnRange>) -> Value {
    range.map_or(Value::Null, |range| json!([range.first.0, range.last.0]))
}

fn range(value: &Value) -> Option<LsnRange> {
    match value.as_array()?.as_slice() {
        [first, last] => LsnRange::new(lsn(first)?, lsn(last)?),
        _ => None,
    }
}

/// Offset and length: the segment is the line's own.
fn span_value(span: &Span) -> Value {
    json!([span.start(), span.length])
}

fn span(id: SegmentId, value: &Value) -> Option<Span> {
    match value.as_array()?.as_slice() {
        [offset, length] => {
            let offset = offset.as_u64()?;
            Some(Span::new(id, offset, offset.checked_add(length.as_u64()?)?))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn capped<T>((values, beyond): (&Vec<Value>, u64), read: impl Fn(&Value) -> Option<T>) -> Option<Capped<T>> {
    Capped::of(values.iter().map(read).collect::<Option<Vec<T>>>()?, beyond)
}

fn damage_value(damage: &Damage) -> Value {
    json!({
        "kind": damage.kind.name(), "at": span_value(&damage.span), "lsn": damage.lsn.map(|l| l.0), "doubt": range_value(damage.doubt),
        "expected": damage.expected, "found": damage.found, "proof": damage.facts.proof.as_ref().map(proof_value),
        "look": LOOKS.iter().find(|(look, _)| *look == damage.facts.look).map(|(_, name)| name), "unpromised": damage.facts.unpromised,
    })
}

fn read_damage(format: &Format, id: SegmentId, from: &Value) -> Option<Damage> {
    Some(Damage {
        kind: CATALOGUE.iter().find(|entry| from["kind"] == entry.name)?.kind,
        span: span(id, &from["at"])?,
        lsn: maybe(&from["lsn"], lsn)?,
        doubt: maybe(&from["doubt"], range)?,
        expected: text(&from["expected"])?,
        found: text(&from["found"])?,
        facts: Facts {
            look: named(&from["look"], LOOKS)?,
            proof: maybe(&from["proof"], |value| proof(format, value))?,
            unpromised: from["unpromised"].as_bool()?,
        },
    })
}

fn proof_value(proof: &Proof) -> Value {
    match proof {
        Proof::LaterFrame { lsn, synced } => json!(["frame", lsn.0, synced.0]),
        Proof::LaterRecord { lsn } => json!(["record", lsn.0]),
        Proof::LaterSegment => json!(["segment"]),
        Proof::Close => json!(["close"]),
        Proof::Seal => json!(["seal"]),
        Proof::Told { by, words } => json!(["told", by, words]),
    }
}

fn proof(format: &Format, value: &Value) -> Option<Proof> {
    let (name, rest) = value.as_array()?.split_first()?;
    match (name.as_str()?, rest) {
        ("frame", [by, synced]) => Some(Proof::LaterFrame { lsn: lsn(by)?, synced: lsn(synced)? }),
        ("record", [by]) => Some(Proof::LaterRecord { lsn: lsn(by)? }),
        ("segment", []) => Some(Proof::LaterSegment),
        ("close", []) => Some(Proof::Close),
        ("seal", []) => Some(Proof::Seal),
        ("told", [by, words]) => Some(Proof::Told { by: word(format, by)?, words: word(format, words)? }),
        _ => None,
    }
}

fn warning(format: &Format, id: SegmentId, from: &Value) -> Option<Warning> {
    Some(Warning { name: word(format, &from["name"])?, span: span(id, &from["at"])?, text: text(&from["text"])? })
}

fn hole_value(known: &KnownHole) -> Value {
    let hole = &known.hole;
    json!({
        "at": span_value(&known.span), "since": known.since.0, "lsns": range_value(Some(hole.lsns)), "origin": hole.origin.name(),
        "before": hole.before.map(|t| t.0), "behind": hole.behind.map(|t| t.0), "chain": hole.chain, "reason": hole.reason,
    })
}

fn hole(id: SegmentId, from: &Value) -> Option<KnownHole> {
    Some(KnownHole {
        span: span(id, &from["at"])?,
        since: time(&from["since"])?,
        hole: Hole {
            lsns: range(&from["lsns"])?,
            origin: HoleOrigin::ALL.into_iter().find(|origin| from["origin"] == origin.name())?,
            before: maybe(&from["before"], time)?,
            behind: maybe(&from["behind"], time)?,
            chain: maybe(&from["chain"], |value| u32::try_from(value.as_u64()?).ok())?,
            reason: text(&from["reason"])?,
        },
    })
}
