//! A report for people: a table of segments, each damage with its bytes and the next command, one line of verdict.

use std::io::{self, Write};
use std::path::Path;

use walctl::formats::{Numbers, numbers_of};
use walctl::model::{Acknowledged, Damage, DamageKind, LsnRange, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::bytes_around;
use walctl::ops::report::{
    LedgerReport, MediaView, NOT_CHECKED, RecordTime, Report, SegmentReport, TimesAround, behind_damage, times_around,
};

use super::{LookedBeside, accepted, holes, place, portion, range_words, readable, seen};
use crate::cli::hint;
use crate::cli::render::content;
use crate::cli::render::escape;
use crate::cli::render::hex;
use crate::cli::render::out::{Ink, Out};
use crate::cli::render::table::Table;
use crate::cli::render::traffic::bill;
use walctl::model::units::count;

/// How many pieces of damage are described in full; `--json` lists all.
const TOLD: usize = 40;
/// How many segments are listed from the front and from the end when all between them are clean.
const LISTED: usize = 20;

/// How many columns a terminal needs for the whole table.
const WIDE: usize = 92;
const VALID_BYTES: usize = 3;
/// What is known of promises where nothing proves that one was broken.
const KEPT: &str = "no acknowledged record is known to be missing";

/// Writes the report.
pub fn write(out: &mut Out, input: &Input, report: &Report, beside: &LookedBeside) -> io::Result<()> {
    segments(out, report)?;
    out.sentences(true)?;
    let told = told(out, input, report, beside);
    out.sentences(false)?;
    told
}

fn told(out: &mut Out, input: &Input, report: &Report, beside: &LookedBeside) -> io::Result<()> {
    let (mut explained, mut decides) = (Vec::new(), false);
    let next = hint::advisor(input, report);
    let described = &report.damage[..report.damage.len().min(TOLD)];
    for (damage, times) in described.iter().zip(times_around(input, described)) {
        one_damage(out, input, damage, &times, !explained.contains(&damage.kind))?;
        if damage.acknowledged() == Acknowledged::Unknown && !decides {
            decides = true;
            if let Some(words) = what_decides(input, beside) {
                writeln!(out, "  what decides: {words}")?;
            }
        }
        writeln!(out, "  next: {}", out.paint(Ink::Strong, next(damage)))?;
        explained.push(damage.kind);
    }
    let untold = report.damage.len().saturating_sub(TOLD) as u64 + report.beyond;
    if untold > 0 {
        writeln!(out, "… and {}; walctl verify --json lists all", further(untold))?;
    }
    for warning in &report.warnings {
        let label = out.paint(Ink::Warn, warning.name);
        writeln!(out, "{}: {label}: {}", place(input, &warning.span), escape::line(&warning.text))?;
    }
    holes::text(out, input, report)?;
    accepted::text(out, input, report, false)?;
    if let Some(view) = &beside.media {
        medium(out, input, view)?;
    }
    verdict(out, input, report)?;
    if let Some((path, found)) = &beside.ledger {
        ledger(out, input, path, found)?;
    }
    if let Some(view) = &beside.seen {
        seen::text(out, report, view)?;
    }
    beside.traffic.map_or(Ok(()), |traffic| writeln!(out, "  {}", bill(traffic)))
}

fn ledger(out: &mut Out, input: &Input, path: &Path, found: &LedgerReport) -> io::Result<()> {
    let log = super::log_path(input);
    let name = escape::line(&path.display().to_string());
    let listed = count(found.listed, "acknowledged record");
    if found.unnamed {
        let doubt = out.paint(Ink::Warn, "no header has the log's id");
        writeln!(out, "{log}: {doubt}: whether {name} is its ledger cannot be decided")?;
    }
    if found.listed == 0 {
        let nothing = out.paint(Ink::Warn, "proves nothing");
        writeln!(
            out,
            "{log}: {name} lists no record: it {nothing}, neither that records were acknowledged nor that they were not"
        )?;
    } else if found.is_met() {
        let good = out.paint(Ink::Good, "all there");
        writeln!(out, "{log}: {name} lists {listed}, {good}")?;
    }
    if found.lacking > 0 {
        let lost = out.paint(Ink::Bad, DamageKind::LedgerLost);
        let ranges: Vec<String> = found.lacks.iter().map(LsnRange::to_string).collect();
        writeln!(out, "{log}: {lost}: of {listed} in {name}, {} not in the log: LSN {}", found.lacking, super::some_of(&ranges))?;
        if found.before > 0 {
            writeln!(
                out,
                "  {} of them lie before its first record: pruned on purpose, or lost with their segments",
                found.before
            )?;
        }
        writeln!(out, "  usual cause: {}", DamageKind::LedgerLost.entry().cause)?;
        writeln!(out, "  what helps: {}", DamageKind::LedgerLost.entry().remedy)?;
    }
    if !found.different.is_empty() {
        let lost = out.paint(Ink::Bad, DamageKind::LedgerLost);
        let lsns: Vec<String> = found.different.iter().map(ToString::to_string).collect();
        writeln!(out, "{log}: {lost}: other content than was acknowledged: LSN {}", super::some_of(&lsns))?;
    }
    if found.unread > 0 {
        writeln!(out, "{log}: {} could not be compared: no key fits; use --key-file", count(found.unread, "record"))?;
    }
    Ok(())
}

fn further(untold: u64) -> String {
    if untold == 1 { "1 further piece of damage".into() } else { format!("{untold} further pieces of damage") }
}

fn segments(out: &mut Out, report: &Report) -> io::Result<()> {
    if report.segments.is_empty() {
        return Ok(());
    }
    // Where there is little room, the bytes that are as they should be are left to JSON and to the damage below.
    let narrow = out.width().is_some_and(|width| width < WIDE);
    let heads = ["segment", ">LSN", ">records", ">valid bytes", ">file bytes", "state", "verdict"];
    let shown = |column: &usize| !(narrow && *column == VALID_BYTES);
    let heads: Vec<&str> = (0..heads.len()).filter(shown).map(|column| heads[column]).collect();
    let mut table = Table::new(out, &heads);
    let numbers = numbers_of(report.format);
    let count = report.segments.len();
    let (mut left_out, mut unread) = (0, 0);
    for (index, segment) in report.segments.iter().enumerate() {
        let dull = segment.verdict == Verdict::Clean && index >= LISTED && index + LISTED < count;
        if dull {
            left_out += 1;
            unread += u32::from(!segment.checked);
            continue;
        }
        if left_out > 0 {
            let how = if unread > 0 { format!("{unread} of them not checked") } else { "all clean".to_owned() };
            table.row([format!("… {left_out} more, {how}")]);
            (left_out, unread) = (0, 0);
        }
        let row = row(segment, numbers).into_iter().enumerate();
        table.inked_row(row.filter(|(column, _)| shown(column)).map(|(_, cell)| cell));
    }
    table.write(out)
}

fn row(segment: &SegmentReport, numbers: Numbers) -> [(String, Option<Ink>); 7] {
    let bytes = if segment.file_bytes == u64::MAX { "?".to_owned() } else { segment.file_bytes.to_string() };
    [
        (escape::line(&segment.file), None),
        (segment.lsns.map_or_else(|| "-".to_owned(), |lsns| numbers.show_range(lsns)), None),
        (segment.records.to_string(), None),
        (segment.valid_bytes.to_string(), None),
        (bytes, None),
        (segment.state.name().to_owned(), None),
        (
            segment.verdict_name().to_owned(),
            Some(if segment.checked { ink(segment.verdict) } else { ink(segment.verdict.max(Verdict::Torn)) }),
        ),
    ]
}

/// The ink of a verdict.
pub fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Clean => Ink::Good,
        Verdict::Torn | Verdict::Suspect => Ink::Warn,
        _ => Ink::Bad,
    }
}

fn one_damage(out: &mut Out, input: &Input, damage: &Damage, times: &TimesAround, first_of_kind: bool) -> io::Result<()> {
    let verdict = out.paint(ink(damage.verdict()), damage.verdict());
    let due = damage.lsn.map(|lsn| format!(" where LSN {} was due", input.format.numbers.show(lsn))).unwrap_or_default();
    let extent = if damage.span.length > 0 { format!(", {}", count(damage.span.length, "byte")) } else { String::new() };
    writeln!(out, "{}: {verdict}: {}{due}{extent}", place(input, &damage.span), damage.kind)?;
    writeln!(out, "  {}", escape::line(&damage.detail()))?;
    writeln!(out, "  {}", acknowledged(damage))?;
    if let Some(doubt) = damage.doubt {
        writeln!(out, "  in doubt: {}", range_words(input.format.numbers, doubt))?;
    }
    if let Some(words) = between(times, input.format.numbers) {
        writeln!(out, "  {words}")?;
    }
    if first_of_kind {
        let entry = damage.kind.entry();
        if damage.kind.words() != damage.detail() {
            writeln!(out, "  {}: {}", entry.name, entry.words)?;
        }
        writeln!(out, "  usual cause: {}", entry.cause)?;
        writeln!(out, "  what helps: {}", entry.remedy)?;
    }
    if damage.kind != DamageKind::ReadError {
        bytes(out, input, damage)?;
    }
    Ok(())
}

/// When it was written, by the records around it.
pub fn between(times: &TimesAround, numbers: Numbers) -> Option<String> {
    let record = |stood: RecordTime| match stood.lsn {
        Some(lsn) => format!("LSN {}, written at {}", numbers.show(lsn), stood.time),
        None => format!("a record written at {}", stood.time),
    };
    match (times.before, times.after) {
        (None, None) => None,
        (Some(before), None) => Some(format!("after {}", record(before))),
        (None, Some(after)) => Some(format!("before {}", record(after))),
        (Some(before), Some(after)) => Some(format!("between {}, and {}", record(before), record(after))),
    }
}

/// The LSNs that nothing casts doubt on, if something does on others.
pub fn readable_words(report: &Report, numbers: Numbers) -> Option<String> {
    let accepted = report.accepted.iter().map(|accepted| &accepted.damage);
    let doubt = report.damage.iter().chain(accepted).any(|damage| damage.doubt.is_some());
    if doubt { readable(report, numbers) } else { None }
}

/// Whether it was acknowledged, in a sentence.
pub fn acknowledged(damage: &Damage) -> String {
    match (damage.acknowledged(), damage.facts.proof) {
        (Acknowledged::Yes, Some(proof)) => format!("it was acknowledged: {proof}"),
        (Acknowledged::Yes, None) if damage.verdict() == Verdict::Missing => {
            "it was acknowledged: later records are there, and they were written after it".into()
        }
        (Acknowledged::Yes, None) => "it was acknowledged, in one history or the other".into(),
        (Acknowledged::No, _) => {
            "it was not acknowledged: its group had never been synced, or the ledger covers it and does not list it".into()
        }
        (Acknowledged::Unknown, _) => "whether it was acknowledged is unknown: nothing after it proves a sync".into(),
    }
}

/// How to find out whether a record was acknowledged of which the log cannot tell.
fn what_decides(input: &Input, beside: &LookedBeside) -> Option<String> {
    let client = "ask the client whether it was told that the record is durable";
    match (input.format.ours, &beside.ledger) {
        (None, _) => None,
        (Some(_), Some(_)) => Some(client.to_owned()),
        // A stream has no path that could be typed again.
        (Some(_), None) if input.source.path.as_os_str() == "-" => Some(client.to_owned()),
        (Some(_), None) => {
            let log = hint::show(&input.source.path);
            Some(format!("walctl verify {log} --ledger FILE, if the writer kept a ledger; else {client}"))
        }
    }
}

/// The bytes around the start of the damage, as far as there are any.
fn bytes(out: &mut Out, input: &Input, damage: &Damage) -> io::Result<()> {
    let (start, around) = bytes_around(&input.source, damage);
    let (from, to) = (damage.span.start(), damage.span.end());
    // The output of verify goes into tickets: of a payload that may be secret no byte is in it.
    let shown = input.format.private.map(|header| from..from.saturating_add(header));
    let lines = hex::lines(&around, start, from..to, shown);
    for line in &lines {
        writeln!(out, "  {line}")?;
    }
    if lines.iter().any(|line| line.contains(hex::HIDDEN)) {
        writeln!(out, "  {} stands for content, which may be secret; walctl dump --hex shows it", hex::HIDDEN)?;
    }
    Ok(())
}

fn medium(out: &mut Out, input: &Input, view: &MediaView) -> io::Result<()> {
    if !view.direct {
        writeln!(
            out,
            "{}: direct reads are refused here; the page cache was asked to forget and was read again, which shows less",
            super::log_path(input)
        )?;
    }
    for span in &view.differing {
        let label = out.paint(Ink::Bad, "medium differs");
        writeln!(out, "{}: {label} from the page cache, {}", place(input, span), count(span.length, "byte"))?;
        writeln!(out, "  a write or sync failed here: what programs read now is not what will be there after a restart")?;
        let next = hint::show(&input.source.dir);
        writeln!(
            out,
            "  next: see what the kernel says about the disk: dmesg | tail; copy the log to another disk now: cp -a {next} …"
        )?;
    }
    Ok(())
}

fn verdict(out: &mut Out, input: &Input, report: &Report) -> io::Result<()> {
    outcome(out, input, report, "")?;
    if let Some(ranges) = readable_words(report, input.format.numbers) {
        writeln!(out, "  readable: {ranges}")?;
    }
    if let Some(recovery) = &report.recovery {
        writeln!(out, "  if it is opened now: {}", escape::line(recovery))?;
    }
    if let Some(behind) = behind_damage(input, report) {
        let words = content::behind_words(&behind, report.format);
        let lost = if report.verdict > Verdict::Suspect { "; a cut at the damage would lose them" } else { "" };
        writeln!(out, "  behind the first damage: {}{lost}", escape::line(&words))?;
    }
    if !report.unprotected.is_empty() {
        writeln!(out, "  not protected by {}: {}", report.format, report.unprotected)?;
    }
    if let Some(why) = input.format.mending.never()
        && report.verdict != Verdict::Clean
    {
        writeln!(out, "  walctl repair cuts no {} logs: {why}", input.format.name)?;
    }
    Ok(())
}

/// A log among many in one line: whose it is, and the next command where something is wrong.
pub fn one_of_many(out: &mut Out, input: &Input, report: &Report) -> io::Result<()> {
    outcome(out, input, report, &format!("{}, ", input.format.name))?;
    if report.verdict != Verdict::Clean {
        let next = format!("walctl verify {}", hint::show(&input.source.path));
        writeln!(out, "  next: {}", out.paint(Ink::Strong, next))?;
    }
    Ok(())
}

/// The line that a report ends with.
pub fn outcome(out: &mut Out, input: &Input, report: &Report, whose: &str) -> io::Result<()> {
    let log = super::log_path(input);
    let portion = portion::words(report, input.format.ends.is_some());
    let verdict = out.paint(outcome_ink(input, report), report.verdict_name());
    writeln!(out, "{log}: {verdict}; {}", outcome_words(input, report, whose))?;
    match portion.filter(|_| report.verdict != Verdict::Clean) {
        Some(portion) => writeln!(out, "  {NOT_CHECKED}: {portion}"),
        None => Ok(()),
    }
}

/// The ink of its verdict.
pub fn outcome_ink(input: &Input, report: &Report) -> Ink {
    let partly = portion::words(report, input.format.ends.is_some()).is_some();
    ink(if partly { report.verdict.max(Verdict::Torn) } else { report.verdict })
}

/// What stands in it behind the verdict: what the log holds, and what that means.
pub fn outcome_words(input: &Input, report: &Report, whose: &str) -> String {
    let portion = portion::words(report, input.format.ends.is_some());
    let records = match report.lsns {
        _ if report.records == 0 && portion.is_some() => "no records known".to_owned(),
        _ if report.records == 0 => "no records".to_owned(),
        Some(lsns) => format!("{}, LSN {}", count(report.records, "record"), input.format.numbers.show_range(lsns)),
        None => count(report.records, "record"),
    };
    let meaning = match report.acknowledged() {
        _ if report.verdict == Verdict::Clean => portion.unwrap_or_else(|| ends(report)),
        Acknowledged::Yes => match lost(report, input.format.numbers) {
            Some(lsns) => format!("acknowledged records are lost or in doubt: LSN {lsns}"),
            None => report.verdict.words().to_owned(),
        },
        Acknowledged::No => KEPT.to_owned(),
        Acknowledged::Unknown => match unknown(report, input.format.numbers) {
            Some(lsns) => format!("{KEPT}; whether {lsns} was acknowledged is unknown"),
            None => KEPT.to_owned(),
        },
    };
    let live = report.live.map(|pid| format!("; process {pid} is writing to it")).unwrap_or_default();
    let (known, accepted) = (holes::words(report), accepted::words(report));
    format!("{whose}{records}; {meaning}{known}{accepted}{live}")
}

/// Why a clean log ends where it does.
fn ends(report: &Report) -> String {
    // After the end of the data there may be files that some formats make ahead.
    match (report.segments.iter().rfind(|s| s.end > 0), report.segments.last()) {
        (Some(end), Some(last)) if end.id != last.id => format!("ends at {}:{}: {}", end.file, end.end, end.ending.words()),
        (_, Some(last)) => format!("ends at {}: {}", last.end, last.ending.words()),
        (_, None) => "there are no segments".to_owned(),
    }
}

/// The numbers of which nothing in the log tells whether they were acknowledged.
fn unknown(report: &Report, numbers: Numbers) -> Option<String> {
    let mut unknown = report.damage.iter().filter(|damage| damage.acknowledged() == Acknowledged::Unknown);
    let ranges: Vec<String> =
        super::merged(unknown.clone().filter_map(|damage| damage.doubt)).iter().map(|range| numbers.show_range(*range)).collect();
    match (ranges.is_empty(), unknown.find_map(|damage| damage.lsn)) {
        (false, _) => Some(format!("LSN {}", super::some_of(&ranges))),
        // How many records the bytes at an end were, nothing tells.
        (true, lsn) => lsn.map(|lsn| format!("LSN {}", numbers.show(lsn))),
    }
}

fn lost(report: &Report, numbers: Numbers) -> Option<String> {
    let doubts = report.damage.iter().filter(|d| d.acknowledged() == Acknowledged::Yes).filter_map(|d| d.doubt);
    let ranges: Vec<String> = super::merged(doubts).iter().map(|range| numbers.show_range(*range)).collect();
    (!ranges.is_empty()).then(|| super::some_of(&ranges))
}
