//! The file that keeps what walks found: one line a segment.
//!
//! It is read once, and then only where a line is wanted: what is held of it is where each line stands. It is written whole, under
//! another name, synced, and then given its own; before that, what another process put there meanwhile is read again, so that many can
//! keep one file at once.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::fit::object_of;
use super::lines::each_line;
use super::sidefile::{open_named, replace};
use crate::disk::{Disk, Entry, File, Open, read_full, write_full};
use crate::formats::{Format, KEPT, LONGEST_LINE, by_name, parts};
use crate::model::{Result, Time};

/// Clocks of several machines differ. A line from further ahead is one of a clock that was set back since.
const AHEAD: Duration = Duration::from_secs(600);
/// What was found is written down this often, so that a run that is killed has lost little.
const PERIOD: Duration = Duration::from_millis(100);
/// The share of the time that writing it down may take: a twentieth.
const SHARE: u32 = 20;
/// How much is written at a time.
const PIECE: usize = 1 << 20;

/// A file of what walks found.
pub struct SeenFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    now: Time,
    max_age: Duration,
    /// As it was when it was opened.
    old: Option<Box<dyn File>>,
    index: LineIndex,
    hasher: RandomState,
    lines: LineCounts,
    fresh: Mutex<Fresh>,
    stale: AtomicBool,
}

/// Where the newest line of each key stands, and of which format the lines are that are about a file in a state of it.
#[derive(Debug, Default)]
struct LineIndex {
    lines: HashMap<u64, LinePlace>,
    files: HashMap<u64, &'static Format>,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
struct LinePlace {
    at: u64,
    length: u32,
    walked: Time,
}

/// What a file of lines held when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that can be used.
    pub usable: u64,
    /// Lines that are cut, changed, of another version of walctl, or no such lines at all.
    pub broken: u64,
    /// Lines from before the time that was asked for, or from the future.
    pub too_old: u64,
    /// Lines that a newer one of the same segment replaces.
    pub replaced: u64,
    /// No line is one that walctl wrote, and there are some: it is somebody else's file.
    pub not_ours: bool,
}

/// What was found since the file was written last.
struct Fresh {
    lines: Vec<String>,
    /// Lines of these logs are let go unless they are of these segments: both as JSON.
    listed: HashMap<String, HashSet<String>>,
    written: Instant,
    cost: Duration,
}

impl fmt::Debug for SeenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenFile").field("path", &self.path).field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl SeenFile {
    /// Opens a file; one that is not there is made when something is to be kept. Lines that are older than `max_age` are not used.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, max_age: Duration, now: Time) -> Result<SeenFile> {
        let old = open_named(disk.as_ref(), path, "what was seen")?;
        let fresh = Fresh { lines: Vec::new(), listed: HashMap::new(), written: Instant::now(), cost: Duration::ZERO };
        let mut file = SeenFile {
            disk,
            path: path.to_owned(),
            now,
            max_age,
            old: None,
            index: LineIndex::default(),
            hasher: RandomState::new(),
            lines: LineCounts::default(),
            fresh: Mutex::new(fresh),
            stale: AtomicBool::new(old.is_none()),
        };
        if let Some(old) = old {
            (file.index, file.lines) = file.index_of(old.as_ref())?;
            file.old = Some(old);
        }
        // What is only in the way is let go when it is more than what is used.
        let counts = file.lines;
        file.stale.fetch_or(counts.broken + counts.too_old + counts.replaced > counts.usable, Ordering::Relaxed);
        Ok(file)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it held when it was opened.
    #[must_use]
    pub fn lines(&self) -> LineCounts {
        self.lines
    }

    /// Whether what is found can be kept in it. A file of somebody else is left as it is.
    #[must_use]
    pub fn keeps(&self) -> bool {
        !self.lines.not_ours
    }

    /// The line that begins with this key, whose walk is not too old, and when that walk was.
    pub(super) fn line(&self, key: &str) -> Option<(String, Time)> {
        let slot = self.index.lines.get(&self.hasher.hash_one(key))?;
        let mut bytes = vec![0; slot.length as usize];
        let count = read_full(self.old.as_deref()?, &mut bytes, slot.at).ok()?;
        bytes.truncate(count);
        Some((String::from_utf8(bytes).ok()?, slot.walked))
    }

    /// The format of the log that these files are of, as their lines say: each file but the last one has such a line.
    pub(crate) fn format_of(&self, disk: &dyn Disk, dir: &Path, files: &[&Entry]) -> Option<&'static Format> {
        let format = |entry: &Entry| {
            let stamp = disk.stamp(&dir.join(&entry.name)).ok()??;
            let file = (json!(entry.name).to_string(), object_of(&stamp).to_string());
            self.index.files.get(&self.hasher.hash_one((file.0.as_str(), file.1.as_str()))).copied()
        };
        let (_, known) = files.split_last().filter(|(_, known)| !known.is_empty())?;
        let first = format(known.first()?)?;
        known.iter().all(|entry| format(entry) == Some(first)).then_some(first)
    }

    /// Takes a line up, and writes all down if that is due.
    pub(super) fn keep(&self, line: String) {
        let due = {
            let mut fresh = self.fresh();
            fresh.lines.push(line);
            fresh.written.elapsed() > PERIOD.max(fresh.cost * SHARE)
        };
        // That it cannot be written is told at the end; until then it costs nothing but time.
        if due && self.save().is_err() {
            self.fresh().written = Instant::now();
        }
    }

    /// Lines of a log that are not of one of these segments are not needed any more.
    pub(super) fn listed<'a>(&self, log: &str, segments: impl Iterator<Item = &'a str>) {
        let names = segments.map(|name| json!(name).to_string()).collect();
        self.fresh().listed.insert(json!(log).to_string(), names);
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_too_old(&self, walked: Time) -> bool {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.now.0.saturating_sub(walked.0) >= micros(self.max_age) || walked.0 > self.now.0.saturating_add(micros(AHEAD))
    }

    /// Where the newest line of each key stands in a file.
    fn index_of(&self, file: &dyn File) -> Result<(LineIndex, LineCounts)> {
        let (mut index, mut counts, mut ours) = (LineIndex::default(), LineCounts::default(), false);
        each_line(file, &mut |(at, line)| {
            let text = line.and_then(|line| std::str::from_utf8(line).ok());
            if text.is_some_and(str::is_empty) {
                return Ok(());
            }
            ours |= line.is_some_and(|line| line.starts_with(KEPT.as_bytes()));
            let (Some(text), Some(parts)) = (text, text.and_then(parts)) else {
                counts.broken += 1;
                return Ok(());
            };
            if self.is_too_old(parts.walked) {
                counts.too_old += 1;
                return Ok(());
            }
            let slot = LinePlace { at, length: u32::try_from(text.len()).unwrap_or(u32::MAX), walked: parts.walked };
            if let Some((segment, format)) = about(parts.of).filter(|_| !parts.named) {
                let file = parts.key.get(parts.of.len() + ",\"file\":".len()..).unwrap_or_default();
                index.files.insert(self.hasher.hash_one((segment, file)), format);
            }
            let known = index.lines.entry(self.hasher.hash_one(parts.key)).or_insert(slot);
            if known.at != at {
                counts.replaced += 1;
                if known.walked <= slot.walked {
                    *known = slot;
                }
            }
            Ok(())
        })?;
        counts.usable = index.lines.len() as u64;
        counts.not_ours = !ours && counts.broken > 0;
        Ok((index, counts))
    }

    /// Writes down what was found since the last time, if there is something or the file is not there yet.
    pub fn save(&self) -> Result<()> {
        let mut fresh = self.fresh();
        if !self.keeps() || fresh.lines.is_empty() && !self.stale.load(Ordering::Relaxed) {
            return Ok(());
        }
        let begun = Instant::now();
        self.write(&fresh)?;
        fresh.lines.clear();
        (fresh.written, fresh.cost) = (Instant::now(), begun.elapsed());
        self.stale.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn write(&self, fresh: &Fresh) -> Result<()> {
        replace(self.disk.as_ref(), &self.path, &mut |new| {
            let mut out = Appender { file: new, held: Vec::with_capacity(PIECE + LONGEST_LINE / 8), written: 0 };
            self.copy(fresh, &mut out)?;
            for line in &fresh.lines {
                out.line(line.as_bytes())?;
            }
            out.flush()
        })
    }

    /// Copies the lines that are still good for something, as they stand in the file now.
    fn copy(&self, fresh: &Fresh, out: &mut Appender<'_>) -> Result<()> {
        let now = self.disk.open(&self.path, Open::READ)?;
        let (index, _) = self.index_of(now.as_ref())?;
        let hash = |part: &str, log: &str| self.hasher.hash_one((part, log));
        let new = fresh.lines.iter().filter_map(|line| parts(line));
        let replaced: HashSet<u64> = new.flat_map(|new| [hash(new.of, new.log), hash(new.key, "")]).collect();
        each_line(now.as_ref(), &mut |(at, line)| {
            let Some(line) = line.and_then(|line| std::str::from_utf8(line).ok()) else { return Ok(()) };
            let Some(parts) = parts(line) else { return Ok(()) };
            let newest = index.lines.get(&self.hasher.hash_one(parts.key)).is_some_and(|slot| slot.at == at);
            let known = replaced.contains(&hash(parts.of, parts.log)) || replaced.contains(&hash(parts.key, ""));
            let gone =
                fresh.listed.get(parts.log).is_some_and(|names| !about(parts.of).is_some_and(|(name, _)| names.contains(name)));
            if newest && !known && !gone { out.line(line.as_bytes()) } else { Ok(()) }
        })
    }
}

/// The name of the segment, as JSON, and the format, in the part of a line that says what it is a line of.
fn about(of: &str) -> Option<(&str, &'static Format)> {
    let (head, rest) = of.split_once(",\"segment\":")?;
    let (_, format) = head.split_once(",\"format\":\"")?;
    let (segment, _) = rest.split_once(",\"followed\":")?;
    Some((segment, by_name(format.strip_suffix('"')?)?))
}

/// Lines on their way to a file.
struct Appender<'a> {
    file: &'a dyn File,
    held: Vec<u8>,
    written: u64,
}

impl Appender<'_> {
    fn line(&mut self, line: &[u8]) -> Result<()> {
        self.held.extend_from_slice(line);
        self.held.push(b'\n');
        if self.held.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        write_full(self.file, &self.held, self.written)?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{SimDisk, Source};
    use crate::formats::{Label, Summary, native, write_line};

    #[test]
    fn only_lines_of_files_that_were_recognised_say_what_format_a_log_is_of() {
        let said = |named: bool| {
            let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
            let make = |path: &str| disk.open(Path::new(path), Open::CREATE).expect("it is new");
            let (source, last) = (Source::given(disk.clone(), "a", make("/a").into(), 1), make("/b"));
            drop(last);
            let entry = |path| disk.stat(Path::new(path)).expect("it can be looked at").expect("it is there");
            let stamp = disk.stamp(Path::new("/a")).expect("it can be looked at").expect("it has one");
            let (file, empty) = (object_of(&stamp), json!([]));
            let label = Label { asked: &json!({}), file: &file, beside: &empty, named, log: "/", walked: Time(1) };
            let summary = Summary::new(&source.segments[0], 0);
            let line = write_line(&native::FORMAT, &source.segments[0], &label, &summary).expect("it can be kept");
            write_full(make("/seen").as_ref(), format!("{line}\n").as_bytes(), 0).expect("there is room");
            let seen = SeenFile::open(disk.clone(), Path::new("/seen"), Duration::from_secs(1), Time(2)).expect("it reads");
            assert_eq!(seen.lines().usable, 1);
            let format = seen.format_of(disk.as_ref(), Path::new("/"), &[&entry("/a"), &entry("/b")]);
            format.map(|format| format.name)
        };
        assert_eq!((said(false), said(true)), (Some("native"), None));
    }
}
