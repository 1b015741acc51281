//! A check as OpenMetrics text: what was found in each log, and how the run itself ended.
//!
//! All of it is gauges: so it is the older text format of Prometheus too, which node_exporter's textfile collector reads. A log that could
//! not be looked at has a row that says so, for a metric that is only absent alarms nobody.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use walctl::formats::Numbers;
use walctl::model::{Acknowledged, LsnRange, Time, Verdict};
use walctl::ops::open::Input;
use walctl::ops::report::{NOT_CHECKED, Partly, Report};

use super::{LookedBeside, merged};
use crate::cli::exit::Exit;
use crate::cli::render::openmetrics::{END, family, label, of_log};

/// What is told of each log: name and meaning.
const FAMILIES: &[(&str, &str)] = &[
    ("verdict", "1 for the verdict on the log; not checked if it was not looked at, or not all of it."),
    ("exit_code", "What walctl verify ends with for this log alone."),
    ("damage", "Pieces of damage."),
    ("damage_by_kind", "Pieces of damage by kind, as far as they are described."),
    ("acknowledged_lost", "1 for the answer to whether acknowledged records are lost or in doubt."),
    ("acknowledged_lost_records", "Acknowledged records that are lost or in doubt, as far as their numbers are known."),
    ("ledger_lacking_records", "Acknowledged records that a ledger lists and the log lacks."),
    ("media_differing_spans", "Places where the disk holds other bytes than the page cache."),
    ("accepted", "Pieces of damage that are accepted: they are not among the others."),
    ("accepted_void", "Acceptances that do not hold, because something has changed since."),
    ("known_holes", "Holes that are known, and no damage."),
    ("warnings", "What is worth knowing and no damage."),
    ("records", "Whole records."),
    ("valid_bytes", "Bytes that are as they should be."),
    ("file_bytes", "Bytes of the files of the segments."),
    ("segments", "Segments."),
    ("segments_as_seen", "Segments that were not read, because nothing has changed since they were."),
    ("segments_unchecked", "Segments of which no more than the ends were read."),
    ("live", "1 if a writer held the log."),
    ("checked_timestamp_seconds", "When this log was checked."),
    ("oldest_seen_timestamp_seconds", "When the segment was read that has not been read for the longest time."),
];

/// What is told of the run.
const OF_THE_RUN: &[(&str, &str)] = &[
    ("run_exit_code", "What walctl verify ended with."),
    ("run_logs", "Logs that it was to check."),
    ("run_logs_not_checked", "Logs of these that it did not look at, or not at all of it."),
    ("run_logs_without_reader", "Logs of systems that walctl only knows by sight."),
    ("run_started_timestamp_seconds", "When it began."),
    ("run_finished_timestamp_seconds", "When it ended."),
];

/// What a run found so far.
#[derive(Debug)]
pub struct RunMetrics {
    host: Option<String>,
    paths: String,
    begun: Time,
    logs: Vec<LogMetrics>,
    /// Where the log of these labels stands.
    places: HashMap<String, usize>,
    without_reader: u64,
}

/// What was found in one log.
#[derive(Debug)]
struct LogMetrics {
    labels: String,
    exit: Exit,
    verdict: &'static str,
    samples: Vec<Sample>,
}

/// A family, one more label if there is one, and the value.
type Sample = (&'static str, Option<String>, String);

impl RunMetrics {
    /// Of a run that begins. `host` is the machine's name, if the user gave one.
    pub fn begin(paths: &[PathBuf], host: Option<&str>) -> RunMetrics {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        RunMetrics {
            host: host.map(str::to_owned),
            paths: paths.join(" "),
            begun: Time::now(),
            logs: Vec::new(),
            places: HashMap::new(),
            without_reader: 0,
        }
    }

    /// How many logs it tells of.
    pub fn count(&self) -> usize {
        self.logs.len()
    }

    /// A log was looked at. `verdict` is told of it: what was not looked into is not clean, whatever else its report says.
    pub fn report(&mut self, input: &Input, report: &Report, beside: &LookedBeside, verdict: &'static str, exit: Exit) {
        let now = Time::now();
        let mut samples = Vec::new();
        let mut put = |name, more: Option<(&str, &str)>, value: u64| {
            samples.push((name, more.map(|(name, value)| label(name, value)), value.to_string()));
        };
        put("damage", None, (report.damage.len() as u64).saturating_add(report.beyond));
        let mut kinds: Vec<_> = report.damage.iter().map(|damage| damage.kind).collect();
        kinds.sort_unstable();
        for same in kinds.chunk_by(|a, b| a == b) {
            put("damage_by_kind", Some(("kind", same[0].name())), same.len() as u64);
        }
        for answer in [Acknowledged::Yes, Acknowledged::No, Acknowledged::Unknown] {
            put("acknowledged_lost", Some(("answer", answer.name())), u64::from(answer == report.acknowledged()));
        }
        if let Some(lost) = lost_records(report, input.format.numbers) {
            put("acknowledged_lost_records", None, lost);
        }
        if let Some((_, found)) = &beside.ledger {
            put("ledger_lacking_records", None, found.lacking);
        }
        if let Some(view) = &beside.media {
            put("media_differing_spans", None, view.differing.len() as u64);
        }
        if beside.accepted.is_some() {
            put("accepted", None, report.accepted.len() as u64);
            put("accepted_void", None, report.void_acceptances.iter().filter(|void| !void.gone).count() as u64);
        }
        put("known_holes", None, report.known_holes.len() as u64);
        put("warnings", None, report.warnings.len() as u64);
        put("records", None, report.records);
        put("valid_bytes", None, report.valid_bytes);
        let lengths = report.segments.iter().map(|segment| segment.file_bytes).filter(|bytes| *bytes != u64::MAX);
        put("file_bytes", None, lengths.fold(0, u64::saturating_add));
        put("segments", None, report.segments.len() as u64);
        put("segments_as_seen", None, report.segments.iter().filter(|segment| segment.seen.is_some()).count() as u64);
        put("segments_unchecked", None, report.unchecked() as u64);
        put("live", None, u64::from(report.live.is_some()));
        samples.push(("checked_timestamp_seconds", None, seconds(now)));
        if report.unchecked() == 0 {
            let oldest = report.segments.iter().filter_map(|segment| segment.seen).min();
            samples.push(("oldest_seen_timestamp_seconds", None, seconds(oldest.unwrap_or(now))));
        }
        self.add(&report.log, report.format, verdict, exit, samples);
    }

    /// Some segments of a log were looked at, so nothing is judged.
    pub fn partly(&mut self, partly: &Partly, exit: Exit) {
        let numbers = [
            ("damage", partly.damage),
            ("segments", partly.segments as u64),
            ("segments_as_seen", partly.as_seen as u64),
            ("segments_unchecked", partly.left as u64),
        ];
        let samples = numbers.into_iter().map(|(name, number)| (name, None, number.to_string())).collect();
        self.add(&partly.log, partly.format, NOT_CHECKED, exit, samples);
    }

    /// A log was not looked at, and this is what the command would have ended with for it.
    pub fn not_checked(&mut self, path: &Path, format: &str, exit: Exit) {
        self.add(path, format, NOT_CHECKED, exit, Vec::new());
    }

    /// There is a log which walctl knows by sight and does not read.
    pub fn without_reader(&mut self) {
        self.without_reader += 1;
    }

    fn add(&mut self, path: &Path, format: &str, verdict: &'static str, exit: Exit, samples: Vec<Sample>) {
        let labels = of_log(path, format, self.host.as_deref());
        // A log that was named twice is told once, with the worse of both: no scraper takes the same sample twice.
        let place = *self.places.entry(labels.clone()).or_insert(self.logs.len());
        let row = LogMetrics { labels, exit, verdict, samples };
        match self.logs.get_mut(place) {
            Some(known) if known.exit.or_worse(exit) == known.exit => {}
            Some(known) => *known = row,
            None => self.logs.push(row),
        }
    }

    /// The run ended with this.
    pub fn write(&self, out: &mut impl Write, exit: Exit) -> io::Result<()> {
        for (name, help) in FAMILIES {
            let mut told = false;
            for log in &self.logs {
                let mut put = |more: Option<&str>, value: &dyn std::fmt::Display| {
                    if !std::mem::replace(&mut told, true) {
                        family(out, &format!("walctl_verify_{name}"), "gauge", help)?;
                    }
                    let more = more.map(|more| format!(",{more}")).unwrap_or_default();
                    writeln!(out, "walctl_verify_{name}{{{}{more}}} {value}", log.labels)
                };
                match *name {
                    "verdict" => {
                        for verdict in Verdict::ALL.map(Verdict::name).into_iter().chain([NOT_CHECKED]) {
                            put(Some(&label("verdict", verdict)), &u8::from(verdict == log.verdict))?;
                        }
                    }
                    "exit_code" => put(None, &log.exit.code())?,
                    _ => {
                        for (_, more, value) in log.samples.iter().filter(|(family, ..)| family == name) {
                            put(more.as_deref(), value)?;
                        }
                    }
                }
            }
        }
        self.of_the_run(out, exit)?;
        writeln!(out, "{END}")
    }

    fn of_the_run(&self, out: &mut impl Write, exit: Exit) -> io::Result<()> {
        let host = self.host.as_deref().map(|host| format!(",{}", label("host", host))).unwrap_or_default();
        // Several runs on one machine leave their metrics in one folder: what was to be checked tells them apart.
        let labels = format!("{}{host}", label("paths", &self.paths));
        let not_checked = self.logs.iter().filter(|log| log.verdict == NOT_CHECKED).count();
        let values = [
            exit.code().to_string(),
            self.logs.len().to_string(),
            not_checked.to_string(),
            self.without_reader.to_string(),
            seconds(self.begun),
            seconds(Time::now()),
        ];
        for ((name, help), value) in OF_THE_RUN.iter().zip(values) {
            family(out, &format!("walctl_verify_{name}"), "gauge", help)?;
            writeln!(out, "walctl_verify_{name}{{{labels}}} {value}")?;
        }
        Ok(())
    }
}

/// A moment as scrapers know it.
fn seconds(time: Time) -> String {
    format!("{}.{:06}", time.0 / 1_000_000, time.0 % 1_000_000)
}

/// How many acknowledged records are lost or in doubt; `None` where that cannot be counted.
fn lost_records(report: &Report, numbers: Numbers) -> Option<u64> {
    if matches!(numbers, Numbers::Positions { .. } | Numbers::None) {
        return None;
    }
    let damage = report.damage.iter().filter(|damage| damage.acknowledged() == Acknowledged::Yes);
    let (mut known, mut unknown) = (Vec::new(), 0);
    damage.for_each(|damage| match damage.doubt {
        Some(doubt) => known.push(doubt),
        None => unknown += 1,
    });
    let lost = merged(known.into_iter()).iter().map(LsnRange::count).fold(0, u64::saturating_add);
    (lost > 0 || unknown == 0).then_some(lost)
}
