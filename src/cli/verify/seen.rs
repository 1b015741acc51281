//! `verify --seen`: a file of what walks found, from its opening to its last line.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use walctl::disk::{RealDisk, Traffic};
use walctl::model::units::{count, parse_bytes, parse_duration};
use walctl::model::{Result, Time};
use walctl::ops::open::Input;
use walctl::ops::report::{Checks, Looked, NOT_CHECKED, Partly, Portion, Progress, verify_seen};
use walctl::ops::seen::SeenFile;

use crate::cli::exit::{CommandFailure, Exit};
use crate::cli::hint::show;
use crate::cli::interrupt;
use crate::cli::render::escape;
use crate::cli::render::json::Object;
use crate::cli::render::out::Out;
use crate::cli::render::report::{SeenView, counts};
use crate::cli::render::traffic;

/// The flags that belong to a file of what was seen.
#[derive(clap::Args, Debug)]
pub struct SeenArgs {
    /// Keep what is found in FILE, a line for each segment, and do not read again what has not changed since
    ///
    /// A line is used as long as the length, the times and the inode of the segment are as they were, and those of all else that was read
    /// for it. The active segment is always read. Files can be concatenated. An interrupted run keeps what it has found, and the next one
    /// goes on. What rots on the disk changes no time: --seen-for says how long a line is good for.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "media")]
    seen: Option<PathBuf>,
    /// Read a segment again when it was read longer ago than this
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = parse_duration, requires = "seen")]
    seen_for: Duration,
    /// Read only part K of N, keep what is found in the file, judge nothing, and end with 0 or 1: for many machines at once
    #[arg(long, value_name = "K/N", value_parser = part, requires = "seen", conflicts_with_all = ["ledger", "map", "max_bytes"])]
    part: Option<Portion>,
    /// Read no more than this in one run (the active segment aside); the next run goes on. Until all is read, nothing is judged
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, requires = "seen")]
    max_bytes: Option<u64>,
}

fn part(text: &str) -> Result<Portion, String> {
    let wrong = || format!("`{text}` is no part; write it like 2/8");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let (number, of): (u32, u32) = (number.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
    if of == 0 || number == 0 || number > of {
        return Err(format!("`{text}` is no part: of {of} parts the first is 1/{of} and the last {of}/{of}"));
    }
    Ok(Portion::Part { number, of })
}

/// An open file of what was seen, and what is to be walked.
#[derive(Debug)]
pub struct Seeing {
    file: Arc<SeenFile>,
    portion: Portion,
}

impl SeenArgs {
    /// Opens the file, if one is named. What cannot be used in it is said once.
    pub fn open(&self, out: &mut Out) -> anyhow::Result<Option<Seeing>> {
        let Some(path) = &self.seen else { return Ok(None) };
        interrupt::be_polite();
        let file = Arc::new(SeenFile::open(Arc::new(RealDisk), path, self.seen_for, Time::now())?);
        let (lines, name) = (file.lines(), path.display());
        if lines.not_ours {
            out.note(format_args!("{name}: none of its lines is one of walctl's: it is left as it is, and nothing is kept"));
            out.note(format_args!("next: name another file, or move it away: mv {0} {0}.aside", show(path)));
        } else if lines.broken > 0 {
            let broken = count(lines.broken, "line");
            out.note(format_args!("{name}: {broken} passed over: cut, changed, or of another version of walctl"));
        }
        let portion = self.part.or(self.max_bytes.map(Portion::Bytes)).unwrap_or_default();
        Ok(Some(Seeing { file, portion }))
    }
}

impl Seeing {
    /// The file itself.
    pub fn file(&self) -> Arc<SeenFile> {
        self.file.clone()
    }

    /// Checks a log.
    pub fn verify(&self, input: &Input, checks: &Checks, progress: &Progress) -> Result<Looked> {
        verify_seen(input, checks, progress, &self.file, self.portion)
    }

    /// Writes down what was found. A check whose findings cannot be kept has failed, whatever it found.
    pub fn close(&self, out: &mut Out) -> Exit {
        if let Err(error) = self.file.save() {
            return out.failure(&error.into());
        }
        if interrupt::caught() && self.file.keeps() {
            let file = self.file.path().display();
            out.note(format_args!("interrupted: what was found is kept in {file}; the same command goes on from there"));
        }
        Exit::Done
    }

    /// What is said about the file in a report.
    pub fn view(&self) -> SeenView {
        SeenView { file: self.file.path().to_owned(), lines: self.file.lines(), kept: self.file.keeps(), now: Time::now() }
    }

    /// Says how far a log was walked of which not all was, as a result only if that is wanted.
    pub fn partly(&self, partly: &Partly, traffic: Option<Traffic>, tells: bool, out: &mut Out) -> anyhow::Result<Exit> {
        if out.json() && tells {
            writeln!(out, "{}", traffic::add(self.object(partly), traffic).end())?;
        }
        let log = partly.log.display();
        let asked = traffic.map_or_else(String::new, |traffic| format!("; {}", traffic::bill(traffic)));
        let walked = format!("{} walked, {} as seen before{asked}", count(partly.walked as u64, "segment"), partly.as_seen);
        let damage = if partly.damage > 0 { "; damage was found, and is judged when all is walked" } else { "" };
        let Portion::Part { number, of } = self.portion else {
            let message = format!("{log}: {NOT_CHECKED}: {walked}, {} left of {}{damage}", partly.left, partly.segments);
            let next = Some("run the same command again; it goes on where this one ended".to_owned());
            return Ok(out.failure(&CommandFailure { exit: Exit::Failed, message, next }.into()));
        };
        if tells && !out.json() {
            let log = escape::line(&log.to_string());
            writeln!(out, "{log}: {NOT_CHECKED}; part {number} of {of}: {walked}{damage}")?;
            let next = show(&partly.log);
            writeln!(out, "  next: when all parts are done: cat FILES >ALL; walctl verify {next} --seen ALL")?;
        }
        Ok(Exit::Done)
    }

    fn object(&self, partly: &Partly) -> Object {
        let numbers = [partly.segments, partly.as_seen, partly.walked, partly.left].map(|number| number as u64);
        let part = match self.portion {
            Portion::Part { number, of } => Some(Object::new().put("number", u64::from(number)).put("of", u64::from(of))),
            _ => None,
        };
        Object::of("walctl.verify/1")
            .put("log", partly.log.display().to_string())
            .put("format", partly.format)
            .put("verdict", NOT_CHECKED)
            .put("part", part)
            .put("damage_count", partly.damage)
            .put("seen", counts(self.file.path(), numbers, self.file.keeps()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!(part("1/1"), Ok(Portion::Part { number: 1, of: 1 }));
        assert_eq!(part("8/8"), Ok(Portion::Part { number: 8, of: 8 }));
        for wrong in ["", "1", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "1/99999999999"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
