//! Which line is good for a segment: the same question, the same file, and nothing else changed that the walk looked at.
//!
//! A line that does not fit costs a walk, and never a verdict. So whatever a walk may depend on is part of the question, or was noted by
//! the door while the walk went through it.

use std::collections::HashMap;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::file::SeenFile;
use crate::disk::{Disk, EntryKind, Noting, Segment, Source, Stamp, settled_stamp};
use crate::formats::{Label, Summary, Want, line_key, read_found, write_line};
use crate::model::units::hex;
use crate::model::{DamageKind, Keys, SegmentId, Time};
use crate::ops::open::Input;

/// A walk that looked at more files than this is not kept.
const MOST_BESIDE: usize = 256;

/// One check of one log with a file of what was seen.
#[derive(Debug)]
pub struct SeenRun<'a> {
    file: &'a SeenFile,
    noting: Arc<Noting>,
    log: String,
    keys: Value,
    taken: Mutex<HashMap<String, Time>>,
    /// The segment that was listed first, and what its header says.
    first: Mutex<Option<(String, Value)>>,
    /// How the segments stand that were looked at last, for those behind them.
    recent: Mutex<[Option<(SegmentId, Stamp)>; RECENT]>,
}

/// How many are remembered: more than are walked at once on most machines.
const RECENT: usize = 64;

/// A segment before it is walked.
#[derive(Debug)]
pub struct Before {
    stamp: Value,
    walked: Time,
}

impl<'a> SeenRun<'a> {
    /// For a log, which is to be walked through [`SeenRun::input`].
    #[must_use]
    pub fn new(file: &'a SeenFile, input: &Input) -> SeenRun<'a> {
        let path = &input.source.path;
        let log = std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
        let noting = Arc::new(Noting::new(input.source.disk.clone()));
        SeenRun {
            file,
            noting,
            log,
            keys: fingerprint(&input.keys),
            taken: Mutex::default(),
            first: Mutex::default(),
            recent: Mutex::new([const { None }; RECENT]),
        }
    }

    /// The log, as it is to be walked: what each walk looks at is noted.
    #[must_use]
    pub fn input(&self, input: &Input) -> Input {
        let mut input = input.clone();
        input.source.disk = self.noting.clone();
        input
    }

    /// What a walk over this segment would find, if it was found before and nothing has changed since.
    #[must_use]
    pub fn find(&self, input: &Input, segment: &Segment, want: Want) -> Option<Summary> {
        // What is written to is walked each time, and so is what cannot be opened.
        if !segment.followed || segment.kind != EntryKind::File {
            return None;
        }
        let stamp = self.noting.stamp(&segment.path).ok()??;
        self.recent()[segment.id.index() % RECENT] = Some((segment.id, stamp.clone()));
        let stamp = object_of(&stamp);
        let asked = self.asked(input, segment, want);
        let key = line_key(input.format, segment, &asked, &stamp);
        let (line, walked) = self.file.line(&key)?;
        let parts = crate::formats::parts(&line).filter(|parts| parts.key == key)?;
        if !self.beside_is(input, segment, parts.beside) {
            return None;
        }
        let summary = read_found(input.format, segment, &stamp, &parts)?;
        self.taken().insert(segment.name.clone(), walked);
        Some(summary)
    }

    /// How a segment stands before its walk; `None` when what is found cannot be kept. Waits for a tick of the clock where it was
    /// changed just now: a change after that must show in its stamp.
    #[must_use]
    pub fn before(&self, segment: &Segment) -> Option<Before> {
        if !self.file.keeps() || !segment.followed || segment.kind != EntryKind::File {
            return None;
        }
        let stamp = settled_stamp(self.noting.as_ref(), &segment.path)?;
        self.noting.begin();
        Some(Before { stamp: object_of(&stamp), walked: Time::now() })
    }

    /// Keeps what a walk found, if nothing changed meanwhile.
    pub fn keep(&self, input: &Input, segment: &Segment, want: Want, before: Option<Before>, summary: &Summary) {
        let Some(before) = before else { return };
        let notes = self.noting.end();
        // What the system refused once it may give another time.
        if summary.damage.kept().iter().any(|damage| damage.kind == DamageKind::ReadError) {
            return;
        }
        let looked = notes.into_iter().filter(|(path, _)| *path != segment.path);
        let beside: Option<Vec<Value>> = looked.map(|(path, first)| self.beside(input, segment, &path, first.as_ref())).collect();
        let still = self.noting.stamp(&segment.path).ok().flatten().is_some_and(|stamp| object_of(&stamp) == before.stamp);
        let Some(beside) = beside.filter(|beside| still && beside.len() <= MOST_BESIDE) else { return };
        let asked = self.asked(input, segment, want);
        let label = Label {
            asked: &asked,
            file: &before.stamp,
            beside: &Value::Array(beside),
            named: input.named,
            log: &self.log,
            walked: before.walked,
        };
        if let Some(line) = write_line(input.format, segment, &label, summary) {
            self.file.keep(line);
        }
    }

    /// Of a log that was looked at as a whole: lines of segments that are not there any more are of no use.
    pub fn listed(&self, source: &Source) {
        if !source.alone {
            self.file.listed(&self.log, source.segments.iter().map(|segment| segment.name.as_str()));
        }
    }

    /// When a segment was walked whose line was taken.
    #[must_use]
    pub fn taken_from(&self, segment: &str) -> Option<Time> {
        self.taken().get(segment).copied()
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, [Option<(SegmentId, Stamp)>; RECENT]> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, HashMap<String, Time>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked of a walk, and what it takes from the listing.
    fn asked(&self, input: &Input, segment: &Segment, want: Want) -> Value {
        let source = &input.source;
        json!({
            "around": input.format.around.map(|around| around(source, segment)),
            "deep": want.deep,
            "keys": self.keys,
            // Our own segments say by themselves what had been synced, whoever writes behind them.
            "live": want.live && input.format.ours.is_none(),
            "next": neighbour(source, segment, 1),
            "number": segment.sequence,
        })
    }

    /// A file that the walk looked at besides its segment, and how it stands; `None` when that cannot be told, or it changed since the
    /// first look.
    fn beside(&self, input: &Input, segment: &Segment, path: &Path, first: Option<&Stamp>) -> Option<Value> {
        let name = path.strip_prefix(&input.source.dir).ok().filter(|name| is_below(name))?.to_str()?;
        let state = self.state(input, segment, name)?;
        if state.get("file") != first.map(object_of).as_ref() {
            return None;
        }
        // Of the segments before it a walk reads the headers, where its format has such that tell something by themselves. When the first
        // one is let go, the headers of those that stay say the same.
        let place = input.source.segments.iter().take(segment.id.index()).position(|other| other.name == name);
        match place.filter(|_| input.format.header.is_some()) {
            Some(0) => Some(json!({ "first": self.first_header(input) })),
            Some(place) if place + 1 == segment.id.index() => {
                Some(json!({ "previous": self.header(input, &input.source.segments[place]), "file": state["file"] }))
            }
            _ => Some(state),
        }
    }

    /// What a walk can take from the header of an earlier segment.
    fn header(&self, input: &Input, segment: &Segment) -> Value {
        let facts = input.format.header.and_then(|read| read(&input.source, segment, &input.keys));
        facts.map_or(Value::Null, |facts| json!([hex(&facts.log_id), facts.opens.is_some()]))
    }

    fn first_header(&self, input: &Input) -> Value {
        let Some(first) = input.source.segments.first() else { return Value::Null };
        let mut known = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_ref() {
            Some((name, header)) if *name == first.name => header.clone(),
            _ => known.insert((first.name.clone(), self.header(input, first))).1.clone(),
        }
    }

    /// Whether the segment before it has the same header as when it was walked.
    fn previous_is(&self, input: &Input, segment: &Segment, state: &Value) -> bool {
        let previous = segment.id.index().checked_sub(1).and_then(|at| input.source.segments.get(at));
        previous.is_none_or(|previous| {
            let recent = self.recent()[previous.id.index() % RECENT].clone().filter(|(id, _)| *id == previous.id);
            let stamp = recent.map(|(_, stamp)| stamp).or_else(|| self.noting.stamp(&previous.path).ok().flatten());
            stamp.is_some_and(|stamp| object_of(&stamp) == state["file"]) || self.header(input, previous) == state["previous"]
        })
    }

    fn state(&self, input: &Input, segment: &Segment, name: &str) -> Option<Value> {
        let source = &input.source;
        let path = source.dir.join(name);
        let mut state = json!({ "name": name });
        match self.noting.stat(&path).ok()? {
            None => state["kind"] = "none".into(),
            Some(entry) if entry.kind == EntryKind::File => state["file"] = object_of(&self.noting.stamp(&path).ok()??),
            // What stands in a folder can change without a trace in its own stamp.
            Some(_) => return None,
        }
        // The next segments are those that most walks read on in.
        let (before, behind) = source.segments.split_at(segment.id.index().min(source.segments.len()));
        if let Some(other) = behind.iter().chain(before).find(|other| other.name == name) {
            state["between"] = json!([neighbour(source, other, -1), neighbour(source, other, 1)]);
        }
        Some(state)
    }

    /// Whether all that a walk looked at besides its segment stands as it stood then.
    fn beside_is(&self, input: &Input, segment: &Segment, beside: &str) -> bool {
        if beside == "[]" {
            return true;
        }
        let Ok(Value::Array(states)) = serde_json::from_str(beside) else { return false };
        states.len() <= MOST_BESIDE
            && states.iter().all(|state| match (state.get("first"), state.get("previous"), state["name"].as_str()) {
                (Some(header), ..) => self.first_header(input) == *header,
                (None, Some(_), _) => self.previous_is(input, segment, state),
                (.., Some(name)) if is_below(Path::new(name)) => self.state(input, segment, name).as_ref() == Some(state),
                _ => false,
            })
    }
}

/// Whether a path leads to something below the folder that it begins in.
fn is_below(path: &Path) -> bool {
    !path.as_os_str().is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The name of the segment that stands so many behind this one.
fn neighbour(source: &Source, segment: &Segment, behind: isize) -> Option<String> {
    let at = segment.id.index().checked_add_signed(behind)?;
    let count = source.segments.len();
    source.segments.get(at).or_else(|| source.beyond.get(at.checked_sub(count)?)).map(|other| other.name.clone())
}

/// A stamp as it stands in a line.
pub(super) fn object_of(stamp: &Stamp) -> Value {
    match stamp {
        Stamp::File { length, modified_ns, changed_ns, number } => {
            json!({ "length": length, "mtime_ns": modified_ns, "ctime_ns": changed_ns, "inode": number })
        }
        Stamp::Object { length, etag } => json!({ "length": length, "etag": etag }),
    }
}

/// What tells keys apart and does not give them away: they are random, and this is a hash of all of them.
fn fingerprint(keys: &Keys) -> Value {
    if keys.is_empty() {
        return Value::Null;
    }
    let mut hash = Sha256::new_with_prefix(b"walctl.seen/1");
    keys.newest_first().for_each(|key| hash.update(key));
    let bytes: [u8; 32] = hash.finalize().into();
    json!(hex(&bytes[..8]))
}
