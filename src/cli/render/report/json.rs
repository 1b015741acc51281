//! A report for programs: one object a log. Keys never change their meaning.

use std::io::{self, Write};

use walctl::formats::KnownHole;
use walctl::model::{Damage, LsnRange, Time, Warning};
use walctl::ops::open::Input;
use walctl::ops::report::{Report, SegmentReport};

use super::{LookedBeside, segment_name};
use crate::cli::hint;
use crate::cli::render::out::{Out, json_text};

/// Writes the object and a newline.
pub fn write(out: &mut Out, input: &Input, report: &Report, beside: &LookedBeside) -> io::Result<()> {
    let (first, last) = ends(report.lsns);
    let segments: Vec<String> = report.segments.iter().map(segment).collect();
    let next = hint::advisor(input, report);
    let damage: Vec<String> = report.damage.iter().map(|d| one_damage(input, d, &next(d))).collect();
    let warnings: Vec<String> = report.warnings.iter().map(|w| warning(input, w)).collect();
    write!(
        out,
        "{{\"log\": {}, \"format\": {}, \"verdict\": \"{}\", \"live\": {}, \"records\": {}, \"first_lsn\": {first}, \
         \"last_lsn\": {last}, \"valid_bytes\": {}, \"segments\": [{}], \"damage\": [{}], \"damage_beyond\": {}, \
         \"acknowledged_lost\": \"{}\", \"writer_pid\": {}, \"unprotected\": {}, \"warnings\": [{}]",
        json_text(&report.log.display().to_string()),
        json_text(report.format),
        report.verdict,
        report.live.is_some(),
        report.records,
        report.valid_bytes,
        segments.join(", "),
        damage.join(", "),
        report.beyond,
        report.acknowledged(),
        report.live.map_or_else(|| "null".to_owned(), |pid| pid.to_string()),
        if report.unprotected.is_empty() { "null".to_owned() } else { json_text(report.unprotected) },
        warnings.join(", "),
    )?;
    let holes: Vec<String> = report.known_holes.iter().map(|known| known_hole(input, known)).collect();
    write!(out, ", \"known_holes\": [{}], \"unused_lsns\": {}", holes.join(", "), report.unused_lsns)?;
    if let Some(recovery) = &report.recovery {
        write!(out, ", \"recovery\": {}", json_text(recovery))?;
    }
    if let Some(view) = &beside.media {
        let spans = view.differing.iter().map(|span| {
            let file = json_text(segment_name(input, span.place.segment));
            format!("{{\"file\": {file}, \"offset\": {}, \"length\": {}}}", span.start(), span.length)
        });
        let spans: Vec<String> = spans.collect();
        write!(
            out,
            ", \"media\": {{\"direct\": {}, \"compared_bytes\": {}, \"differing\": [{}]}}",
            view.direct,
            view.compared,
            spans.join(", ")
        )?;
    }
    if let Some((path, found)) = &beside.ledger {
        let range = |range: &LsnRange| format!("{{\"first_lsn\": {}, \"last_lsn\": {}}}", range.first, range.last);
        let lacks: Vec<String> = found.lacks.iter().map(range).collect();
        let different: Vec<String> = found.different.iter().map(ToString::to_string).collect();
        write!(
            out,
            ", \"ledger\": {{\"file\": {}, \"listed\": {}, \"lacking\": {}, \"lacks\": [{}], \"before_first_record\": {}, \
             \"different\": [{}], \"unread\": {}, \"last_lsn\": {}}}",
            json_text(&path.display().to_string()),
            found.listed,
            found.lacking,
            lacks.join(", "),
            found.before,
            different.join(", "),
            found.unread,
            found.reaches.map_or_else(|| "null".to_owned(), |lsn| lsn.to_string()),
        )?;
    }
    writeln!(out, "}}")
}

fn segment(segment: &SegmentReport) -> String {
    let (first, last) = ends(segment.lsns);
    format!(
        "{{\"file\": {}, \"first_lsn\": {first}, \"last_lsn\": {last}, \"records\": {}, \"valid_bytes\": {}, \"file_bytes\": {}, \
         \"state\": \"{}\", \"verdict\": \"{}\", \"data_end\": {}}}",
        json_text(&segment.file),
        segment.records,
        segment.valid_bytes,
        number(segment.file_bytes),
        segment.state.name(),
        segment.verdict,
        segment.end,
    )
}

fn one_damage(input: &Input, damage: &Damage, next: &str) -> String {
    let (first, last) = ends(damage.doubt);
    format!(
        "{{\"file\": {}, \"offset\": {}, \"length\": {}, \"verdict\": \"{}\", \"kind\": \"{}\", \"lsn\": {}, \"acknowledged\": \"{}\", \
         \"detail\": {}, \"next\": {}, \"expected\": {}, \"found\": {}, \"doubt_first_lsn\": {first}, \"doubt_last_lsn\": {last}, \
         \"proof\": {}}}",
        json_text(segment_name(input, damage.span.place.segment)),
        damage.span.start(),
        damage.span.length,
        damage.verdict(),
        damage.kind,
        damage.lsn.map_or_else(|| "null".to_owned(), |lsn| lsn.to_string()),
        damage.acknowledged(),
        json_text(&damage.detail()),
        json_text(next),
        json_text(&damage.expected),
        json_text(&damage.found),
        damage.facts.proof.map_or_else(|| "null".to_owned(), |proof| json_text(&proof.to_string())),
    )
}

fn known_hole(input: &Input, known: &KnownHole) -> String {
    let hole = &known.hole;
    let time = |time: Option<Time>| time.map_or_else(|| "null".to_owned(), |time| json_text(&time.to_string()));
    format!(
        "{{\"first_lsn\": {}, \"last_lsn\": {}, \"since\": {}, \"before\": {}, \"behind\": {}, \"origin\": \"{}\", \"reason\": {}, \
         \"file\": {}, \"offset\": {}}}",
        hole.lsns.first,
        hole.lsns.last,
        time(Some(known.since).filter(|since| since.0 > 0)),
        time(hole.before),
        time(hole.behind),
        hole.origin.name(),
        json_text(&hole.reason),
        json_text(segment_name(input, known.span.place.segment)),
        known.span.start(),
    )
}

fn warning(input: &Input, warning: &Warning) -> String {
    format!(
        "{{\"file\": {}, \"offset\": {}, \"length\": {}, \"name\": {}, \"text\": {}}}",
        json_text(segment_name(input, warning.span.place.segment)),
        warning.span.start(),
        warning.span.length,
        json_text(warning.name),
        json_text(&warning.text),
    )
}

fn ends(range: Option<LsnRange>) -> (String, String) {
    match range {
        Some(range) => (range.first.to_string(), range.last.to_string()),
        None => ("null".into(), "null".into()),
    }
}

/// A length that is not known stays unknown.
fn number(length: u64) -> String {
    if length == u64::MAX { "null".into() } else { length.to_string() }
}
