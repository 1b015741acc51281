//! Which files are a log, and in which order: what its manifest lists, or what their names say where there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Folder, Laid, Placed};
use crate::disk::{Entry, EntryKind};

/// How the name of a manifest ends.
pub const MANIFEST: &str = ".manifest";
/// The folder of the files, in the data folder.
const FILES: &str = "appendonlydir";

/// What a file is to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilePart {
    Base,
    Increment,
}

/// A file that a manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    pub name: String,
    pub number: u64,
    /// What it is; a file that is on its way out is nothing.
    pub part: Option<FilePart>,
}

/// A manifest: its files, and the first of its lines that is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub files: Vec<ListedFile>,
    pub bad_line: Option<usize>,
}

/// Reads a manifest.
pub fn parse(bytes: &[u8]) -> Manifest {
    let mut manifest = Manifest::default();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        match listed_file(line) {
            Some(file) => manifest.files.push(file),
            None => manifest.bad_line = manifest.bad_line.or(Some(index + 1)),
        }
    }
    manifest
}

/// A line is pairs of a word and its value. Words that are not known are passed over.
fn listed_file(line: &[u8]) -> Option<ListedFile> {
    let words = words_of(line)?;
    let value = |word: &str| words.chunks_exact(2).find(|pair| pair[0] == word).map(|pair| pair[1].as_str());
    let name = value("file")?.to_owned();
    let part = match value("type")? {
        "b" => Some(FilePart::Base),
        "i" => Some(FilePart::Increment),
        "h" => None,
        _ => return None,
    };
    let here = !name.is_empty() && !name.contains('/') && !name.contains('\0') && name != "." && name != "..";
    here.then_some(ListedFile { number: value("seq")?.parse().ok()?, name, part })
}

/// Words with blanks between; one with blanks in it stands in quotes.
fn words_of(line: &[u8]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while let Some(first) = rest.first() {
        let mut word = Vec::new();
        let quoted = *first == b'"';
        if quoted {
            rest = &rest[1..];
        }
        loop {
            match rest {
                [] if quoted => return None,
                [] => break,
                [b'"', behind @ ..] if quoted => {
                    rest = behind;
                    break;
                }
                [b'\\', b'x', high, low, behind @ ..] if quoted => {
                    let text = [*high, *low];
                    word.push(u8::from_str_radix(std::str::from_utf8(&text).ok()?, 16).ok()?);
                    rest = behind;
                }
                [b'\\', letter, behind @ ..] if quoted => {
                    word.push(match letter {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        other => *other,
                    });
                    rest = behind;
                }
                [byte, ..] if !quoted && byte.is_ascii_whitespace() => break,
                [byte, behind @ ..] => {
                    word.push(*byte);
                    rest = behind;
                }
            }
        }
        words.push(String::from_utf8(word).ok()?);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// What the name of a file says where no manifest does: `appendonly.aof.2.incr.aof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartName<'a> {
    /// What all files of the log are called: `appendonly.aof`.
    pub log: &'a str,
    pub number: u64,
    pub part: FilePart,
}

/// The parts of a name. Unfinished files begin with `temp-`.
pub fn part_name(name: &str) -> Option<PartName<'_>> {
    let (rest, part) = match (name.strip_suffix(".incr.aof"), name.strip_suffix(".base.rdb"), name.strip_suffix(".base.aof")) {
        (Some(rest), ..) => (rest, FilePart::Increment),
        (_, Some(rest), _) | (_, _, Some(rest)) => (rest, FilePart::Base),
        _ => return None,
    };
    let (log, digits) = rest.rsplit_once('.')?;
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (number && !log.is_empty() && !is_temporary(name)).then(|| digits.parse().ok()).flatten().map(|number| PartName {
        log,
        number,
        part,
    })
}

fn is_temporary(name: &str) -> bool {
    name.starts_with("temp-")
}

/// Whether a file can be a log of before 7.0, all in one file.
pub fn is_single(name: &str) -> bool {
    name.len() > ".aof".len() && name.ends_with(".aof") && part_name(name).is_none() && !is_temporary(name)
}

/// The logs in a folder. Those with a manifest come first; of several, each is called like its files.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let files: BTreeMap<&str, &Entry> =
        folder.entries.iter().filter(|entry| entry.kind != EntryKind::Folder).map(|entry| (entry.name.as_str(), entry)).collect();
    let mut logs: Vec<(String, Vec<(u64, Entry)>)> = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for name in files.keys().filter_map(|name| name.strip_suffix(MANIFEST)) {
        let Some(manifest) = folder.read(&format!("{name}{MANIFEST}")).map(|bytes| parse(&bytes)) else { continue };
        let mut listed: Vec<(u64, Entry)> = Vec::new();
        for file in manifest.files {
            let rank = file.number.saturating_mul(2).saturating_add(u64::from(file.part == Some(FilePart::Increment)));
            let absent = Entry { name: file.name.clone(), length: 0, kind: EntryKind::Absent };
            if file.part.is_some() && taken.insert(file.name.clone()) {
                let entry = folder.entries.iter().find(|entry| entry.name == file.name);
                listed.push((rank, entry.cloned().unwrap_or(absent)));
            }
        }
        taken.insert(format!("{name}\0"));
        // The base is read first, wherever it stands.
        listed.sort_by_key(|(rank, _)| rank % 2);
        logs.push((name.to_owned(), listed));
    }
    let with_manifest = logs.len();
    let mut parts: BTreeMap<&str, Vec<(u64, Entry)>> = BTreeMap::new();
    for (name, entry) in &files {
        if taken.contains(*name) {
            continue;
        }
        if let Some(part) = part_name(name).filter(|part| !taken.contains(&format!("{}\0", part.log))) {
            let rank = part.number.saturating_mul(2).saturating_add(u64::from(part.part == FilePart::Increment));
            parts.entry(part.log).or_default().push((rank, (*entry).clone()));
        } else if is_single(name) {
            logs.push(((*name).to_owned(), vec![(0, (*entry).clone())]));
        }
    }
    for (log, mut files) in parts {
        files.sort_by_key(|(rank, _)| (rank % 2, *rank));
        logs.push((log.to_owned(), files));
    }
    logs.retain(|(_, files)| !files.is_empty());
    let main = if with_manifest == 1 || logs.len() == 1 { logs.first().map(|(name, _)| name.clone()) } else { None };
    let mut laid: Vec<Laid> = logs.into_iter().map(|(name, files)| laid_out(name, files, main.as_deref())).collect();
    if folder.entries.iter().any(|entry| entry.kind == EntryKind::Folder && entry.name == FILES) {
        laid.push(Laid { name: FILES.to_owned(), segments: Vec::new() });
    }
    laid
}

fn laid_out(name: String, files: Vec<(u64, Entry)>, main: Option<&str>) -> Laid {
    let count = files.len();
    // Numbers grow from file to file, whatever the manifest says.
    let grow = files.is_sorted_by(|(a, _), (b, _)| a < b);
    let place = |(index, (rank, entry)): (usize, (u64, Entry))| Placed {
        entry,
        number: if grow { rank } else { index as u64 },
        followed: index + 1 < count,
    };
    let segments = files.into_iter().enumerate().map(place).collect();
    Laid { name: if main == Some(&name) { String::new() } else { name }, segments }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_lists_files_in_order_and_may_say_more() {
        let text = b"# a comment\nfile a.2.base.rdb seq 2 type b\nfile a.2.incr.aof seq 2 type i startoffset 0 endoffset 536\n\
                     file \"a b\\x01.1.incr.aof\" seq 1 type h\n";
        let file = |name: &str, number, part| ListedFile { name: name.to_owned(), number, part };
        let files = vec![
            file("a.2.base.rdb", 2, Some(FilePart::Base)),
            file("a.2.incr.aof", 2, Some(FilePart::Increment)),
            file("a b\u{1}.1.incr.aof", 1, None),
        ];
        assert_eq!(parse(text), Manifest { files, bad_line: None });
    }

    #[test]
    fn lines_that_are_none_are_counted_and_names_lead_nowhere_else() {
        for line in [
            "file ../x seq 1 type b",
            "file x seq 1 type z",
            "file x seq one type b",
            "file \"x seq 1 type b",
            "file .. seq 1 type i",
            "seq 1 type b",
            "\0\0\0",
        ] {
            let text = format!("file a seq 1 type b\n{line}\n");
            let manifest = parse(text.as_bytes());
            assert_eq!((manifest.files.len(), manifest.bad_line), (1, Some(2)), "{line}");
        }
    }

    #[test]
    fn names_say_what_a_file_is_and_unfinished_ones_are_nothing() {
        let part = |log, number, part| Some(PartName { log, number, part });
        assert_eq!(part_name("appendonly.aof.12.incr.aof"), part("appendonly.aof", 12, FilePart::Increment));
        assert_eq!(part_name("x.1.base.rdb"), part("x", 1, FilePart::Base));
        for name in ["temp-appendonly.aof.1.incr.aof", "appendonly.aof", ".1.incr.aof", "a.x.base.aof", "dump.rdb"] {
            assert_eq!(part_name(name), None, "{name}");
        }
        assert!(
            is_single("appendonly.aof")
                && !is_single("temp-rewriteaof-12.aof")
                && !is_single("a.1.incr.aof")
                && !is_single(".aof")
        );
    }

    fn logs(files: &[(&str, &str)]) -> Vec<(String, Vec<(String, EntryKind)>)> {
        let entry = |(name, _): &(&str, &str)| Entry { name: (*name).to_owned(), length: 1, kind: EntryKind::File };
        let entries: Vec<Entry> = files.iter().map(entry).collect();
        let read = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_bytes().to_vec());
        let of = |log: Laid| (log.name, log.segments.into_iter().map(|placed| (placed.entry.name, placed.entry.kind)).collect());
        layout(&Folder::new(&entries, &read)).into_iter().map(of).collect()
    }

    #[test]
    fn the_manifest_decides_what_is_a_file_of_the_log_and_what_is_missing() {
        let manifest = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n";
        let found = logs(&[("a.1.incr.aof", ""), ("a.2.incr.aof", ""), ("a.manifest", manifest), ("temp-a.3.incr.aof", "")]);
        let files = vec![("a.2.base.rdb".to_owned(), EntryKind::Absent), ("a.2.incr.aof".to_owned(), EntryKind::File)];
        assert_eq!(found, [(String::new(), files)]);
    }

    #[test]
    fn without_a_manifest_names_give_the_order_and_each_log_its_name() {
        let file = |name: &str| (name.to_owned(), EntryKind::File);
        let found = logs(&[("a.2.incr.aof", ""), ("a.10.incr.aof", ""), ("a.1.base.rdb", "")]);
        assert_eq!(found, [(String::new(), vec![file("a.1.base.rdb"), file("a.2.incr.aof"), file("a.10.incr.aof")])]);
        let found = logs(&[("a.1.incr.aof", ""), ("appendonly.aof", "")]);
        let [single, parts] = ["appendonly.aof", "a"].map(str::to_owned);
        assert_eq!(found, [(single, vec![file("appendonly.aof")]), (parts, vec![file("a.1.incr.aof")])]);
    }
}
