//! The thread that checks the whole log meanwhile: what `verify` finds, made ready for the screen.

use std::collections::HashMap;

use walctl::model::{Error, Result, Span, Time, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::Spot;
use walctl::ops::report::{Checks, Progress, Report, times_around, verify};

use super::rows::{damage_page, note_page};
use super::talk::{Checked, CheckedSegment, DamageRow};
use crate::cli::hint;
use crate::cli::render::escape;
use crate::cli::render::out::Ink;
use crate::cli::render::report::text;

/// More damage than this is counted and not listed.
const LISTED: usize = 2000;
/// For so much of it the times around it are looked up.
const TIMED: usize = 200;

/// Checks a log. What a screen shows of it is made here, so that it waits for nothing.
pub fn check(log: &Input, jobs: usize, show_values: bool, progress: &Progress) -> Result<Checked> {
    let checks = Checks { jobs, ..Checks::default() };
    let report = verify(log, &checks, progress)?;
    if progress.stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Error::Interrupted);
    }
    // The report speaks of the files as they were listed when it was made.
    let log = Input { source: report.source.clone(), ..log.clone() };
    Ok(Checked {
        verdict: report.verdict_name().to_owned(),
        ink: text::outcome_ink(&log, &report),
        words: words(&log, &report),
        at: Time::now(),
        segments: segments(&log, &report),
        damage: rows(&log, &report, show_values),
        count: report.damage.len() as u64 + report.beyond,
    })
}

/// The sentence of verify, with what it means before what there is: a screen is narrow.
fn words(log: &Input, report: &Report) -> String {
    let sentence = text::outcome_words(log, report, "");
    match sentence.split_once("; ") {
        Some((records, meaning)) => format!("{meaning}; {records}"),
        None => sentence,
    }
}

fn segments(log: &Input, report: &Report) -> HashMap<String, CheckedSegment> {
    let numbers = log.format.numbers;
    let mut segments: HashMap<String, CheckedSegment> = HashMap::with_capacity(report.segments.len());
    for segment in &report.segments {
        let shown = CheckedSegment {
            lsns: segment.lsns.map_or_else(|| "-".to_owned(), |lsns| numbers.show_range(lsns)),
            records: segment.records,
            end: format!("data ends at {}: {}", segment.end, segment.ending.words()),
            verdict: segment.verdict_name(),
            ink: text::ink(segment.verdict),
            holes: Vec::new(),
            gaps: Vec::new(),
        };
        segments.insert(segment.file.clone(), shown);
    }
    let mut hole = |span: &Span, words: String| {
        let Some(listed) = log.source.segments.get(span.place.segment.index()) else { return };
        if let Some(segment) = segments.get_mut(&listed.name) {
            segment.holes.push(words);
            segment.gaps.push(span.start());
        }
    };
    for damage in report.damage.iter().filter(|damage| damage.span.length == 0 && damage.verdict() == Verdict::Missing) {
        let lsns = damage.doubt.map(|doubt| format!(": LSN {}", numbers.show_range(doubt))).unwrap_or_default();
        hole(&damage.span, format!("missing{lsns}"));
    }
    for known in &report.known_holes {
        hole(&known.span, format!("known hole: LSN {}", numbers.show_range(known.hole.lsns)));
    }
    segments
}

fn rows(log: &Input, report: &Report, show_values: bool) -> Vec<DamageRow> {
    let numbers = log.format.numbers;
    let next = hint::advisor(log, report);
    let described = &report.damage[..report.damage.len().min(LISTED)];
    let mut times = times_around(log, &described[..described.len().min(TIMED)]);
    times.resize(described.len(), walctl::ops::report::TimesAround::default());
    let name = |id: usize| log.source.segments.get(id).map_or_else(String::new, |segment| segment.name.clone());
    let mut rows = Vec::new();
    for (damage, times) in described.iter().zip(&times) {
        let segment = name(damage.span.place.segment.index());
        let doubt = damage.doubt.map(|doubt| format!("LSN {} in doubt", numbers.show_range(doubt)));
        let doubt = doubt.unwrap_or_else(|| escape::line(&damage.detail()));
        rows.push(DamageRow {
            place: escape::line(&format!("{segment}:{}", damage.span.start())),
            spot: Spot::at(&segment, damage.span.start()),
            verdict: damage.verdict().to_string(),
            kind: damage.kind.name().to_owned(),
            ink: text::ink(damage.verdict()),
            words: format!("{doubt}; acknowledged: {}", damage.acknowledged().name()),
            doc: damage_page(log, damage, times, &next(damage), show_values),
        });
    }
    let mut note = |span: &Span, verdict: &str, kind: &str, words: String| {
        let segment = name(span.place.segment.index());
        rows.push(DamageRow {
            place: escape::line(&format!("{segment}:{}", span.start())),
            spot: Spot::at(&segment, span.start()),
            verdict: verdict.to_owned(),
            kind: kind.to_owned(),
            ink: Ink::Warn,
            doc: note_page(log, span, &format!("{verdict}: {kind}"), &words),
            words: escape::line(&words),
        });
    };
    for known in report.known_holes.iter().take(LISTED) {
        let since = if known.since.0 > 0 { format!(", since {}", known.since) } else { String::new() };
        let words = format!("LSN {}{since}: {}", numbers.show_range(known.hole.lsns), known.hole.reason);
        note(&known.span, "known hole", known.hole.origin.name(), words);
    }
    for warning in report.warnings.iter().take(LISTED) {
        note(&warning.span, "warning", warning.name, warning.text.clone());
    }
    rows
}
