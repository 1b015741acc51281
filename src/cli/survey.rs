//! `walctl verify` of a folder above many logs: one line each.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk};
use walctl::formats::Sight;
use walctl::model::units::count;
use walctl::model::{Error, Verdict};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::{Looked, NOT_CHECKED, Report};
use walctl::ops::survey::{FoundLogs, survey};

use super::exit::{CommandFailure, Exit};
use super::interrupt;
use super::render::escape;
use super::render::json::Object;
use super::render::out::{Ink, Out, told};
use super::render::report::{LookedBeside, brief, json, text};
use super::verify::{VerifyArgs, VerifyRun};

/// The survey, if this path needs one: a folder that is no log, and below it other logs than those right below.
pub fn wanted(path: &Path, choice: &Choice) -> anyhow::Result<Option<FoundLogs>> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    if path.as_os_str() == "-" || !path.is_dir() {
        return Ok(None);
    }
    let Some(found) = survey(&disk, path, choice, &interrupt::caught)? else { return Ok(None) };
    let near = open(&disk, path, choice).map(|logs| logs.into_iter().map(|log| log.source.path).collect::<Vec<_>>());
    let all: Vec<_> = found.logs.iter().map(|log| log.source.path.clone()).collect();
    let plain = found.sighted.is_empty() && found.failed.is_empty() && near.is_ok_and(|near| near == all);
    if all.is_empty() && found.sighted.is_empty() && found.failed.is_empty() {
        // Where there is no folder below, opening it says so.
        return if found.folders == 1 { Ok(None) } else { Err(nowhere(path, found.folders).into()) };
    }
    Ok((!plain).then_some(found))
}

fn nowhere(path: &Path, folders: usize) -> CommandFailure {
    CommandFailure {
        exit: Exit::Failed,
        message: format!("{} holds no log that walctl knows (looked into {})", path.display(), count(folders as u64, "folder")),
        next: Some("name the format with --format; walctl verify --format list shows them all".into()),
    }
}

/// How many logs came to each verdict.
#[derive(Default)]
struct VerdictCounts {
    verdicts: Vec<(Verdict, u64)>,
    formats: Vec<&'static str>,
    failed: u64,
    /// Of which not all segments were looked at.
    partly: u64,
}

/// Checks each log, and ends with the worst of what was found.
pub fn check(run: &mut VerifyRun<'_>, path: &Path, survey: FoundLogs, out: &mut Out) -> anyhow::Result<Exit> {
    let mut tally = VerdictCounts::default();
    let mut exit = Exit::Done;
    let mut logs = survey.logs;
    for index in 0..logs.len() {
        let input = &mut logs[index];
        let ended = match run.look(input, out) {
            Ok(Looked::All(mut report)) => {
                input.source = report.source.clone();
                run.accept(input, &mut report, out)?;
                tally.count(&report);
                judged(run, input, &report, out)?
            }
            Ok(Looked::Some(partly)) => {
                tally.partly += 1;
                run.partly(&partly, None, out)?
            }
            Err(error) if is_interrupt(&error) => {
                run.left_out(&logs[index..], Exit::Interrupted);
                return Err(error);
            }
            // It was removed since it was found: then it is not below this folder.
            Err(_) if !input.source.dir.exists() => continue,
            Err(error) => {
                tally.failed += 1;
                if let Some(incident) = &mut run.incident {
                    incident.failed(&input.source.path, &told(&error));
                }
                let ended = out.failure(&error);
                run.left_out(&logs[index..=index], ended);
                ended
            }
        };
        exit = exit.or_worse(ended);
    }
    for (folder, sight) in &survey.sighted {
        match &mut run.metrics {
            Some(metrics) => metrics.without_reader(),
            None => unread(folder, sight, out)?,
        }
    }
    for folder in &survey.left {
        let folder = escape::line(&folder.display().to_string());
        out.note(format_args!("{folder}: not looked into: it lies too deep, or there are too many folders"));
    }
    for error in survey.failed {
        if let Some(incident) = &mut run.incident {
            incident.failed(path, &error.to_string());
        }
        exit = exit.or_worse(out.failure(&error.into()));
    }
    if run.tells(out) && !out.json() {
        let path = escape::line(&path.display().to_string());
        writeln!(out, "{path}: {}", tally.words(survey.folders, survey.sighted.len() as u64))?;
    }
    Ok(exit)
}

fn judged(run: &mut VerifyRun<'_>, input: &Input, report: &Report, out: &mut Out) -> anyhow::Result<Exit> {
    let beside = run.beside();
    let exit = report.verdict.into();
    if run.tells(out) {
        match show(run.args, input, report, &beside, out) {
            Err(error) if !out.is_closing(&error) => return Err(error),
            _ => {}
        }
    }
    if let Some(incident) = &mut run.incident {
        incident.log(input, report, &beside, report.verdict_name());
    }
    if let Some(metrics) = &mut run.metrics {
        metrics.report(input, report, &beside, report.verdict_name(), exit);
    }
    Ok(exit)
}

fn is_interrupt(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<Error>(), Some(Error::Interrupted)))
}

fn show(args: &VerifyArgs, input: &Input, report: &Report, beside: &LookedBeside, out: &mut Out) -> anyhow::Result<()> {
    match out.json() {
        true => json::write(out, input, report, beside)?,
        false if args.brief => brief::write(out, input, report, beside, &format!("{}, ", input.format.name))?,
        false => text::one_of_many(out, input, report)?,
    }
    out.settle()?;
    Ok(())
}

fn unread(folder: &Path, sight: &Sight, out: &mut Out) -> anyhow::Result<()> {
    let path = folder.display().to_string();
    if out.quiet() {
        return Ok(());
    }
    if out.json() {
        let none: Option<&str> = None;
        let object = Object::of("walctl.verify/1").put("log", path).put("format", none).put("verdict", "not checked");
        writeln!(out, "{}", object.put("system", sight.system).put("read_with", sight.reader).end())?;
    } else {
        let label = out.paint(Ink::Warn, "not checked");
        writeln!(out, "{}: {label}; {}; read it with {}", escape::line(&path), sight.system, sight.reader)?;
    }
    Ok(())
}

impl VerdictCounts {
    fn count(&mut self, report: &Report) {
        if !self.formats.contains(&report.format) {
            self.formats.push(report.format);
        }
        if report.verdict_name() == NOT_CHECKED {
            self.partly += 1;
            return;
        }
        match self.verdicts.iter_mut().find(|(verdict, _)| *verdict == report.verdict) {
            Some((_, seen)) => *seen += 1,
            None => self.verdicts.push((report.verdict, 1)),
        }
    }

    fn words(mut self, folders: usize, sighted: u64) -> String {
        self.verdicts.sort();
        let logs: u64 = self.verdicts.iter().map(|(_, seen)| seen).sum::<u64>() + self.failed + self.partly;
        let mut words = match self.formats.len() {
            0 => format!("{} that walctl reads", count(logs, "log")),
            formats => format!("{} of {}", count(logs, "log"), count(formats as u64, "format")),
        };
        words += &format!(" in {}", count(folders as u64, "folder"));
        let parts = self.verdicts.iter().map(|(verdict, seen)| format!("{seen} {verdict}"));
        let failed = (self.failed > 0).then(|| format!("{} could not be read", self.failed));
        let unchecked = sighted + self.partly;
        let unchecked = (unchecked > 0).then(|| format!("{unchecked} not checked"));
        let parts: Vec<String> = parts.chain(failed).chain(unchecked).collect();
        if !parts.is_empty() {
            words += &format!(": {}", parts.join(", "));
        }
        words
    }
}
