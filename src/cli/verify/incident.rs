//! `verify --html FILE` and `--markdown FILE`: what goes into an incident report, and how it gets into its file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueHint;
use walctl::bench::look_around;
use walctl::disk::Segment;
use walctl::model::units::{count, show_bytes};
use walctl::model::{Acknowledged, Damage, DamageKind, Time, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::bytes_around;
use walctl::ops::report::{MapCell, Report, SegmentReport, TimesAround, map_segment, times_around};

use super::super::append::flags::command_line;
use super::super::exit::Exit;
use super::super::hint;
use super::super::page_file::{self, may_be_written};
use super::super::render::hex;
use super::super::render::incident::{
    DamageIncident, Fact, FileFacts, Incident, LogIncident, LogMap, MARK, MapRow, html, markdown,
};
use super::super::render::out::Out;
use super::super::render::report::{LookedBeside, holes, range_words, text};
use super::evidence;

/// Damage that is described in full, and damage that has a line.
const DESCRIBED: usize = 50;
const LISTED: usize = 500;
/// Segments that are drawn by themselves, and the cells of such a row.
const DRAWN: usize = 40;
/// The same where there are many of them.
const DRAWN_OF_MANY: usize = 12;
const CELLS: usize = 240;
/// Parts of the strip that stands for many segments.
const STRIP: usize = 400;
/// Files that are listed, warnings and holes that are told, clean logs that are named, and logs that are told in full.
const FILES: usize = 100;
const NOTES: usize = 100;
const CLEAN: usize = 500;
const LOGS: usize = 50;
/// What is read to draw rows, and to make hashes.
const DRAW_BYTES: u64 = 1 << 30;
const HASH_BYTES: u64 = 1 << 30;

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Incident report")]
pub struct IncidentArgs {
    /// Also write a report for those who were not there: one HTML page that needs nothing else
    ///
    /// It has the verdict, what to do next, the log drawn, each piece of damage with its bytes, its proof and the times around it, the
    /// files with their hashes, and the machine. A report that walctl wrote before is replaced, another file is not.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// The same as Markdown
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    markdown: Option<PathBuf>,
    /// Show bytes in the report that may be content
    #[arg(long)]
    show_payloads: bool,
    /// Write the report over a file that is none
    #[arg(long)]
    overwrite: bool,
}

/// What makes a page of a report.
type MakePage = fn(&Incident) -> String;

/// A report that grows while logs are checked.
#[derive(Debug)]
pub struct IncidentRun {
    files: Vec<(PathBuf, MakePage)>,
    show_payloads: bool,
    begun: Instant,
    draw_room: u64,
    hash_room: u64,
    incident: Incident,
}

impl IncidentArgs {
    /// The report, if one is wanted; an error, if its file must not be written.
    pub fn begin(&self) -> anyhow::Result<Option<IncidentRun>> {
        let html = self.html.iter().map(|path| (path.clone(), html::page as MakePage));
        let files: Vec<_> = html.chain(self.markdown.iter().map(|path| (path.clone(), markdown::page as MakePage))).collect();
        if files.is_empty() {
            return Ok(None);
        }
        for (path, _) in &files {
            may_be_written(path, self.overwrite, MARK, "report")?;
        }
        let incident = Incident {
            made: Time::now(),
            took: std::time::Duration::ZERO,
            command: command_line(),
            exit: Exit::Done,
            host: evidence::host(),
            logs: Vec::new(),
            clean: Vec::new(),
            more_clean: 0,
            failed: Vec::new(),
        };
        Ok(Some(IncidentRun {
            files,
            show_payloads: self.show_payloads,
            begun: Instant::now(),
            draw_room: DRAW_BYTES,
            hash_room: HASH_BYTES,
            incident,
        }))
    }
}

impl IncidentRun {
    /// Takes down what was found in a log.
    pub fn log(&mut self, input: &Input, report: &Report, beside: &LookedBeside, verdict_name: &'static str) {
        let quiet = report.damage.is_empty() && beside.exit() == Exit::Done && verdict_name == Verdict::Clean.name();
        let alone = self.incident.logs.is_empty() && self.incident.clean.is_empty();
        if !quiet && self.incident.logs.len() < LOGS || quiet && alone {
            let log = self.told(input, report, beside, verdict_name);
            self.incident.logs.push(log);
            return;
        }
        self.settle();
        let records = count(report.records, "record");
        let line = format!("{}: {verdict_name}, {records}{}", report.log.display(), holes::words(report));
        let lines = if quiet { &mut self.incident.clean } else { &mut self.incident.failed };
        if lines.len() < CLEAN { lines.push(line) } else { self.incident.more_clean += 1 }
    }

    /// What could not be looked at.
    pub fn failed(&mut self, path: &Path, why: &str) {
        if self.incident.failed.len() < CLEAN {
            self.incident.failed.push(format!("{}: {why}", path.display()));
        }
    }

    /// A clean log is told in full only if it is the only one.
    fn settle(&mut self) {
        if let [log] = &self.incident.logs[..]
            && log.verdict_name == Verdict::Clean.name()
            && log.damage.is_empty()
        {
            self.incident.clean.insert(0, format!("{}: clean, {}", log.path, log.meaning));
            self.incident.logs.clear();
        }
    }

    fn told(&mut self, input: &Input, report: &Report, beside: &LookedBeside, verdict_name: &'static str) -> LogIncident {
        self.settle();
        if input.source.disk.remote().is_some() {
            // What is read from another machine is paid for.
            (self.draw_room, self.hash_room) = (0, 0);
        }
        let next = hint::advisor(input, report);
        let described = &report.damage[..report.damage.len().min(DESCRIBED)];
        let times = times_around(input, described);
        let damage: Vec<DamageIncident> =
            described.iter().zip(&times).map(|(damage, times)| self.damage(input, damage, times, next(damage))).collect();
        let mut steps: Vec<String> = Vec::new();
        for one in &damage {
            if !steps.contains(&one.next) && steps.len() < 8 {
                steps.push(one.next.clone());
            }
        }
        let further = report.damage.iter().skip(DESCRIBED);
        let listed: Vec<String> = further.clone().take(LISTED).map(|damage| line(input, damage)).collect();
        let first = self.incident.logs.iter().map(|log| log.damage.len()).sum::<usize>();
        LogIncident {
            path: report.log.display().to_string(),
            verdict_name,
            verdict: report.verdict,
            meaning: meaning(report, verdict_name),
            promise: promise(report),
            facts: facts(input, report),
            will: will(input, report),
            next: steps,
            map: self.map(input, report, first),
            unlisted: (report.damage.len() - described.len() - listed.len()) as u64 + report.beyond,
            damage,
            listed,
            notes: notes(input, report, beside),
            files: self.files(input, report),
            more_files: report.segments.len().saturating_sub(FILES),
            redacted: !self.show_payloads,
        }
    }

    fn damage(&self, input: &Input, damage: &Damage, times: &TimesAround, next: String) -> DamageIncident {
        let numbers = input.format.numbers;
        let mut facts: Vec<Fact> = vec![("bytes", format!("{} from {} on", damage.span.length, damage.span.start()))];
        facts.extend(damage.lsn.map(|lsn| ("due there", format!("LSN {}", numbers.show(lsn)))));
        facts.push(("found", damage.detail()));
        let sentence = text::acknowledged(damage);
        let why = sentence.split_once(": ").map_or(sentence.as_str(), |(_, why)| why);
        facts.push(("acknowledged", damage.acknowledged().name().to_owned()));
        facts.push(("proof", why.to_owned()));
        facts.extend(damage.doubt.map(|doubt| ("in doubt", range_words(numbers, doubt))));
        facts.extend(text::between(times, numbers).map(|words| ("written", words)));
        facts.push(("usual cause", damage.kind.entry().cause.to_owned()));
        facts.push(("what helps", damage.kind.entry().remedy.to_owned()));
        let hex = if damage.kind == DamageKind::ReadError { Vec::new() } else { self.hex(input, damage) };
        DamageIncident {
            place: place(input, damage),
            verdict: damage.verdict(),
            kind: damage.kind.name(),
            words: damage.kind.words(),
            facts,
            hex,
            next,
        }
    }

    /// The bytes around damage. What may be content is hidden: all but the header of a frame, where one stands.
    fn hex(&self, input: &Input, damage: &Damage) -> Vec<String> {
        let (start, around) = bytes_around(&input.source, damage);
        let (from, to) = (damage.span.start(), damage.span.end());
        let frame =
            matches!(damage.kind, DamageKind::BadChecksum | DamageKind::CutShort | DamageKind::LsnBack | DamageKind::LsnGap);
        let own = input.format.ours.filter(|_| frame).map_or(0, |ours| ours.frame_header);
        let shown = from..from.saturating_add(input.format.private.unwrap_or(own));
        hex::lines(&around, start, from..to, (!self.show_payloads).then_some(shown))
    }

    /// The log drawn. Rows are walked again for it, as far as there is room.
    fn map(&mut self, input: &Input, report: &Report, first: usize) -> LogMap {
        let segments = &report.segments;
        let hurt = |segment: &SegmentReport| segment.verdict != Verdict::Clean;
        let many = segments.len() > DRAWN;
        let mut map = LogMap { segments: segments.len(), ..LogMap::default() };
        if many {
            let wide = segments.len().min(STRIP);
            let part = |at: usize| &segments[at * segments.len() / wide..(at + 1) * segments.len() / wide];
            let worst = |part: &[SegmentReport]| {
                let worst = part.iter().map(|segment| segment.verdict).max().filter(|worst| *worst != Verdict::Clean);
                worst.or(part.iter().all(|segment| segment.checked).then_some(Verdict::Clean))
            };
            map.overview = (0..wide).map(|at| worst(part(at))).collect();
        }
        let drawn = if many { DRAWN_OF_MANY } else { DRAWN };
        map.more_rows = if many { segments.iter().filter(|segment| hurt(segment)).count().saturating_sub(drawn) } else { 0 };
        for segment in segments.iter().filter(|segment| !many || hurt(segment)).take(drawn) {
            let room = self.draw_room.checked_sub(segment.file_bytes);
            let cells = match room {
                Some(left) => {
                    self.draw_room = left;
                    map_segment(input, report, segment, CELLS)
                }
                None => coarse(segment),
            };
            map.rows.push(row(input, report, segment, cells, first));
        }
        map
    }

    fn files(&mut self, input: &Input, report: &Report) -> Vec<FileFacts> {
        let segments = &input.source.segments;
        let hurt = |segment: &&Segment| report.segments.iter().any(|s| s.id == segment.id && s.verdict != Verdict::Clean);
        let mut chosen: Vec<&Segment> = segments.iter().filter(hurt).take(FILES).collect();
        for segment in segments.iter().rev() {
            if chosen.len() < FILES && !chosen.iter().any(|other| other.id == segment.id) {
                chosen.push(segment);
            }
        }
        chosen.sort_by_key(|segment| segment.id);
        chosen.into_iter().map(|segment| evidence::file(input, segment, &mut self.hash_room)).collect()
    }

    /// Writes the files: new ones, synced, which then get their names.
    pub fn write(mut self, exit: Exit, out: &mut Out) -> anyhow::Result<()> {
        (self.incident.exit, self.incident.took) = (exit, self.begun.elapsed());
        for (path, make) in &self.files {
            page_file::write(path, &make(&self.incident))?;
            out.note(format_args!("report written to {}", path.display()));
        }
        Ok(())
    }
}

fn place(input: &Input, damage: &Damage) -> String {
    let segment = input.source.segments.get(damage.span.place.segment.index());
    format!("{}:{}", segment.map(|segment| segment.path.display().to_string()).unwrap_or_default(), damage.span.start())
}

fn line(input: &Input, damage: &Damage) -> String {
    let doubt = damage.doubt.map(|doubt| format!(", LSN {}", input.format.numbers.show_range(doubt))).unwrap_or_default();
    format!("{}: {}: {}, {}{doubt}", place(input, damage), damage.verdict(), damage.kind, count(damage.span.length, "byte"))
}

fn meaning(report: &Report, verdict_name: &str) -> String {
    match report.verdict {
        verdict if verdict_name != verdict.name() => "nothing wrong was seen, but not all of it was looked at".to_owned(),
        Verdict::Clean if !report.known_holes.is_empty() => {
            "every record that is there is whole, and every record that is missing is known to be".to_owned()
        }
        verdict => verdict.words().to_owned(),
    }
}

fn promise(report: &Report) -> String {
    let known = holes::promise(report);
    let of_damage = match report.acknowledged() {
        _ if report.damage.is_empty() && known.is_some() => String::new(),
        _ if report.damage.is_empty() => "No record is known to be missing.".to_owned(),
        Acknowledged::Yes => "Records that had been acknowledged are lost or in doubt.".to_owned(),
        Acknowledged::No => "Nothing that was acknowledged is lost.".to_owned(),
        Acknowledged::Unknown => {
            "No acknowledged record is known to be missing; whether one is, nothing in the log can tell.".to_owned()
        }
    };
    [of_damage].into_iter().chain(known).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn facts(input: &Input, report: &Report) -> Vec<Fact> {
    let numbers = input.format.numbers;
    let bytes: u64 = report.segments.iter().map(|segment| segment.file_bytes).filter(|bytes| *bytes != u64::MAX).sum();
    let lsns = report.lsns.map(|lsns| format!(", LSN {}", numbers.show_range(lsns))).unwrap_or_default();
    let mut facts = vec![
        ("format", input.format.title.to_owned()),
        ("records", format!("{}{lsns}", report.records)),
        ("segments", format!("{}, {}", report.segments.len(), show_bytes(bytes))),
        ("damage", count(report.damage.len() as u64 + report.beyond, "piece")),
    ];
    if let Some(readable) = text::readable_words(report, numbers) {
        facts.push(("readable", readable));
    }
    match report.live {
        Some(0) => facts.push(("written to", "yes, by another process".to_owned())),
        Some(pid) => facts.push(("written to", format!("yes, by process {pid}"))),
        None => {}
    }
    if !report.unprotected.is_empty() {
        facts.push(("not protected", report.unprotected.to_owned()));
    }
    if let Ok(place) = look_around(&input.source.dir, None) {
        let disk = [place.filesystem.as_str(), "on", place.source.as_str(), place.model.as_str()];
        facts.push(("filesystem", disk.join(" ").trim().to_owned()));
        facts.push(("mounted", format!("at {} with {}", place.mount_point, place.options.join(","))));
    }
    facts
}

/// What happens if somebody just starts it.
fn will(input: &Input, report: &Report) -> String {
    if let Some(recovery) = &report.recovery {
        return recovery.clone();
    }
    if input.format.ours.is_none() {
        return match report.verdict {
            Verdict::Clean => format!("nothing keeps {} from going on.", input.format.title),
            _ => format!("what {} would make of it, walctl does not know; do not start it on the only copy.", input.format.title),
        };
    }
    // A writer looks at the segment that it goes on in, and at the names and Seals of the others.
    let last = report.segments.last().map_or(Verdict::Clean, |segment| segment.verdict);
    let holes = if report.verdict == Verdict::Clean { "" } else { "; damage before it stays as it is" };
    match last {
        // A hole is listed with the segment before it, and no writer minds.
        Verdict::Clean | Verdict::Missing => format!("a writer goes on behind the last record{holes}."),
        Verdict::Torn | Verdict::Suspect if report.verdict <= Verdict::Suspect => {
            "a writer refuses to write behind this tail until it is cut (walctl repair, or append --repair).".to_owned()
        }
        _ => "a writer refuses to open the log, for the end of its last segment is not whole.".to_owned(),
    }
}

fn notes(input: &Input, report: &Report, beside: &LookedBeside) -> Vec<String> {
    let file = |index: usize| input.source.segments.get(index).map_or("", |segment| segment.name.as_str());
    let mut notes = Vec::new();
    if let Some((path, found)) = &beside.ledger {
        let lacking = found.lacking + found.different.len() as u64;
        notes.push(format!(
            "the ledger {} lists {}, of which {lacking} are lacking or different",
            path.display(),
            count(found.listed, "record")
        ));
    }
    if let Some(media) = &beside.media {
        notes.push(format!("the disk holds other bytes than the page cache in {}", count(media.differing.len() as u64, "place")));
    }
    for warning in report.warnings.iter().take(NOTES) {
        let place = warning.span.place;
        notes.push(format!("{}:{}: {}: {}", file(place.segment.index()), warning.span.start(), warning.name, warning.text));
    }
    for known in report.known_holes.iter().take(NOTES) {
        notes.push(format!("known hole: {}: {}", range_words(input.format.numbers, known.hole.lsns), known.hole.reason));
    }
    for accepted in report.accepted.iter().take(NOTES) {
        notes.push(format!("accepted damage since {}: {}: {}", accepted.since, line(input, &accepted.damage), accepted.reason));
    }
    let more = report.accepted.len().saturating_sub(NOTES)
        + report.warnings.len().saturating_sub(NOTES)
        + report.known_holes.len().saturating_sub(NOTES);
    if more > 0 {
        notes.push(format!("and {more} more; walctl verify --json lists all"));
    }
    notes
}

/// A segment that is not walked again: what is known of it anyway.
fn coarse(segment: &SegmentReport) -> Vec<MapCell> {
    let end = u128::from(segment.end) * CELLS as u128 / u128::from(segment.file_bytes.max(1));
    let end = usize::try_from(end).unwrap_or(CELLS).min(CELLS);
    (0..CELLS).map(|at| if at < end { MapCell::Frames } else { MapCell::Reserved }).collect()
}

fn row(input: &Input, report: &Report, segment: &SegmentReport, mut cells: Vec<MapCell>, first: usize) -> MapRow {
    let numbers = input.format.numbers;
    let bytes = if segment.file_bytes == u64::MAX { 0 } else { segment.file_bytes };
    let (mut marks, mut holes) = (Vec::new(), Vec::new());
    for (index, damage) in report.damage.iter().enumerate().filter(|(_, damage)| damage.span.place.segment == segment.id) {
        if damage.is_between_segments() {
            // The segment itself may be whole: what is marked is the gap behind it.
            if holes.len() < 20 {
                let lsns = damage.doubt.map(|doubt| format!(": {}", range_words(numbers, doubt))).unwrap_or_default();
                let number = if index < DESCRIBED { format!("{}. ", first + index + 1) } else { String::new() };
                holes.push(format!("{number}{} behind it{lsns}", damage.kind));
            }
            continue;
        }
        let part = damage.span.start() as f64 / bytes.max(1) as f64;
        if index < DESCRIBED {
            marks.push((first + index + 1, part.clamp(0.0, 1.0)));
        }
        if !cells.is_empty() {
            let at = (part * cells.len() as f64) as usize;
            let last = cells.len() - 1;
            cells[at.min(last)] = MapCell::Damage;
        }
        if damage.span.length == 0 && damage.verdict() == Verdict::Missing && holes.len() < 20 {
            let lsns = damage.doubt.map(|doubt| range_words(numbers, doubt)).unwrap_or_default();
            holes.push(format!("{}: {lsns}", damage.kind));
        }
    }
    let known = report.known_holes.iter().filter(|known| known.span.place.segment == segment.id);
    holes.extend(known.take(20).map(|known| format!("known hole: {}", range_words(numbers, known.hole.lsns))));
    let lsns = segment.lsns.map(|lsns| format!(", LSN {}", numbers.show_range(lsns))).unwrap_or_default();
    let label = format!("{}{lsns}, {}, {}", segment.file, show_bytes(bytes), segment.verdict_name());
    MapRow { label, cells, bytes, marks, holes }
}
