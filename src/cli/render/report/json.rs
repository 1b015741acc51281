//! A report for programs: one object a log. Keys never change their meaning.

use std::io::{self, Write};

use walctl::formats::KnownHole;
use walctl::model::{Damage, LsnRange, Span, Warning};
use walctl::ops::accept::{AcceptedDamage, VoidAcceptance};
use walctl::ops::open::Input;
use walctl::ops::report::{LedgerReport, MediaView, Report, SegmentReport, TimesAround, behind_damage, times_around};

use super::{LookedBeside, portion, seen, segment_name};
use crate::cli::hint;
use crate::cli::render::content;
use crate::cli::render::json::Object;
use crate::cli::render::out::Out;
use crate::cli::render::traffic;

/// Writes the object and a newline.
pub fn write(out: &mut Out, input: &Input, report: &Report, beside: &LookedBeside) -> io::Result<()> {
    let next = hint::advisor(input, report);
    let times = times_around(input, &report.damage);
    let damage = report.damage.iter().zip(&times).map(|(d, times)| one_damage(input, d, &next(d), times));
    let mut object = Object::of("walctl.verify/1")
        .put("log", report.log.display().to_string())
        .put("format", report.format)
        .put("verdict", report.verdict_name())
        .put("live", report.live.is_some())
        .put("records", report.records)
        .put("first_lsn", report.first_lsn())
        .put("last_lsn", report.last_lsn())
        .put("valid_bytes", report.valid_bytes)
        .put("segments", report.segments.iter().map(segment).collect::<Vec<_>>())
        .put("damage", damage.collect::<Vec<_>>())
        .put("damage_beyond_count", report.beyond)
        .put("acknowledged_lost", report.acknowledged().name())
        .put("writer_pid", report.live)
        .put("unprotected", Some(report.unprotected).filter(|words| !words.is_empty()))
        .put("warnings", report.warnings.iter().map(|w| warning(input, w)).collect::<Vec<_>>())
        .put("known_holes", report.known_holes.iter().map(|known| known_hole(input, known)).collect::<Vec<_>>())
        .put("unused_count", report.unused_lsns);
    if let Some(recovery) = &report.recovery {
        object = object.put("recovery", recovery.as_str());
    }
    if let Some(behind) = behind_damage(input, report) {
        object = object.put("behind_damage", content::behind_json(&behind));
    }
    if let Some(view) = &beside.media {
        object = object.put("media", media(input, view));
    }
    if let Some((path, found)) = &beside.ledger {
        object = object.put("ledger", ledger(&path.display().to_string(), found));
    }
    if let Some(portion) = portion::json(report) {
        object = object.put("looked_at", portion);
    }
    if let Some(view) = &beside.seen {
        object = object.put("seen", seen::json(report, view));
    }
    if let Some(path) = &beside.accepted {
        object = object.put("accepted", accepted(&path.display().to_string(), input, report));
    }
    writeln!(out, "{}", traffic::add(object, beside.traffic).end())
}

fn accepted(path: &str, input: &Input, report: &Report) -> Object {
    let damage = |one: &AcceptedDamage| {
        facts(input, &one.damage)
            .put("doubt_first_lsn", one.damage.doubt.map(|doubt| doubt.first))
            .put("doubt_last_lsn", one.damage.doubt.map(|doubt| doubt.last))
            .put("since", one.since)
            .put("reason", one.reason.as_str())
    };
    let void = |one: &VoidAcceptance| {
        Object::new()
            .put("file", one.file.as_str())
            .put("offset", one.offset)
            .put("length", one.length)
            .put("kind", one.kind.name())
            .put("since", one.since)
            .put("reason", one.reason.as_str())
            .put("why", one.why.as_str())
    };
    let (gone, changed): (Vec<_>, Vec<_>) = report.void_acceptances.iter().partition(|one| one.gone);
    Object::new()
        .put("path", path)
        .put("damage", report.accepted.iter().map(damage).collect::<Vec<_>>())
        .put("void", changed.into_iter().map(void).collect::<Vec<_>>())
        .put("gone", gone.into_iter().map(void).collect::<Vec<_>>())
}

fn media(input: &Input, view: &MediaView) -> Object {
    Object::new()
        .put("direct", view.direct)
        .put("compared_bytes", view.compared)
        .put("differing_spans", view.differing.iter().map(|span| at(input, span)).collect::<Vec<_>>())
}

fn ledger(path: &str, found: &LedgerReport) -> Object {
    let range = |range: &LsnRange| Object::new().put("first_lsn", range.first).put("last_lsn", range.last);
    Object::new()
        .put("path", path)
        .put("listed_count", found.listed)
        .put("lacking_count", found.lacking)
        .put("lacking_lsns", found.lacks.iter().map(range).collect::<Vec<_>>())
        .put("before_first_record_count", found.before)
        .put("different_lsns", found.different.clone())
        .put("unread_count", found.unread)
        .put("last_lsn", found.reaches)
}

fn at(input: &Input, span: &Span) -> Object {
    let file = segment_name(input, span.place.segment);
    Object::new().put("file", file).put("offset", span.start()).put("length", span.length)
}

fn segment(segment: &SegmentReport) -> Object {
    Object::new()
        .put("file", segment.file.as_str())
        .put("first_lsn", segment.lsns.map(|lsns| lsns.first))
        .put("last_lsn", segment.lsns.map(|lsns| lsns.last))
        .put("records", segment.records)
        .put("valid_bytes", segment.valid_bytes)
        // A length that is not known stays unknown.
        .put("file_bytes", Some(segment.file_bytes).filter(|bytes| *bytes != u64::MAX))
        .put("state", segment.state.name())
        .put("verdict", segment.verdict_name())
        .put("data_end", segment.end)
}

fn one_damage(input: &Input, damage: &Damage, next: &str, times: &TimesAround) -> Object {
    facts(input, damage)
        .put("next", next)
        .put("expected", damage.expected.as_str())
        .put("found", damage.found.as_str())
        .put("doubt_first_lsn", damage.doubt.map(|doubt| doubt.first))
        .put("doubt_last_lsn", damage.doubt.map(|doubt| doubt.last))
        .put("proof", damage.facts.proof.map(|proof| proof.to_string()))
        .put("time_before", times.before.map(|stood| stood.time))
        .put("time_after", times.after.map(|stood| stood.time))
}

/// What it is, without what to do about it.
fn facts(input: &Input, damage: &Damage) -> Object {
    at(input, &damage.span)
        .put("verdict", damage.verdict().name())
        .put("kind", damage.kind.name())
        .put("lsn", damage.lsn)
        .put("acknowledged", damage.acknowledged().name())
        .put("detail", damage.detail())
}

fn known_hole(input: &Input, known: &KnownHole) -> Object {
    let hole = &known.hole;
    Object::new()
        .put("first_lsn", hole.lsns.first)
        .put("last_lsn", hole.lsns.last)
        .put("since", Some(known.since).filter(|since| since.0 > 0))
        .put("time_before", hole.before)
        .put("time_after", hole.behind)
        .put("origin", hole.origin.name())
        .put("reason", hole.reason.as_str())
        .put("file", segment_name(input, known.span.place.segment))
        .put("offset", known.span.start())
}

fn warning(input: &Input, warning: &Warning) -> Object {
    at(input, &warning.span).put("name", warning.name).put("text", warning.text.as_str())
}
