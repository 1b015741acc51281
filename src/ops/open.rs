//! From a path and a choice of format to the logs that can be walked.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Cursor, Disk, Entry, EntryKind, File, Io, Open, Pipe, Remote, Segment, Source, Stream, finished, not_regular};
use crate::formats::{ALL, Format, Laid, Likeness, Sample, Sight, by_sight, may_be_sighted, recognise};
use crate::model::{Error, Keys, Result};
use crate::ops::seen::SeenFile;

/// A log, and the format that was chosen or recognised for it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its files.
    pub source: Source,
    /// How to read them.
    pub format: &'static Format,
    /// Keys for encrypted payloads.
    pub keys: Keys,
    /// The format was named, not recognised: name it again to open the log again.
    pub named: bool,
}

/// How to open.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The format, when the user named it.
    pub format: Option<&'static Format>,
    /// How to read segments.
    pub io: Io,
    /// Keys for encrypted payloads.
    pub keys: Keys,
    /// What walks found before, which says whose files are as they were then.
    pub seen: Option<Arc<SeenFile>>,
}

/// How much of a file is shown to the formats.
const HEAD: usize = 64 << 10;
/// How many files of a folder are shown to them.
const SHOWN: usize = 8;

/// Opens what stands at a path: a folder with a log or several, one of these by its name, a segment by itself, or a folder whose folders
/// are logs.
pub fn open(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Result<Vec<Input>> {
    let opened = open_here(disk, path, choice);
    // Without a way there files look absent, or like nobody's.
    disk.remote().and_then(Remote::lost).map_or(opened, Err)
}

fn open_here(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Result<Vec<Input>> {
    let Some(entry) = disk.stat(path)? else {
        let named = one_of_several(disk, path, choice);
        return Ok(vec![named.ok_or_else(|| Error::io("open", path)(std::io::ErrorKind::NotFound.into()))?]);
    };
    match entry.kind {
        EntryKind::Folder => open_folder(disk, path, choice),
        EntryKind::File => Ok(vec![open_file(disk, path, &entry, choice)?]),
        // A device or a named pipe can be read once.
        EntryKind::Pipe | EntryKind::Other => {
            let stream = Stream::open("open", path, || false)?;
            Ok(vec![open_stream(disk, &path.display().to_string(), Box::new(stream), choice)?])
        }
        EntryKind::Link | EntryKind::Absent => Err(not_regular("open", path, entry.kind.words())),
    }
}

/// Opens a segment that comes through a stream, such as standard input.
pub fn open_stream(disk: &Arc<dyn Disk>, name: &str, stream: Box<dyn Read + Send>, choice: &Choice) -> Result<Input> {
    let file: Arc<dyn File> = Arc::new(Pipe::new(Path::new(name), stream)?);
    // A stream that cannot be read at all is said to be so, and not to be empty.
    file.read_at(&mut [0], 0)?;
    let mut cursor = Cursor::new(file.clone(), u64::MAX);
    let head = cursor.bytes(0, HEAD);
    if head.is_empty() && choice.format.is_none() {
        // What should have come never did: `cat wal | walctl verify -` must not call that clean.
        return Err(Error::NotALog { path: name.into(), files: 0 });
    }
    let sample = Sample { name: None, head, length: head.len() as u64, beside: &[] };
    let format = decide(Path::new(name), &[sample], choice, &Layouts::default())?;
    let source = Source::given(disk.clone(), name, file, 0).with_io(choice.io);
    Ok(Input { source, format, keys: choice.keys.clone(), named: choice.format.is_some() })
}

fn open_file(disk: &Arc<dyn Disk>, path: &Path, entry: &Entry, choice: &Choice) -> Result<Input> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = disk.list(folder).unwrap_or_default();
    let head = head_of(disk, path)?;
    let sample = Sample { name: Some(&entry.name), head: &head, length: entry.length, beside: &beside };
    let layouts = Layouts::of(disk, folder, &beside, choice);
    let format = decide(path, &[sample], choice, &layouts)?;
    // Later segments in the same folder prove that this one had been finished, although they are not looked at.
    let log = layouts.logs(format).iter().find_map(|log| {
        let index = log.segments.iter().position(|placed| placed.entry.name == entry.name)?;
        let source = log.clone().source(disk.clone(), folder, &beside).narrow(index..index + 1);
        Some((source.segments.first().map(|s| (s.sequence, s.followed))?, source.beyond))
    });
    let ((sequence, followed), beyond) = log.unwrap_or(((format.number_of(&entry.name).unwrap_or(0), false), Vec::new()));
    let mut source = Source::single(disk.clone(), path, entry.length, sequence, followed).with_io(choice.io);
    source.beyond = beyond;
    Ok(Input { source, format, keys: choice.keys.clone(), named: choice.format.is_some() })
}

/// What the formats that come into question make of a folder.
#[derive(Default)]
struct Layouts(Vec<(&'static Format, Vec<Laid>)>);

impl Layouts {
    fn of(disk: &Arc<dyn Disk>, dir: &Path, entries: &[Entry], choice: &Choice) -> Layouts {
        let formats = choice.format.map_or_else(|| ALL.to_vec(), |format| vec![format]);
        Layouts(formats.into_iter().map(|format| (format, format.lay_out(disk.as_ref(), dir, entries))).collect())
    }

    /// The logs that a format sees.
    fn logs(&self, format: &Format) -> &[Laid] {
        self.0.iter().find(|(known, _)| *known == format).map_or(&[], |(_, logs)| logs)
    }

    /// The format of a manifest all of whose files are gone.
    fn named_by_a_manifest(&self) -> Option<&'static Format> {
        let absent = |log: &Laid| log.segments.iter().any(|placed| placed.entry.kind == EntryKind::Absent);
        self.0.iter().find(|(_, logs)| logs.iter().any(absent)).map(|(format, _)| *format)
    }

    /// What is a segment to any format, in the order of names.
    fn segments(&self) -> Vec<&Entry> {
        let logs = self.0.iter().flat_map(|(_, logs)| logs);
        let mut segments: Vec<&Entry> = logs.flat_map(|log| &log.segments).map(|placed| &placed.entry).collect();
        segments.sort_by(|a, b| a.name.cmp(&b.name));
        segments.dedup_by(|a, b| a.name == b.name);
        segments
    }
}

/// How often a log is listed anew because names that were listed are gone. Each time something has really changed, so this ends only
/// where a process changes the folder faster than it can be listed.
const LISTINGS: u32 = 100;

/// Does something with a log. When a segment that was listed is gone before it was opened, because it was pruned or renamed, the log is
/// listed again and the work begins anew: a log that is being written is judged as it stands, and no command fails beside retention.
pub fn steady<T>(input: &Input, mut act: impl FnMut(&Input) -> Result<T>) -> Result<T> {
    let mut listed: Option<Input> = None;
    for _ in 1..LISTINGS {
        let now = listed.as_ref().unwrap_or(input);
        let acted = act(now);
        match now.source.disk.remote().and_then(Remote::lost).map_or(acted, Err) {
            Ok(done) => return Ok(done),
            Err(error) => match listed_after(now, &error)? {
                Some(again) => listed = Some(again),
                None => return Err(error),
            },
        }
    }
    act(listed.as_ref().unwrap_or(input))
}

/// The log as it is listed now, if a failure says that a segment is gone which is indeed no longer listed. It need not be one of `input`:
/// what acts on a log may have listed it again by itself, and met a segment that came and went meanwhile.
pub fn listed_after(input: &Input, error: &Error) -> Result<Option<Input>> {
    let source = &input.source;
    let Error::Io { source: cause, path, .. } = error else { return Ok(None) };
    let gone = path.file_name().map(|name| name.to_string_lossy()).filter(|name| input.format.number_of(name).is_some());
    let Some(gone) = gone.filter(|_| cause.kind() == std::io::ErrorKind::NotFound && !source.alone) else { return Ok(None) };
    if path.parent() != Some(&source.dir) {
        return Ok(None);
    }
    let again = input.format.listed_again(source)?;
    // A name that is listed and cannot be found all the same is no work of retention.
    let changed = again.segments.iter().all(|segment| segment.name != *gone);
    Ok(changed.then(|| Input { source: again, ..input.clone() }))
}

/// Whether a failure says that this segment is not there.
#[must_use]
pub fn is_gone(error: &Error, segment: &Segment) -> bool {
    matches!(error, Error::Io { source, path, .. } if source.kind() == std::io::ErrorKind::NotFound && *path == segment.path)
}

/// The names in a folder, and the logs that they make.
pub(super) fn logs_now(disk: &Arc<dyn Disk>, dir: &Path, choice: &Choice) -> Result<(Vec<Entry>, Vec<Input>)> {
    for _ in 1..LISTINGS {
        let entries = disk.list(dir)?;
        match logs_in(disk, dir, &entries, choice) {
            // A file that was to be looked at is gone: the writer prunes.
            Err(Error::Io { source, path, .. })
                if source.kind() == std::io::ErrorKind::NotFound && path.parent() == Some(dir) => {}
            found => return Ok((entries, found?)),
        }
    }
    let entries = disk.list(dir)?;
    let found = logs_in(disk, dir, &entries, choice)?;
    Ok((entries, found))
}

fn open_folder(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Result<Vec<Input>> {
    let (entries, own) = logs_now(disk, path, choice)?;
    // A format that was named fits a folder without any segment too; but then the logs may lie in the folders below.
    let bare = choice.format.is_some() && own.iter().all(|input| input.source.segments.is_empty());
    if !own.is_empty() && !bare {
        return Ok(own);
    }
    // A folder of logs: streams, shards, tenants. Folders in folders are not searched.
    let mut inputs = Vec::new();
    // What an interrupted salvage left is no log yet.
    let whole = |e: &&Entry| e.kind == EntryKind::Folder && finished(&e.name).is_none();
    let mut folders: Vec<&Entry> = entries.iter().filter(whole).collect();
    folders.sort_by(|a, b| a.name.cmp(&b.name));
    for folder in folders {
        let inner = path.join(&folder.name);
        let (_, found) = logs_now(disk, &inner, choice)?;
        inputs.extend(found.into_iter().filter(|input| choice.format.is_none() || !input.source.segments.is_empty()));
    }
    if inputs.is_empty() {
        inputs.extend(own);
    }
    if inputs.is_empty() {
        if let Some(sight) = sights(disk, path, &entries).first() {
            return Err(sighted(path, sight));
        }
        let files = entries.iter().filter(|e| e.kind == EntryKind::File).count();
        return Err(Error::NotALog { path: path.to_owned(), files });
    }
    Ok(inputs)
}

fn sighted(path: &Path, sight: &Sight) -> Error {
    Error::Sighted { path: path.to_owned(), system: sight.system, reader: sight.reader }
}

/// The systems whose logs in this folder are known by sight and not read.
pub(super) fn sights(disk: &Arc<dyn Disk>, dir: &Path, entries: &[Entry]) -> Vec<&'static Sight> {
    let mut found = Vec::new();
    for entry in entries.iter().filter(|e| e.kind == EntryKind::File && may_be_sighted(&e.name)) {
        // What is gone or cannot be opened is known by its name, or not at all.
        let head = head_of(disk, &dir.join(&entry.name)).unwrap_or_default();
        let sample = Sample { name: Some(&entry.name), head: &head, length: entry.length, beside: entries };
        found.extend(by_sight(&sample).filter(|sight| !found.contains(sight)));
    }
    found
}

/// The log of this name in a folder that holds several: what nothing stands at but is called as they are called.
fn one_of_several(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Option<Input> {
    let (dir, name) = (path.parent()?, path.file_name()?);
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let (_, found) = logs_now(disk, dir, choice).ok()?;
    let mut input = found.into_iter().find(|input| *input.source.log == *name)?;
    input.source.path = path.to_owned();
    Some(input)
}

/// The logs in a folder: those of one format.
fn logs_in(disk: &Arc<dyn Disk>, dir: &Path, entries: &[Entry], choice: &Choice) -> Result<Vec<Input>> {
    let layouts = Layouts::of(disk, dir, entries, choice);
    let segments = layouts.segments();
    let named: Vec<&Entry> = segments.iter().copied().filter(|e| e.kind == EntryKind::File).collect();
    // Some from the front and the newest ones: those in front may be empty or rotten, those at the end just begun.
    let tail = named.len().saturating_sub(SHOWN / 2).max(SHOWN / 2);
    let shown: Vec<&Entry> = named.iter().take(SHOWN / 2).chain(named.iter().skip(tail)).copied().collect();
    let format = if let Some(format) = seen_format(disk, dir, &shown, entries, choice, &layouts) {
        format
    } else if shown.is_empty() {
        // A log from which everything was pruned or whose first segment never came, but whose lock, saved cuts or manifest are there.
        let left_by = |format: &&&'static Format| format.ours.is_some_and(|ours| entries.iter().any(|e| (ours.leaves)(&e.name)));
        let left = ALL.iter().find(left_by).copied().or_else(|| layouts.named_by_a_manifest());
        let lost = segments.iter().find(|e| e.kind != EntryKind::Folder);
        if let Some(lost) = lost.filter(|_| choice.format.is_none() && left.is_none()) {
            return Err(not_regular("open", &dir.join(&lost.name), lost.kind.words()));
        }
        match choice.format.or(left) {
            Some(format) => format,
            None => return logs_inside(disk, dir, choice, &layouts),
        }
    } else {
        if let Some(remote) = disk.remote() {
            remote.expect(&shown.iter().map(|entry| dir.join(&entry.name)).collect::<Vec<_>>());
        }
        let heads: Vec<Vec<u8>> = shown.iter().map(|e| head_of(disk, &dir.join(&e.name))).collect::<Result<_>>()?;
        let samples: Vec<Sample<'_>> = shown
            .iter()
            .zip(&heads)
            .map(|(e, head)| Sample { name: Some(&e.name), head, length: e.length, beside: entries })
            .collect();
        match decide(dir, &samples, choice, &layouts) {
            Err(Error::NotALog { .. } | Error::Sighted { .. }) => return Ok(Vec::new()),
            decided => decided?,
        }
    };
    let nothing = [Laid { name: String::new(), segments: Vec::new() }];
    let laid = Some(layouts.logs(format)).filter(|logs| !logs.is_empty()).unwrap_or(&nothing);
    let (inside, here): (Vec<&Laid>, Vec<&Laid>) = laid.iter().partition(|log| log.is_inside());
    let sources = here.into_iter().map(|log| log.clone().source(disk.clone(), dir, entries).with_io(choice.io));
    let input = |source| Input { source, format, keys: choice.keys.clone(), named: choice.format.is_some() };
    let mut inputs: Vec<Input> = sources.map(input).collect();
    for log in inside {
        let (_, found) = logs_now(disk, &dir.join(&log.name), choice)?;
        inputs.extend(found.into_iter().filter(|input| input.format == format && !input.source.segments.is_empty()));
    }
    Ok(inputs)
}

/// This many files at the end of a log may hold nothing yet.
const BLANKS: usize = 8;

/// The format that the same files were recognised as when they were walked, if they are as they were then: they need not be read for that.
fn seen_format(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    shown: &[&Entry],
    beside: &[Entry],
    choice: &Choice,
    layouts: &Layouts,
) -> Option<&'static Format> {
    let seen = choice.seen.as_ref().filter(|_| choice.format.is_none())?;
    let format = seen.format_of(disk.as_ref(), dir, shown)?;
    let segments = || layouts.logs(format).iter().flat_map(|log| &log.segments);
    // What stands beside them may have changed: the newest in which anything stands must still look like it, and like nothing else.
    let looks = shown.iter().rev().take(BLANKS).find_map(|entry| {
        let head = head_of(disk, &dir.join(&entry.name)).ok()?;
        let sample = Sample { name: Some(&entry.name), head: &head, length: entry.length, beside };
        (!is_blank(&sample)).then(|| recognise(&sample).1[..] == [format])
    })?;
    let laid = shown.iter().all(|entry| segments().any(|placed| placed.entry.name == entry.name));
    (looks && laid).then_some(format)
}

/// A folder without segments, of which formats say that its logs are in folders of certain names.
fn logs_inside(disk: &Arc<dyn Disk>, dir: &Path, choice: &Choice, layouts: &Layouts) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for (format, logs) in &layouts.0 {
        for log in logs.iter().filter(|log| log.is_inside()) {
            let (_, found) = logs_now(disk, &dir.join(&log.name), choice)?;
            inputs.extend(found.into_iter().filter(|input| input.format == *format && !input.source.segments.is_empty()));
        }
    }
    Ok(inputs)
}

fn head_of(disk: &Arc<dyn Disk>, path: &Path) -> Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let file = disk.open(path, Open::READ)?;
    let mut have = 0;
    // What cannot be read is for the walk to report; here it only tells us less.
    while let Ok(count @ 1..) = file.read_at(&mut head[have..], have as u64) {
        have += count;
    }
    head.truncate(have);
    Ok(head)
}

/// The one format that the samples look like.
///
/// Each file has a vote, and content counts before names: a single file that looks like something else, because it is damaged or was
/// only just begun, must not hide ten healthy ones. The walk says what is wrong with it.
fn decide(path: &Path, samples: &[Sample<'_>], choice: &Choice, layouts: &Layouts) -> Result<&'static Format> {
    if let Some(format) = choice.format {
        return Ok(format);
    }
    let all = || ALL.iter().map(|format| (*format, Votes::of(format, samples)));
    let best = all().map(|(_, votes)| votes).max().filter(|votes| *votes > Votes::default());
    if best.is_none_or(|votes| votes.sure == 0)
        && let Some(sight) = samples.iter().find_map(by_sight)
    {
        return Err(sighted(path, sight));
    }
    let Some(best) = best else { return Err(Error::NotALog { path: path.to_owned(), files: samples.len() }) };
    let mut chosen: Vec<&'static Format> = all().filter(|(_, votes)| *votes == best).map(|(format, _)| format).collect();
    if let [format] = chosen[..] {
        // Files that this format would not even look at, and that are certainly another's: choosing would hide a log.
        let own: HashSet<&str> =
            layouts.logs(format).iter().flat_map(|log| &log.segments).map(|placed| placed.entry.name.as_str()).collect();
        let hidden = |sample: &&Sample<'_>| sample.name.is_some_and(|name| !own.contains(name));
        let sure = |other: &&&'static Format| {
            samples.iter().filter(hidden).any(|sample| !is_blank(sample) && (other.recognise)(sample) == Likeness::Sure)
        };
        chosen.extend(ALL.iter().filter(|other| **other != format).filter(sure));
    }
    match chosen[..] {
        [format] => Ok(format),
        _ => Err(Error::Ambiguous { path: path.to_owned(), formats: chosen.iter().map(|f| f.name).collect() }),
    }
}

/// How many files are taken for a format's: those that say so by their content first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Votes {
    sure: usize,
    maybe: usize,
    blank_sure: usize,
    blank_maybe: usize,
}

impl Votes {
    fn of(format: &Format, samples: &[Sample<'_>]) -> Votes {
        let mut votes = Votes::default();
        samples.iter().for_each(|sample| votes.add((format.recognise)(sample), sample));
        votes
    }

    fn add(&mut self, likeness: Likeness, sample: &Sample<'_>) {
        match (likeness, is_blank(sample)) {
            (Likeness::No, _) => {}
            (Likeness::Sure, false) => self.sure += 1,
            (Likeness::Maybe, false) => self.maybe += 1,
            (Likeness::Sure, true) => self.blank_sure += 1,
            (Likeness::Maybe, true) => self.blank_maybe += 1,
        }
    }
}

/// Nothing but zeros, or nothing at all: what a crash leaves of a segment that was being begun, in many formats alike.
fn is_blank(sample: &Sample<'_>) -> bool {
    sample.head.iter().all(|b| *b == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{SimDisk, write_full};
    use crate::formats::{Placed, numbered};
    use crate::model::{Lsn, Time};
    use crate::native::{SegmentHeader, encode_header, segment_name};

    fn put(disk: &Arc<dyn Disk>, name: &str, bytes: &[u8]) {
        let path = Path::new("/wal").join(name);
        let file = disk.open(&path, Open { or_create: true, ..Open::WRITE }).expect("a file can be made");
        write_full(file.as_ref(), bytes, 0).expect("it takes them");
    }

    /// Two logs in one folder: one in the order that a manifest gives, one in the order of its names.
    static TWO: Format = Format {
        name: "two",
        layout: |folder| {
            let manifest = folder.read("MANIFEST").map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let find = |name: &str| folder.entries.iter().find(|entry| entry.name == name).cloned();
            let found: Vec<Entry> = manifest.split_whitespace().filter_map(find).collect();
            let count = found.len();
            let place = |(number, entry)| Placed { entry, number, followed: number as usize + 1 < count };
            let listed = Laid { name: String::new(), segments: (0..).zip(found).map(place).collect() };
            let undo = numbered(folder, |name| name.strip_prefix("undo-")?.parse().ok());
            std::iter::once(listed).chain(undo.into_iter().map(|log| Laid { name: "undo".into(), ..log })).collect()
        },
        ..crate::formats::native::FORMAT
    };

    #[test]
    fn a_segment_that_came_and_went_between_two_listings_is_no_failure() {
        let disk = copied();
        let input = open(&disk, Path::new("/wal"), &Choice::default()).expect("it is ours").remove(0);
        let missing = |name: &str| Error::io("open", &Path::new("/wal").join(name))(std::io::ErrorKind::NotFound.into());
        let again = |name: &str| listed_after(&input, &missing(name)).expect("it lists").is_some();
        assert!(again(&segment_name(Lsn(99))), "it was never in this listing, and is not there now");
        assert!(!again(&segment_name(Lsn(3))), "it is listed and cannot be opened");
        assert!(!again("notes.txt"), "it is no segment");
        let elsewhere = Error::io("open", &Path::new("/other").join(segment_name(Lsn(99))))(std::io::ErrorKind::NotFound.into());
        assert!(listed_after(&input, &elsewhere).expect("it lists").is_none());
    }

    #[test]
    fn a_folder_with_two_logs_gives_both_and_each_is_found_by_its_name_and_listed_again() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/wal")).expect("a folder can be made");
        put(&disk, "MANIFEST", b"b a c");
        for name in ["a", "b", "c", "undo-9", "undo-10"] {
            put(&disk, name, name.as_bytes());
        }
        let choice = Choice { format: Some(&TWO), ..Choice::default() };
        let named = |segments: &[Segment]| segments.iter().map(|s| (s.name.clone(), s.followed)).collect::<Vec<_>>();
        let at = |path: &str| open(&disk, Path::new(path), &choice).expect("it opens");
        let both = at("/wal");
        let paths: Vec<&Path> = both.iter().map(|input| input.source.path.as_path()).collect();
        assert_eq!(paths, [Path::new("/wal"), Path::new("/wal/undo")]);
        let [a, b, c] = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(named(&both[0].source.segments), [(b, true), (a, true), (c, false)]);
        let [undo] = &at("/wal/undo")[..] else { panic!("there is one of that name") };
        assert_eq!(named(&undo.source.segments), named(&both[1].source.segments));
        assert_eq!(undo.source.path, Path::new("/wal/undo"));
        // A segment alone knows what stands after it.
        let alone = &at("/wal/a")[0].source;
        assert!(alone.alone && alone.segments[0].followed && alone.segments[0].sequence == 1, "{alone:?}");
        assert_eq!(named(&alone.beyond), [("c".to_owned(), false)]);
        put(&disk, "undo-11", b"new");
        put(&disk, "MANIFEST", b"a c  ");
        let again = both.iter().map(|input| TWO.listed_again(&input.source).expect("it lists").segments.len());
        assert_eq!(again.collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(open(&disk, Path::new("/wal/redo"), &choice), Err(Error::Io { .. })));
    }

    /// A log of ten segments that was copied without its LOCK.
    fn copied() -> Arc<dyn Disk> {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/wal")).expect("a folder can be made");
        for first in 1..=10 {
            let header = SegmentHeader {
                key: None,
                block: 0,
                log_id: [7; 16],
                first_lsn: Lsn(first),
                created: Time(1),
                chain: 0,
                recycled: false,
            };
            put(&disk, &segment_name(Lsn(first)), &encode_header(&header));
        }
        disk
    }

    fn format_of(disk: &Arc<dyn Disk>) -> Result<&'static str> {
        let inputs = open(disk, Path::new("/wal"), &Choice::default())?;
        Ok(inputs.first().map_or("none", |input| input.format.name))
    }

    #[test]
    fn what_a_crash_left_of_one_segment_does_not_hide_ten_healthy_ones() {
        for blank in [0, 1, 4096, 70_000] {
            let disk = copied();
            put(&disk, &segment_name(Lsn(11)), &vec![0; blank]);
            assert_eq!(format_of(&disk).expect("it is ours"), "native", "{blank} zeros");
        }
    }

    #[test]
    fn the_newest_segments_tell_what_a_log_is_when_those_in_front_are_rotten() {
        for rotten in [1, 4, 6] {
            let disk = copied();
            for number in 1..=rotten {
                put(&disk, &segment_name(Lsn(number)), &[0x5A; 5000]);
            }
            assert_eq!(format_of(&disk).expect("it is ours"), "native", "{rotten} rotten ones in front");
        }
    }

    #[test]
    fn a_damaged_segment_that_looks_like_another_formats_does_not_hide_ten_healthy_ones() {
        let disk = copied();
        put(&disk, &segment_name(Lsn(3)), b"RVWL and then something");
        assert_eq!(format_of(&disk).expect("it is ours"), "native");
    }

    #[test]
    #[cfg(feature = "formats")]
    fn two_logs_in_one_folder_are_reported_and_not_guessed() {
        let disk = copied();
        let line = r#"{"sequence":1,"wal_timestamp":"2026-11-20T15:32:46.338261809Z","event":{"#;
        put(&disk, "wal-0000000000000000.log", line.as_bytes());
        match format_of(&disk) {
            Err(Error::Ambiguous { formats, .. }) => assert_eq!(formats, ["native", "allsource"]),
            other => panic!("it should be ambiguous: {other:?}"),
        }
    }
}
