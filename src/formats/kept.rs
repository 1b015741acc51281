//! A summary as a line of text, and back: what was walked once need not be walked again.
//!
//! A line holds all that [`Format::join`] reads of a summary, so that the join over lines finds what the join over walks finds. It is
//! one JSON object, of this version of the crate, of one format and one segment, with a sum over itself at its end:
//!
//! ```text
//! {"kept":1,"by":"0.1.0","format":"rivven","segment":"00000000000000000001.wal","followed":true,"stamp":"…","found":{…},"sum":"1c291ca3"}
//! ```
//!
//! A line that is cut, changed by one bit, of another version, or of another segment gives nothing; then the segment is walked again.
//! The sum is there against accidents. A program that can write the lines can make them say anything, as with the log itself; all that
//! such a line is promised is that it does no harm: no panic, and no more memory than a small multiple of its length.

use serde_json::{Value, json};

use super::{Capped, Ending, Format, KnownHole, State, Summary};
use crate::disk::{EntryKind, Segment, crc32};
use crate::model::{CATALOGUE, Damage, Facts, Hole, HoleOrigin, Look, Lsn, LsnRange, Proof, SegmentId, Span, Time, Warning};

/// The version of the line. Another version of the crate is another version, too: it may find more in the same bytes.
const KEPT: u64 = 1;
const BY: &str = env!("CARGO_PKG_VERSION");
/// A line is not longer. That is far more than the damage that a summary lists can take.
pub const LONGEST_LINE: usize = 16 << 20;

/// The line of a segment, without a newline; `None` when this summary cannot be kept.
///
/// `stamp` is what the caller will know the file by: its length and time, and what was asked of the walk (deep or not, with which keys).
#[must_use]
pub fn write_line(format: &Format, segment: &Segment, stamp: &str, summary: &Summary) -> Option<String> {
    // A walk that began in the middle knows a part only.
    if !summary.whole || segment.kind != EntryKind::File {
        return None;
    }
    let own = match summary.own {
        Some(_) => (format.write_own)(summary)?,
        None => Value::Null,
    };
    let mut line = format!(
        "{{\"kept\":{KEPT},\"by\":{},\"format\":{},\"segment\":{},\"followed\":{},\"stamp\":{},\"found\":{}",
        json!(BY),
        json!(format.name),
        json!(segment.name),
        segment.followed,
        json!(stamp),
        found(summary, own)
    );
    let sum = crc32(0, line.as_bytes());
    line.push_str(&format!(",\"sum\":\"{sum:08x}\"}}"));
    (line.len() <= LONGEST_LINE).then_some(line)
}

/// The summary of a segment from its line, if it is one, of this version, and of this segment as `stamp` knows it.
#[must_use]
pub fn read_line(format: &Format, segment: &Segment, stamp: &str, line: &str) -> Option<Summary> {
    const TAIL: usize = r#","sum":"00000000"}"#.len();
    if line.len() > LONGEST_LINE || segment.kind != EntryKind::File {
        return None;
    }
    let (head, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
    if tail != format!(",\"sum\":\"{:08x}\"}}", crc32(0, head.as_bytes())) {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let fits = value["kept"] == KEPT
        && value["by"] == BY
        && value["format"] == format.name
        && value["segment"] == segment.name.as_str()
        && value["followed"] == segment.followed
        && value["stamp"] == stamp;
    if fits { summary(format, segment.id, &value["found"]) } else { None }
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
