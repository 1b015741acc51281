//! `walctl repair --salvage`: all that is valid, in a new log, and a report of what is not.

use std::io::{self, Write};
use std::path::Path;
use walctl::disk::{Errno, errno_of};
use walctl::formats::numbers_of;

use walctl::model::{Error, LsnRange};
use walctl::ops;
use walctl::ops::mend::{Gap, Neighbour, Salvaged};
use walctl::ops::read::Scope;
use walctl::ops::report::{Progress, Report};

use super::args::ScopeArgs;
use super::exit::{CommandFailure, Exit};
use super::hint::{for_error, salvaged_to, show};
use super::interrupt::LastWords;
use super::render::escape;
use super::render::json::Object;
use super::render::mend::{do_it, paragraph};
use super::render::out::Out;
use super::render::scope::{scope_json, scope_words};
use super::verify_with_bar::{Effort, UNCHANGED, bytes_of, verify_with_bar, watched};
use walctl::model::units::count;

/// How many gaps are shown to people; JSON has all of them.
const SHOWN: usize = 50;

/// One log to be salvaged.
#[derive(Debug)]
pub struct SalvageOf<'a> {
    pub log: &'a ops::open::Input,
    pub target: &'a Path,
    /// Which of its records.
    pub scope: &'a ScopeArgs,
    /// The flags that found it.
    pub typed: &'a str,
    pub load: Effort,
    pub dry: bool,
}

impl SalvageOf<'_> {
    /// Salvages it.
    pub fn run(&self, out: &mut Out) -> anyhow::Result<Exit> {
        let scope = self.scope.must_be_of(self.log)?;
        salvage(self, scope, out)
    }
}

fn salvage(asked: &SalvageOf<'_>, scope: Scope, out: &mut Out) -> anyhow::Result<Exit> {
    let SalvageOf { log, target, load, dry, .. } = *asked;
    let typed = format!("{}{}", asked.typed, asked.scope.typed());
    let again = |target: &Path| format!("walctl repair {}{typed} --salvage {}", show(&log.source.path), show(target));
    if lies_in(target, log) {
        let path = log.source.path.display();
        let message = format!("{}: it would lie inside {path}, which is to be left alone", target.display());
        return Err(CommandFailure {
            exit: Exit::Failed,
            message,
            next: Some(again(&salvaged_to(&log.source.path, log.format))),
        }
        .into());
    }
    let report = verify_with_bar(log, load, UNCHANGED, out)?;
    if dry {
        if !out.quiet() {
            plan(out, &report, target, scope)?;
        }
        if !out.quiet() && !out.json() {
            do_it(out, &again(target))?;
        }
        return Ok(Exit::from(report.verdict));
    }
    let left =
        format!("what was written of {} has been removed, and {} was not touched", target.display(), log.source.path.display());
    let half = walctl::disk::unfinished(target);
    let words = format!(
        "ended at once: what was written is left in {}, and {} was not touched",
        half.display(),
        log.source.path.display()
    );
    let last_words = (!out.quiet()).then(|| LastWords::new(&escape::line(&words)));
    let work = |progress: &Progress| ops::mend::salvage(log, &report, target, scope, progress);
    let done = watched(out, "salvaging", &log.source.path, bytes_of(log), load.rate, &left, work)
        .map_err(|error| failed(error, log, target, &again))?;
    drop(last_words);
    let choice =
        ops::open::Choice { format: Some(walctl::formats::ours()), keys: log.keys.clone(), ..ops::open::Choice::default() };
    let new = ops::open::open(&log.source.disk, target, &choice)?;
    let after = match new.first() {
        Some(new) => {
            Some(verify_with_bar(new, load, &format!("{} is written whole, and was not checked", target.display()), out)?)
        }
        None => None,
    };
    if out.quiet() {
        // The exit code tells.
    } else if out.json() {
        writeln!(out, "{}", json(log, &report, &done, after.as_ref()).end())?;
    } else {
        text(out, log, &report, &done, after.as_ref())?;
    }
    // What was asked for is done. That something was lost before is said, and checking either log says it again.
    Ok(Exit::Done)
}

/// Whether the new log's folder would be inside the old one's, by whatever names they go.
fn lies_in(target: &Path, log: &ops::open::Input) -> bool {
    if log.source.alone {
        return false;
    }
    let above = target
        .ancestors()
        .skip(1)
        .find_map(|above| std::fs::canonicalize(if above.as_os_str().is_empty() { Path::new(".") } else { above }).ok());
    let dir = std::fs::canonicalize(&log.source.dir);
    above.zip(dir.ok()).is_some_and(|(above, dir)| above.starts_with(dir))
}

/// What is said when it could not be done: the old log is as it was.
fn failed(error: Error, log: &ops::open::Input, target: &Path, again: &dyn Fn(&Path) -> String) -> anyhow::Error {
    let taken = matches!(&error, Error::Refused { path, .. } if path == target && target.exists());
    let written = matches!(&error, Error::Io { doing, .. } if !matches!(*doing, "open" | "read" | "look at" | "list" | "create"));
    if taken {
        let name = salvaged_to(&log.source.path, log.format);
        return CommandFailure { exit: Exit::Failed, message: error.to_string(), next: Some(again(&name)) }.into();
    }
    if let Error::Input { what } = &error {
        let message = format!("{}: {what}", log.source.path.display());
        let next = (!again(target).contains(" --key-file ")).then(|| format!("{} --key-file FILE", again(target)));
        return CommandFailure { exit: Exit::Failed, message, next }.into();
    }
    if !written {
        return error.into();
    }
    let full = matches!(errno_of(&error), Some(Errno::NOSPC | Errno::DQUOT));
    let message =
        format!("{error}; {} was not touched, and what was written of the new log has been removed", log.source.path.display());
    let place = target.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let next = if full { Some(format!("make room: df -h {}", show(place))) } else { for_error("repair", &error.into()) };
    let next = next.unwrap_or_else(|| "name a folder on another disk, or mend this one".into());
    CommandFailure { exit: Exit::WriteFailed, message, next: Some(format!("{next}; then {}", again(target))) }.into()
}

fn plan(out: &mut Out, report: &Report, target: &Path, scope: Scope) -> io::Result<()> {
    let log = report.log.display().to_string();
    if out.json() {
        let object = Object::of("walctl.salvage/1")
            .put("log", log)
            .put("format", report.format)
            .put("dry_run", true)
            .put("verdict", report.verdict.name())
            .put("salvaged", target.display().to_string())
            .put("records", report.records)
            .put("damage_count", report.damage.len() as u64 + report.beyond)
            .put("scope", scope_json(scope))
            .put("done", false);
        return writeln!(out, "{}", object.end());
    }
    let damage = count(report.damage.len() as u64 + report.beyond, "piece");
    let records = count(report.records, "record");
    let what = match scope_words(scope, numbers_of(report.format)) {
        None => format!("{records} would be written"),
        Some(scope) => format!("of {records} those {scope} would be written"),
    };
    paragraph(out, &format!("{log}: {}; {what} to {}", report.verdict, show(target)))?;
    paragraph(out, &format!("  {damage} of damage would be left out; the log itself would not be touched"))
}

fn text(out: &mut Out, log: &ops::open::Input, report: &Report, done: &Salvaged, after: Option<&Report>) -> io::Result<()> {
    for gap in done.gaps.iter().take(SHOWN) {
        let damage = &gap.damage;
        let place = report.log.join(&gap.file);
        let doubt = damage.doubt.map(|range| format!(", LSN {range}")).unwrap_or_default();
        let head = format!("{}:{}: {}: {}", place.display(), damage.span.start(), damage.verdict(), damage.kind);
        paragraph(out, &format!("{head}, {}{doubt}", count(damage.span.length, "byte")))?;
        paragraph(out, &format!("  between {} and {}", stood(gap.before.as_ref()), stood(gap.after.as_ref())))?;
    }
    if done.gaps.len() > SHOWN {
        paragraph(out, &format!("  and {} more; --json lists them all", count((done.gaps.len() - SHOWN) as u64, "piece")))?;
    }
    let range = done.lsns.map(|range| format!(", LSN {range}")).unwrap_or_default();
    paragraph(out, &format!("{}: {} salvaged{range}", done.target.display(), count(done.records, "record")))?;
    if let Some(scope) = scope_words(done.scope, numbers_of(log.format.name)) {
        let others =
            if done.outside == 0 { "there are no others".into() } else { format!("{} left out", count(done.outside, "other")) };
        paragraph(out, &format!("  only records {scope} were asked for: {others}"))?;
    }
    if done.missing_lsns > 0 {
        let list: Vec<String> = done.missing.iter().take(20).map(ToString::to_string).collect();
        let more = if done.missing.len() > 20 { " …" } else { "" };
        let lost = count(done.missing_lsns, "LSN");
        paragraph(out, &format!("  {lost} missing, now known holes of the new log: {}{more}", list.join(", ")))?;
    }
    if done.shifted > 0 {
        let text = format!("  {} counts from 0, so each number is {} higher than it was there", log.format.name, done.shifted);
        paragraph(out, &format!("{text}; the old one is under meta as source_lsn"))?;
    }
    if done.unused_lsns > 0 {
        let unused = count(done.unused_lsns, "LSN");
        paragraph(out, &format!("  {unused} between the records were never assigned by {}", log.format.name))?;
    }
    if done.renumbered {
        let text = format!("  some records of {} have no number of their own, so all bear new ones", log.format.name);
        paragraph(out, &format!("{text}; where there was an old one, it is under meta as source_lsn"))?;
    }
    if let Some(aside) = &done.left_out_to {
        let text =
            "whose LSN was assigned before, or of another log or a downgraded segment, are not in it but in a log of their own";
        paragraph(out, &format!("  {} {text}: {}", count(done.left_out, "valid record"), aside.display()))?;
    }
    if done.too_long > 0 {
        paragraph(out, &format!("  {} left out: over 1 GiB", count(done.too_long, "valid record")))?;
    }
    if !done.incomplete.is_empty() {
        let list: Vec<String> = done.incomplete.iter().take(20).map(ToString::to_string).collect();
        let more = if done.incomplete.len() > 20 || done.more_incomplete { " …" } else { "" };
        paragraph(out, &format!("  incomplete transactions: {}{more}", list.join(", ")))?;
    }
    if let Some(after) = after {
        paragraph(out, &format!("  {} was not touched; the new log checks as {}", report.log.display(), after.verdict))?;
    }
    if log.format.ours.is_none() {
        let text = format!(
            "  the new log is of walctl's own format: {} does not start from it, and walctl dump reads it",
            log.format.name
        );
        paragraph(out, &text)?;
    }
    writeln!(out, "  next: walctl verify {}", show(&done.target))
}

fn stood(neighbour: Option<&Neighbour>) -> String {
    match neighbour {
        None => "nothing".into(),
        Some(n) => {
            let lsn = n.lsn.map_or_else(|| "a record".to_owned(), |lsn| format!("LSN {lsn}"));
            let time = n.time.filter(|t| t.0 > 0).map(|t| format!(" of {t}")).unwrap_or_default();
            format!("{lsn} ({}{time})", n.kind)
        }
    }
}

fn neighbour(record: &Neighbour) -> Object {
    Object::new().put("lsn", record.lsn).put("kind", record.kind.as_str()).put("time", record.time).put("tag", record.tag)
}

fn gap(gap: &Gap) -> Object {
    let damage = &gap.damage;
    Object::new()
        .put("file", gap.file.as_str())
        .put("offset", damage.span.start())
        .put("length", damage.span.length)
        .put("verdict", damage.verdict().name())
        .put("kind", damage.kind.name())
        .put("acknowledged", damage.acknowledged().name())
        .put("doubt_first_lsn", damage.doubt.map(|doubt| doubt.first))
        .put("doubt_last_lsn", damage.doubt.map(|doubt| doubt.last))
        .put("detail", damage.detail())
        .put("record_before", gap.before.as_ref().map(neighbour))
        .put("record_after", gap.after.as_ref().map(neighbour))
}

fn json(log: &ops::open::Input, report: &Report, done: &Salvaged, after: Option<&Report>) -> Object {
    let range = |range: &LsnRange| Object::new().put("first_lsn", range.first).put("last_lsn", range.last);
    Object::of("walctl.salvage/1")
        .put("log", report.log.display().to_string())
        .put("format", log.format.name)
        .put("dry_run", false)
        .put("verdict", report.verdict.name())
        .put("salvaged", done.target.display().to_string())
        .put("files", done.segments.clone())
        .put("records", done.records)
        .put("bytes", done.bytes)
        .put("first_lsn", done.lsns.map(|lsns| lsns.first))
        .put("last_lsn", done.lsns.map(|lsns| lsns.last))
        .put("missing_ranges", done.missing.iter().map(range).collect::<Vec<_>>())
        .put("missing_count", done.missing_lsns)
        .put("gaps", done.gaps.iter().map(gap).collect::<Vec<_>>())
        .put("renumbered", done.renumbered)
        .put("shifted", done.shifted)
        .put("unused_count", done.unused_lsns)
        .put("left_out_count", done.left_out)
        .put("left_out_log", done.left_out_to.as_ref().map(|path| path.display().to_string()))
        .put("too_long_count", done.too_long)
        .put("incomplete_transactions", done.incomplete.clone())
        .put("more_incomplete_transactions", done.more_incomplete)
        .put("scope", scope_json(done.scope))
        .put("outside_count", done.outside)
        .put("done", true)
        .put("after", after.map(|after| Object::new().put("verdict", after.verdict.name()).put("records", after.records)))
}
