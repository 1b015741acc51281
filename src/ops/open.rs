//! From a path and a choice of format to the logs that can be walked.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::mend::UNFINISHED;
use crate::disk::{Cursor, Disk, Entry, EntryKind, File, Io, Open, Pipe, Source};
use crate::formats::{ALL, Format, Likeness, Sample, recognise};
use crate::model::{Error, Keys, Result};
use crate::native::{LOCK, parse_cut_name};

/// A log, and the format that was chosen or recognised for it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its files.
    pub source: Source,
    /// How to read them.
    pub format: &'static Format,
    /// Keys for encrypted payloads.
    pub keys: Keys,
    /// The format was named, not recognised: who opens the log again has to name it too.
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
}

/// How much of a file is shown to the formats.
const HEAD: usize = 64 << 10;
/// How many files of a folder are shown to them.
const SHOWN: usize = 8;

/// Opens what stands at a path: a folder with a log, a segment by itself, or a folder whose folders are logs.
pub fn open(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Result<Vec<Input>> {
    let entry = disk.look(path)?.ok_or_else(|| Error::io("open", path)(std::io::ErrorKind::NotFound.into()))?;
    match entry.kind {
        EntryKind::Folder => open_folder(disk, path, choice),
        EntryKind::File => Ok(vec![open_file(disk, path, &entry, choice)?]),
        // A device or a named pipe can be read once.
        EntryKind::Other => {
            let file: Arc<dyn File> = disk.open(path, Open::READ)?.into();
            Ok(vec![open_stream(disk, &path.display().to_string(), Box::new(Once { file, at: 0 }), choice)?])
        }
    }
}

/// Opens a segment that comes through a stream, such as standard input.
pub fn open_stream(disk: &Arc<dyn Disk>, name: &str, stream: Box<dyn Read + Send>, choice: &Choice) -> Result<Input> {
    let file: Arc<dyn File> = Arc::new(Pipe::new(stream)?);
    let mut cursor = Cursor::new(file.clone(), u64::MAX);
    let head = cursor.bytes(0, HEAD);
    if head.is_empty() && choice.format.is_none() {
        // What should have come never did: `cat wal | walctl verify -` must not call that clean.
        return Err(Error::NotALog { path: name.into(), files: 0 });
    }
    let sample = Sample { name: None, head, length: head.len() as u64, beside: &[] };
    let format = decide(Path::new(name), &[sample], choice)?;
    let source = Source::given(disk.clone(), name, file, 0).with_io(choice.io);
    Ok(Input { source, format, keys: choice.keys.clone(), named: choice.format.is_some() })
}

/// A file that can only be read forwards.
struct Once {
    file: Arc<dyn File>,
    at: u64,
}

impl Read for Once {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(into, self.at).map_err(std::io::Error::other)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn open_file(disk: &Arc<dyn Disk>, path: &Path, entry: &Entry, choice: &Choice) -> Result<Input> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = disk.list(folder).unwrap_or_default();
    let head = head_of(disk, path)?;
    let sample = Sample { name: Some(&entry.name), head: &head, length: entry.length, beside: &beside };
    let format = decide(path, &[sample], choice)?;
    let sequence = (format.sequence)(&entry.name);
    // A later segment in the same folder proves that this one had been finished, although it is not looked at.
    let followed = sequence.is_some_and(|own| beside.iter().any(|e| (format.sequence)(&e.name).is_some_and(|other| other > own)));
    let source = Source::single(disk.clone(), path, entry.length, sequence.unwrap_or(0), followed);
    Ok(Input { source: source.with_io(choice.io), format, keys: choice.keys.clone(), named: choice.format.is_some() })
}

fn open_folder(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice) -> Result<Vec<Input>> {
    let entries = disk.list(path)?;
    let own = log_in(disk, path, &entries, choice)?;
    // A format that was named fits a folder without any segment too; but then the logs may lie in the folders below.
    let bare = choice.format.is_some() && own.as_ref().is_some_and(|input| input.source.segments.is_empty());
    if let Some(input) = own.clone().filter(|_| !bare) {
        return Ok(vec![input]);
    }
    // A folder of logs: streams, shards, tenants. Folders in folders are not searched.
    let mut inputs = Vec::new();
    // What an interrupted salvage left is no log yet.
    let whole = |e: &&Entry| e.kind == EntryKind::Folder && !e.name.ends_with(UNFINISHED);
    let mut folders: Vec<&Entry> = entries.iter().filter(whole).collect();
    folders.sort_by(|a, b| a.name.cmp(&b.name));
    for folder in folders {
        let inner = path.join(&folder.name);
        let input = log_in(disk, &inner, &disk.list(&inner)?, choice)?;
        inputs.extend(input.filter(|input| choice.format.is_none() || !input.source.segments.is_empty()));
    }
    if inputs.is_empty() {
        inputs.extend(own);
    }
    if inputs.is_empty() {
        let files = entries.iter().filter(|e| e.kind == EntryKind::File).count();
        return Err(Error::NotALog { path: path.to_owned(), files });
    }
    Ok(inputs)
}

/// The log in a folder, if there is one.
fn log_in(disk: &Arc<dyn Disk>, dir: &Path, entries: &[Entry], choice: &Choice) -> Result<Option<Input>> {
    let formats: Vec<&'static Format> = choice.format.map_or_else(|| ALL.to_vec(), |format| vec![format]);
    let is_segment = |e: &&Entry| e.kind == EntryKind::File && formats.iter().any(|f| (f.sequence)(&e.name).is_some());
    let mut named: Vec<&Entry> = entries.iter().filter(is_segment).collect();
    named.sort_by(|a, b| a.name.cmp(&b.name));
    // Some from the front and the newest ones: those in front may be empty or rotten, those at the end just begun.
    let tail = named.len().saturating_sub(SHOWN / 2).max(SHOWN / 2);
    let shown: Vec<&Entry> = named.iter().take(SHOWN / 2).chain(named.iter().skip(tail)).copied().collect();
    let heads: Vec<Vec<u8>> = shown.iter().map(|e| head_of(disk, &dir.join(&e.name))).collect::<Result<_>>()?;
    let samples: Vec<Sample<'_>> = shown
        .iter()
        .zip(&heads)
        .map(|(e, head)| Sample { name: Some(&e.name), head, length: e.length, beside: entries })
        .collect();
    let format = if samples.is_empty() {
        // A log from which everything was pruned or whose first segment never came, but whose lock or saved cuts are there.
        let ours = entries.iter().any(|e| e.name == LOCK || parse_cut_name(&e.name).is_some());
        match choice.format.or_else(|| ours.then_some(&crate::formats::native::FORMAT)) {
            Some(format) => format,
            None => return Ok(None),
        }
    } else {
        match decide(dir, &samples, choice) {
            Err(Error::NotALog { .. }) => return Ok(None),
            decided => decided?,
        }
    };
    let source = Source::of(disk.clone(), dir, entries.to_vec(), format.sequence);
    Ok(Some(Input { source: source.with_io(choice.io), format, keys: choice.keys.clone(), named: choice.format.is_some() }))
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
fn decide(path: &Path, samples: &[Sample<'_>], choice: &Choice) -> Result<&'static Format> {
    if let Some(format) = choice.format {
        return Ok(format);
    }
    let mut best = (Likeness::No, Vec::new());
    for sample in samples {
        let (likeness, formats) = recognise(sample);
        match likeness.cmp(&best.0) {
            std::cmp::Ordering::Greater => best = (likeness, formats),
            std::cmp::Ordering::Equal => best.1.retain(|f| formats.contains(f)),
            std::cmp::Ordering::Less => {}
        }
    }
    match best.1.as_slice() {
        [format] => Ok(format),
        [] => Err(Error::NotALog { path: path.to_owned(), files: samples.len() }),
        several => Err(Error::Ambiguous { path: path.to_owned(), formats: several.iter().map(|f| f.name).collect() }),
    }
}
