//! Other systems' bytes: every fixture is recognised, walked, and what was found equals its expect.json.
//!
//! Each format has a test that runs its fixtures; MAKE.md beside them says how they were made. What holds for all formats alike is
//! asked of every fixture there is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use walctl::disk::{Disk, EntryKind, RealDisk, Source};
use walctl::formats::{Format, Halt, Item, Likeness, Sample, Sink, Summary, Visit, Want};
use walctl::model::{Damage, Error, Keys, Verdict};
use walctl::ops::mend::{Permit, carry_out, plan, plan_undo, undo};
use walctl::ops::open::{Choice, open, open_stream};
use walctl::ops::report::{Checks, Progress, verify};

use crate::support::lines::join_with_lines;

/// The formats whose fixtures are run: all but ours, whose logs the other tests write by themselves.
pub fn foreign() -> impl Iterator<Item = &'static Format> {
    walctl::formats::ALL.iter().copied().filter(|format| format.name != "native")
}

/// Cases whose LSNs cannot be told from the bytes: the format holds none, and only the writer knew. Everything else is compared.
const NUMBERS_UNKNOWABLE: &[(&str, &str, &str)] = &[
    ("rivven", "clean_restarted", "each restart inside a rotated file skips a number, and no byte says where"),
    ("rivven", "zeroed_page", "how many records stood in a zeroed page is not written anywhere"),
];

/// An entry as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub file: String,
    pub offset: u64,
    pub length: u64,
    pub lsn: Option<u64>,
    pub kind: String,
    pub payload: Vec<u8>,
    pub encrypted: bool,
    pub fields: BTreeMap<String, String>,
}

/// What was found in a log, or in all logs below one folder.
#[derive(Debug, Default)]
pub struct Found {
    pub records: Vec<Got>,
    /// Which file, and what.
    pub damage: Vec<(String, Damage)>,
    pub warnings: Vec<(String, String)>,
    /// By file: records, valid bytes.
    pub segments: BTreeMap<String, (u64, u64)>,
}

impl Found {
    pub fn verdict(&self) -> Verdict {
        self.damage.iter().map(|(_, d)| d.verdict()).max().unwrap_or(Verdict::Clean)
    }
}

/// Every folder at or below `root` that holds a segment of the format, in the order of their names.
pub fn logs_below(format: &Format, root: &Path) -> Vec<PathBuf> {
    let entries = RealDisk.list(root).expect("a fixture's folder can be listed");
    let mut found = Vec::new();
    if entries.iter().any(|e| e.kind == EntryKind::File && format.number_of(&e.name).is_some()) {
        found.push(root.to_owned());
    }
    let mut folders: Vec<_> = entries.into_iter().filter(|e| e.kind == EntryKind::Folder).map(|e| e.name).collect();
    folders.sort();
    for name in folders {
        found.extend(logs_below(format, &root.join(name)));
    }
    found
}

/// Walks all of a source, joins, and adds what was found. `prefix` is put before file names.
pub fn read(format: &Format, source: &Source, keys: &Keys, prefix: &str, into: &mut Found) {
    try_read(format, source, keys, prefix, into).expect("rotten bytes are no error");
}

/// The same for bytes that may say that they are of a version that nobody knows.
pub fn try_read(format: &Format, source: &Source, keys: &Keys, prefix: &str, into: &mut Found) -> Result<(), Halt> {
    let want = Want { payloads: true, deep: true, ..Want::default() };
    let mut summaries: Vec<Summary> = Vec::new();
    for segment in &source.segments {
        let mut records = 0;
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            let Item::Record(record) = item else { return Ok(()) };
            // Padding and the like is the log's own; a fixture lists somebody's data.
            if !record.is_data() {
                return Ok(());
            }
            records += 1;
            let mut payload = Vec::new();
            record.payload.each(&mut |piece| {
                payload.extend_from_slice(piece);
                Ok(())
            })?;
            into.records.push(Got {
                file: format!("{prefix}{}", segment.name),
                offset: record.span.start(),
                length: record.span.length,
                lsn: record.lsn.map(|l| l.0),
                kind: record.kind.to_owned(),
                payload,
                encrypted: record.encrypted,
                fields: record.fields.iter().map(|f| (f.name.to_owned(), format!("{:?}", f.value))).collect(),
            });
            Ok(())
        };
        let visit = Visit { source, segment, keys, want };
        let summary = format.walk(&visit, &mut Sink::new(&mut take))?;
        assert_eq!(summary.records, records, "{prefix}{}: as many records as were delivered", segment.name);
        assert!(summary.frames > 0 || records == 0, "{prefix}{}: a record stands in a frame", segment.name);
        summaries.push(summary);
    }
    let between = join_with_lines(format, source, &mut summaries);
    let name = |d: &Damage| format!("{prefix}{}", source.segments[d.span.place.segment.index()].name);
    for (segment, summary) in source.segments.iter().zip(&summaries) {
        into.segments.insert(format!("{prefix}{}", segment.name), (summary.records, summary.valid_bytes));
        into.damage.extend(summary.damage.kept().iter().map(|d| (name(d), d.clone())));
        into.warnings.extend(summary.warnings.kept().iter().map(|w| (w.name.to_owned(), w.text.clone())));
    }
    into.damage.extend(between.into_iter().map(|d| (name(&d), d)));
    Ok(())
}

/// Reads every log below a folder.
pub fn read_all(format: &Format, root: &Path, keys: &Keys) -> Found {
    let mut found = Found::default();
    for dir in logs_below(format, root) {
        let below = dir.strip_prefix(root).expect("a log lies below the root").to_string_lossy().into_owned();
        let prefix = if below.is_empty() { below } else { format!("{below}/") };
        let source = format.log_in(Arc::new(RealDisk), &dir).expect("a fixture can be listed");
        read(format, &source, keys, &prefix, &mut found);
    }
    found
}

/// The fixtures of a format: name and folder.
pub fn cases(format: &str) -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format);
    let entries = RealDisk.list(&root).unwrap_or_default();
    let mut all: Vec<_> = entries
        .into_iter()
        .filter(|e| e.kind == EntryKind::Folder)
        .map(|e| (e.name.clone(), root.join(e.name)))
        .filter(|(_, dir)| dir.join("expect.json").exists())
        .map(|(case, dir)| (case, unpacked(&dir)))
        .collect();
    all.sort();
    all
}

/// The files at and below a folder as they are stored, by their paths within it.
fn stored_files(root: &Path, below: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    let mut entries = RealDisk.list(&root.join(below)).unwrap_or_default();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let path = below.join(&entry.name);
        match entry.kind {
            EntryKind::Folder => stored_files(root, &path, into),
            _ => into.push((path.clone(), std::fs::read(root.join(path)).expect("a fixture can be read"))),
        }
    }
}

/// A case as its system left it: files that are stored compressed are unpacked, once, into the folder of the build's scratch files.
fn unpacked(dir: &Path) -> PathBuf {
    let mut files = Vec::new();
    stored_files(&dir.join("wal"), Path::new(""), &mut files);
    let is_packed = |path: &Path| path.extension().is_some_and(|extension| extension == "gz");
    if !files.iter().any(|(path, _)| is_packed(path)) {
        return dir.to_owned();
    }
    let mut sum = crc32fast::Hasher::new();
    for (path, stored) in &mut files {
        sum.update(path.to_string_lossy().as_bytes());
        sum.update(stored);
        if is_packed(path) {
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(&stored[..]).read_to_end(&mut content).expect("a fixture unpacks");
            (*path, *stored) = (path.with_extension(""), content);
        }
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    std::fs::create_dir_all(&scratch).expect("room for a folder");
    let whole = scratch.join(format!("{}-{:08x}", dir.file_name().expect("a case has a name").display(), sum.finalize()));
    if !whole.exists() {
        let new = tempfile::tempdir_in(&scratch).expect("room for a folder").keep();
        for (path, content) in files {
            let path = new.join("wal").join(path);
            std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("room for a folder");
            std::fs::write(path, content).expect("room for a fixture");
        }
        std::fs::copy(dir.join("expect.json"), new.join("expect.json")).expect("room for a file");
        // Another test may have been faster.
        if std::fs::rename(&new, &whole).is_err() {
            let _ = std::fs::remove_dir_all(&new);
        }
    }
    whole
}

pub fn expected(dir: &Path) -> Json {
    let text = std::fs::read(dir.join("expect.json")).expect("every case has an expect.json");
    serde_json::from_slice(&text).expect("expect.json is JSON")
}

pub fn keys(expect: &Json) -> Keys {
    let lines: Vec<&str> = list(expect, "test_keys_hex").iter().filter_map(Json::as_str).collect();
    if lines.is_empty() { Keys::default() } else { Keys::parse(&lines.join("\n")).expect("test keys are keys") }
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn number(json: &Json, key: &str) -> Option<u64> {
    json.get(key).and_then(Json::as_u64)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What is wrong with one case; nothing when all is as expected.
fn check(format: &Format, case: &str, dir: &Path) -> Vec<String> {
    let expect = expected(dir);
    let found = read_all(format, &dir.join("wal"), &keys(&expect));
    let mut wrong = Vec::new();
    check_verdict(&expect, &found, &mut wrong);
    check_records(format, case, &expect, &found, &mut wrong);
    check_places(&expect, &found, &mut wrong);
    for warning in list(&expect, "expected_warnings").iter().filter_map(Json::as_str) {
        let name = warning.replace('_', "-");
        if !found.warnings.iter().any(|(n, _)| *n == name) {
            wrong.push(format!("no warning {name}, only {:?}", found.warnings));
        }
    }
    for (name, _) in found.warnings.iter().filter(|(_, words)| words.len() < 40 || words.ends_with('.')) {
        wrong.push(format!("warning {name} does not say what happened and what to do"));
    }
    wrong
}

fn check_verdict(expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let accepted: Vec<&str> = match list(expect, "accept_verdicts") {
        [] => vec![text(expect, "verdict")],
        some => some.iter().filter_map(Json::as_str).collect(),
    };
    let verdict = found.verdict();
    let coarse = match verdict {
        Verdict::Clean => "clean",
        Verdict::Torn | Verdict::Suspect => "torn_tail",
        Verdict::Unreadable | Verdict::Foreign | Verdict::Missing | Verdict::Corrupt => "corrupt",
    };
    if !accepted.contains(&coarse) {
        wrong.push(format!("verdict {verdict}, where {accepted:?} would do: {:?}", found.damage));
    }
    // Where one verdict alone is right, a hole without bytes to blame is told from bad bytes too.
    if accepted.len() == 1 && (text(expect, "verdict_fine") == "missing") != (verdict == Verdict::Missing) {
        wrong.push(format!("verdict {verdict}, expected {}", text(expect, "verdict_fine")));
    }
}

fn check_records(format: &Format, case: &str, expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let listed = list(expect, "records");
    let numbered = !NUMBERS_UNKNOWABLE.iter().any(|(f, c, _)| *f == format.name && *c == case);
    if listed.len() != found.records.len() {
        wrong.push(format!("{} records, expected {}", found.records.len(), listed.len()));
    }
    for (record, want) in found.records.iter().zip(listed) {
        let place = format!("{}:{}", record.file, record.offset);
        if (record.file.as_str(), Some(record.offset)) != (text(want, "file"), number(want, "offset")) {
            wrong.push(format!("a record at {place}, expected at {}:{}", text(want, "file"), want["offset"]));
            return;
        }
        if number(want, "frame_len").is_some_and(|n| n != record.length) {
            wrong.push(format!("{place}: {} bytes long, expected {}", record.length, want["frame_len"]));
        }
        if numbered && number(want, "seq") != record.lsn {
            wrong.push(format!("{place}: LSN {:?}, expected {}", record.lsn, want["seq"]));
        }
        let same = match want.get("payload_utf8").and_then(Json::as_str) {
            Some(content) => content.as_bytes() == record.payload,
            None => text(want, "payload_sha256") == hex(&Sha256::digest(&record.payload)),
        };
        if !same || number(want, "payload_len") != Some(record.payload.len() as u64) {
            wrong.push(format!("{place}: another payload, of {} bytes", record.payload.len()));
        }
    }
}

fn check_places(expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let first = &expect["damage"]["first_bad_frame"];
    if let Some(offset) = number(first, "offset") {
        match found.damage.iter().find(|(_, d)| d.span.length > 0) {
            Some((file, damage)) if file == text(first, "file") && damage.span.start() == offset => {}
            other => wrong.push(format!("the first damage is {other:?}, expected at {first}")),
        }
    }
    for segment in list(expect, "segments") {
        let file = text(segment, "file");
        let (records, valid) = found.segments.get(file).copied().unwrap_or_default();
        if Some(records) != number(segment, "records") || Some(valid) != number(segment, "valid_bytes") {
            wrong.push(format!(
                "{file}: {records} records and {valid} valid bytes, expected {} and {}",
                segment["records"], segment["valid_bytes"]
            ));
        }
        let bad: Vec<(u64, u64)> =
            list(segment, "bad_ranges").iter().filter_map(|r| Some((number(r, "start")?, number(r, "end")?))).collect();
        let seen = found.damage.iter().filter(|(f, d)| f == file && d.span.length > 0);
        let seen: Vec<(u64, u64)> = seen.map(|(_, d)| (d.span.start(), d.span.end())).collect();
        if bad != seen {
            wrong.push(format!("{file}: bad ranges {seen:?}, expected {bad:?}"));
        }
    }
    for gap in list(expect, "sequence_gaps") {
        let expected = number(gap, "expected");
        let hole = |d: &Damage| d.span.length == 0 && d.lsn.map(|l| l.0) == expected;
        if text(expect, "verdict") != "clean" && expected.is_some() && !found.damage.iter().any(|(_, d)| hole(d)) {
            wrong.push(format!("no hole before LSN {}", gap["found"]));
        }
    }
}

fn run(name: &str) {
    let format = walctl::formats::by_name(name).expect("the format is in the registry");
    let cases = cases(name);
    assert!(!cases.is_empty(), "{name} has no fixtures");
    let mut failed = Vec::new();
    for (case, dir) in &cases {
        for wrong in check(format, case, dir) {
            failed.push(format!("{name}/{case}: {wrong}"));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn ironwal_fixtures_hold_what_their_writers_acknowledged() {
    run("ironwal");
}

#[test]
fn allsource_fixtures_hold_what_their_writers_acknowledged() {
    run("allsource");
}

#[test]
fn nodedb_fixtures_hold_what_their_writers_acknowledged() {
    run("nodedb");
}

#[test]
fn rivven_fixtures_hold_what_their_writers_acknowledged() {
    run("rivven");
}

#[test]
fn every_folder_of_fixtures_says_how_it_was_made() {
    for format in foreign() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.name);
        assert!(root.join("MAKE.md").exists(), "{} lacks MAKE.md", root.display());
    }
}

#[test]
fn a_log_is_taken_for_its_own_format_and_for_no_other() {
    for format in foreign() {
        for (case, dir) in cases(format.name) {
            for log in logs_below(format, &dir.join("wal")) {
                let beside = RealDisk.list(&log).expect("a fixture can be listed");
                let best = |other: &Format| beside.iter().map(|entry| likeness(other, &log, entry, &beside)).max();
                let own = best(format).unwrap_or(Likeness::No);
                assert!(own > Likeness::No, "{}/{case} is not recognised", format.name);
                for other in walctl::formats::ALL.iter().filter(|f| f.name != format.name) {
                    assert!(best(other) < Some(Likeness::Sure), "{}/{case} is taken for {}", format.name, other.name);
                }
            }
        }
    }
}

fn likeness(format: &Format, log: &Path, entry: &walctl::disk::Entry, beside: &[walctl::disk::Entry]) -> Likeness {
    if entry.kind != EntryKind::File {
        return Likeness::No;
    }
    let head = std::fs::read(log.join(&entry.name)).expect("a fixture can be read");
    let sample = Sample { name: Some(&entry.name), head: &head[..head.len().min(64 << 10)], length: entry.length, beside };
    (format.recognise)(&sample)
}

/// What the commands do with a folder: open it, by its content or by the format's name, and verify every log in it.
fn verify_all(root: &Path, format: Option<&'static Format>, keys: Keys) -> walctl::model::Result<(Verdict, u64)> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let choice = Choice { format, keys, ..Choice::default() };
    let mut worst = (Verdict::Clean, 0);
    for input in open(&disk, root, &choice)? {
        let report = verify(&input, &Checks { deep: true, ..Checks::default() }, &Progress::default())?;
        worst = (worst.0.max(report.verdict), worst.1 + report.records);
    }
    Ok(worst)
}

#[test]
fn every_log_opens_by_its_content_and_by_its_formats_name_and_verifies_alike() {
    let mut failed = Vec::new();
    for format in foreign() {
        for (case, dir) in cases(format.name) {
            let expect = expected(&dir);
            let found = read_all(format, &dir.join("wal"), &keys(&expect));
            let right = (found.verdict(), found.records.len() as u64);
            let named = verify_all(&dir.join("wal"), Some(format), keys(&expect));
            if !matches!(named, Ok(report) if report == right) {
                failed.push(format!("{}/{case} --format {}: {named:?}, expected {right:?}", format.name, format.name));
            }
            // An empty folder is no log unless somebody says which.
            let auto = verify_all(&dir.join("wal"), None, keys(&expect));
            let right = match auto {
                Ok(report) => report == right,
                Err(Error::NotALog { .. }) => found.segments.is_empty(),
                Err(_) => false,
            };
            if !right {
                failed.push(format!("{}/{case}: {auto:?}, expected the same as with its name", format.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_log_of_one_segment_reads_the_same_through_a_pipe() {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut failed = Vec::new();
    for format in foreign() {
        for (case, dir) in cases(format.name) {
            let expect = expected(&dir);
            let found = read_all(format, &dir.join("wal"), &keys(&expect));
            let [(file, (records, valid))] = found.segments.iter().collect::<Vec<_>>()[..] else { continue };
            let bytes = std::fs::read(dir.join("wal").join(file)).expect("the segment is there");
            let choice = Choice { format: Some(format), keys: keys(&expect), ..Choice::default() };
            let input = open_stream(&disk, "-", Box::new(std::io::Cursor::new(bytes)), &choice).expect("the format is named");
            let report = verify(&input, &Checks::default(), &Progress::default()).expect("rotten bytes are no error");
            if (report.records, report.valid_bytes, report.verdict) != (*records, *valid, found.verdict()) {
                failed.push(format!(
                    "{}/{case}: {} records, {} bytes, {}; from the file {records}, {valid}, {}",
                    format.name,
                    report.records,
                    report.valid_bytes,
                    report.verdict,
                    found.verdict()
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Repairs a copy of a fixture by the library, as the command does.
fn repaired(root: &Path, format: &'static Format, keys: &Keys) -> walctl::model::Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let choice = Choice { format: Some(format), keys: keys.clone(), ..Choice::default() };
    let permit = Permit { suspect: true, ..Permit::default() };
    for input in open(&disk, root, &choice)? {
        let report = verify(&input, &Checks::default(), &Progress::default())?;
        let plan = plan(&input, &report, &permit)?;
        if plan.refusal.is_none() {
            carry_out(&disk, &plan)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("room for a folder");
    for entry in RealDisk.list(from).expect("a fixture can be listed") {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.kind == EntryKind::Folder {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).expect("room for a file");
        }
    }
}

#[test]
fn repair_cuts_exactly_the_bytes_that_no_intact_record_needs_and_touches_nothing_else() {
    let mut failed = Vec::new();
    for format in ["ironwal", "rivven"].map(|name| walctl::formats::by_name(name).expect("the format is in the registry")) {
        for (case, dir) in cases(format.name) {
            let (expect, scratch) = (expected(&dir), tempfile::tempdir().expect("a temporary folder"));
            let found = read_all(format, &dir.join("wal"), &keys(&expect));
            copy(&dir.join("wal"), scratch.path());
            repaired(scratch.path(), format, &keys(&expect)).expect("a repair is carried out or refused");
            let cuts = list(&expect["repair"], "truncate_to");
            for file in found.segments.keys() {
                let (before, after) = (std::fs::read(dir.join("wal").join(file)), std::fs::read(scratch.path().join(file)));
                let mut want = before.expect("the segment is there");
                if let Some(cut) = cuts.iter().find(|cut| text(cut, "file") == file) {
                    want.truncate(usize::try_from(number(cut, "len").expect("a length")).expect("small"));
                }
                let after = after.expect("no segment is removed");
                if after != want {
                    failed.push(format!("{}/{case}: {file} has {} bytes, expected {}", format.name, after.len(), want.len()));
                }
            }
            let again = read_all(format, scratch.path(), &keys(&expect));
            if again.records.len() != found.records.len() || !cuts.is_empty() && again.verdict() != Verdict::Clean {
                failed.push(format!(
                    "{}/{case}: {} after the repair, {} records",
                    format.name,
                    again.verdict(),
                    again.records.len()
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_torn_rivven_tail_is_cut_although_a_file_was_made_ahead_behind_it() {
    let format = walctl::formats::by_name("rivven").expect("the format is in the registry");
    let (_, dir) = cases("rivven").into_iter().find(|(case, _)| case == "torn_tail_prealloc").expect("the case is there");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    copy(&dir.join("wal"), scratch.path());
    std::fs::write(scratch.path().join("00000000000000001024.wal"), [0; 4096]).expect("room for a file");
    repaired(scratch.path(), format, &Keys::default()).expect("a repair is carried out");
    assert_eq!(std::fs::metadata(scratch.path().join("00000000000000000000.wal")).expect("it is there").len(), 1078);
    assert_eq!(read_all(format, scratch.path(), &Keys::default()).verdict(), Verdict::Clean);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let choice = Choice { format: Some(format), ..Choice::default() };
    let inputs = open(&disk, scratch.path(), &choice).expect("it opens");
    undo(&disk, &plan_undo(&inputs[0]).expect("nothing was written since")).expect("it is put back");
    assert_eq!(read_all(format, scratch.path(), &Keys::default()).verdict(), Verdict::Torn);
}

#[test]
fn nothing_is_appended_to_a_log_of_another_system_and_none_of_its_files_is_touched() {
    let (mut refused, mut failed) = (0, Vec::new());
    for format in foreign() {
        for (case, dir) in cases(format.name) {
            for log in logs_below(format, &dir.join("wal")) {
                let scratch = tempfile::tempdir().expect("a temporary folder");
                let target = scratch.path().join("log");
                copy(&log, &target);
                for flags in [&["--text", "x"][..], &["--text", "x", "--repair"]] {
                    let append =
                        std::process::Command::new(env!("CARGO_BIN_EXE_walctl")).arg("append").arg(&target).args(flags).output();
                    let append = append.expect("walctl runs");
                    let said = String::from_utf8_lossy(&append.stderr);
                    refused += usize::from(append.status.code() == Some(1) && said.contains("appends only to its own logs"));
                    // A folder with nothing in it yet that tells whose it is takes records; a file of length 0 tells that by its name.
                    let known = std::fs::read_dir(&log).is_ok_and(|mut files| {
                        files.any(|file| file.is_ok_and(|file| file.metadata().is_ok_and(|meta| meta.len() > 0)))
                    });
                    if append.status.success() && known {
                        failed.push(format!("{}/{case}: it took a record", format.name));
                    }
                }
                for entry in RealDisk.list(&log).expect("a fixture can be listed").iter().filter(|e| e.kind == EntryKind::File) {
                    let before = std::fs::read(log.join(&entry.name)).expect("it can be read");
                    if std::fs::read(target.join(&entry.name)).ok() != Some(before) {
                        failed.push(format!("{}/{case}: {} is another file now", format.name, entry.name));
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(refused > 200, "only {refused} were refused as logs of another system");
}
