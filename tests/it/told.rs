//! What is told of hurt logs: of every fixture of another system word for word, and of small logs, ours too, in which each byte is hurt.
//!
//! `tests/told/*.txt` holds the answers. Where one changed on purpose, `UPDATE=1 cargo test --test it told` rewrites them; read the
//! difference as a user of that system would.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use walctl::disk::{Entry, EntryKind};
use walctl::formats::{Likeness, Sample};
use walctl::model::Keys;
use walctl::ops::report::{Checks, Progress, verify};

use crate::formats::{cases, expected};

use crate::support::fixture;
use crate::support::folder::Files;
use crate::support::recipe::{KEY, cook};
use crate::support::sandbox::{Ran, Sandbox};
use crate::support::wounds::{Base, open_in};

/// How many records are shown at either end of a log.
const SHOWN: usize = 2;

/// How much is shown of what a record means.
const LONGEST: usize = 240;

/// How many lines for people are shown of the records of a fixture.
const LINES: usize = 4;

fn compare(name: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/told").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("room for a folder");
        std::fs::write(&path, told).expect("room for the answers");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let (mut expected, mut found) = (written.lines(), told.lines());
    let mut section = "";
    loop {
        let (one, two) = (expected.next(), found.next());
        section = two.filter(|line| line.starts_with('#')).unwrap_or(section);
        assert_eq!(two, one, "below `{section}`, and differs from {}; UPDATE=1 rewrites it", path.display());
        if one.is_none() {
            return;
        }
    }
}

/// Runs a command over a copy of a fixture, and adds what it answers.
fn step(sandbox: &Sandbox, words: &[&str], into: &mut String, show: impl Fn(&Ran) -> String) {
    let keys = if sandbox.path().join("KEYS").exists() { &["--key-file", "KEYS"][..] } else { &[] };
    let ran = sandbox.run(&[words, keys].concat());
    let _ = write!(into, "$ walctl {} -> {}\n{}", words.join(" "), ran.code, show(&ran));
}

/// Both outputs, without bytes in hex and without what the catalogue says of each kind of damage.
fn words(ran: &Ran) -> String {
    let general = |line: &&str| {
        let bytes = line.trim_start_matches(['>', ' ']).starts_with(|c: char| c.is_ascii_digit()) && line.contains('|');
        let catalogue = ["  usual cause: ", "  what helps: ", "  not protected by "].iter().any(|head| line.starts_with(head));
        !bytes && !catalogue && !line.starts_with("segment ")
    };
    let lines = ran.stdout.lines().chain(ran.stderr.lines()).filter(general);
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The first and the last records without their payloads and what those mean, where values are hashes that no two runs share.
fn records(ran: &Ran) -> String {
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index >= SHOWN && index + SHOWN < lines.len() {
            continue;
        }
        let mut record: Json = serde_json::from_str(line).expect("each line is JSON");
        let record = record.as_object_mut().expect("each line is an object");
        // Hashes of what may be secret are others in each run.
        record.retain(|key, _| !key.starts_with("payload") && key != "decoded");
        let _ = writeln!(text, "{}", Json::Object(record.clone()));
    }
    text + &ran.stderr
}

/// What stats measured by the clock is left out.
fn figures(ran: &Ran) -> String {
    let mut text = String::new();
    for line in ran.stdout.lines() {
        let mut stats: Json = serde_json::from_str(line).expect("each line is JSON");
        let stats = stats.as_object_mut().expect("each line is an object");
        stats.retain(|key, _| !["age_seconds", "replay_seconds", "scan_bytes_per_second"].contains(&key.as_str()));
        for (key, value) in stats.iter().filter(|(_, value)| !matches!(value, Json::Array(list) if list.is_empty())) {
            let _ = writeln!(text, "  {key}: {value}");
        }
    }
    text + &ran.stderr
}

fn fixtures_are_told(format: &str) {
    let mut told = String::new();
    for (case, dir) in cases(format) {
        let sandbox = Sandbox::new();
        fixture::copy_all(&dir.join("wal"), &sandbox.path().join("LOG")).expect("a fixture can be copied");
        let keys = expected(&dir)["test_keys_hex"].as_array().map_or(Vec::new(), Clone::clone);
        if !keys.is_empty() {
            let lines: Vec<&str> = keys.iter().filter_map(Json::as_str).collect();
            std::fs::write(sandbox.path().join("KEYS"), lines.join("\n") + "\n").expect("room for keys");
        }
        let _ = writeln!(told, "# {format}/{case}");
        step(&sandbox, &["verify", "LOG", "--deep"], &mut told, words);
        step(&sandbox, &["dump", "LOG", "--json"], &mut told, records);
        // Two of each kind of log are enough of figures.
        if case.starts_with("clean_") || case.starts_with("bitflip_mid") {
            step(&sandbox, &["stats", "LOG", "--json"], &mut told, figures);
        }
        step(&sandbox, &["repair", "LOG", "--dry-run", "--accept-suspect"], &mut told, words);
        step(&sandbox, &["repair", "LOG", "--salvage", "NEW"], &mut told, words);
    }
    compare(format, &told);
}

#[test]
fn each_ironwal_fixture_is_told_as_written() {
    fixtures_are_told("ironwal");
}

#[test]
fn each_rivven_fixture_is_told_as_written() {
    fixtures_are_told("rivven");
}

#[test]
fn each_raft_engine_fixture_is_told_as_written() {
    fixtures_are_told("raft-engine");
}

#[test]
fn each_zookeeper_fixture_is_told_as_written() {
    fixtures_are_told("zookeeper");
}

#[test]
fn each_mysql_fixture_is_told_as_written() {
    fixtures_are_told("mysql");
}

#[test]
fn each_nodedb_fixture_is_told_as_written() {
    fixtures_are_told("nodedb");
}

#[test]
fn each_nats_fixture_is_told_as_written() {
    fixtures_are_told("nats");
}

#[test]
fn each_redis_fixture_is_told_as_written() {
    fixtures_are_told("redis");
}

#[test]
fn each_allsource_fixture_is_told_as_written() {
    fixtures_are_told("allsource");
}

#[test]
fn each_kafka_fixture_is_told_as_written() {
    fixtures_are_told("kafka");
}

#[test]
fn each_etcd_fixture_is_told_as_written() {
    fixtures_are_told("etcd");
}

#[test]
fn each_postgres_fixture_is_told_as_written() {
    fixtures_are_told("postgres");
}

#[test]
fn each_rocksdb_fixture_is_told_as_written() {
    fixtures_are_told("rocksdb");
}

#[test]
fn each_sqlite_fixture_is_told_as_written() {
    fixtures_are_told("sqlite");
}

#[test]
fn each_pebble_fixture_is_told_as_written() {
    fixtures_are_told("pebble");
}

#[test]
fn each_prometheus_fixture_is_told_as_written() {
    fixtures_are_told("prometheus");
}

/// A line, cut where it is long.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} and {} bytes more", &line[..end], line.len() - end),
        None => line.to_owned(),
    }
}

/// What two records have in common that the same lines of a decoder made: their kind, and which facts are there.
fn shape(record: &Json) -> String {
    let facts: Vec<&str> = record["decoded"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    format!("{} {}", record["kind"], facts.join(" "))
}

/// What two lines for people have in common: words without a digit, but for names of a record's own.
fn wording(line: &str) -> String {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == ',') && word.len() > 1;
    line.split_whitespace().filter(plain).take(6).collect::<Vec<_>>().join(" ")
}

/// FNV-1a, which tells by one number whether any of many lines is another one.
fn summed(sum: u64, text: &str) -> u64 {
    text.bytes().fold(sum, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What the records of all fixtures of a format mean: the first of each shape, and the sum of all that is said of a fixture's.
fn meanings(format: &str) -> String {
    let (mut told, mut seen) = (String::new(), BTreeMap::<String, usize>::new());
    let mut new = |shape: String| {
        let alike = seen.entry(shape).or_default();
        *alike += 1;
        *alike == 1
    };
    for (case, dir) in cases(format) {
        let sandbox = Sandbox::new();
        fixture::copy_all(&dir.join("wal"), &sandbox.path().join("LOG")).expect("a fixture can be copied");
        let keys = expected(&dir)["test_keys_hex"].as_array().map_or(Vec::new(), Clone::clone);
        let hex: Vec<&str> = keys.iter().filter_map(Json::as_str).collect();
        std::fs::write(sandbox.path().join("KEYS"), hex.join("\n") + "\n").expect("room for keys");
        let keys = if hex.is_empty() { &[][..] } else { &["--key-file", "KEYS"] };
        let dump = |how: &[&str]| sandbox.run(&[&["dump", "LOG", "--show-values"], how, keys].concat()).stdout;
        let (mut sum, mut count, mut lines, mut shown) = (0xcbf2_9ce4_8422_2325, 0, 0, String::new());
        for line in dump(&["--json"]).lines() {
            let record: Json = serde_json::from_str(line).expect("each line is JSON");
            if record["decoded"].is_null() {
                continue;
            }
            let text = format!("{} {}", record["kind"].as_str().unwrap_or("record"), record["decoded"]);
            (sum, count) = (summed(sum, &text), count + 1);
            if new(shape(&record)) {
                let _ = writeln!(shown, "{}", shortened(&text));
            }
        }
        if count == 0 {
            continue;
        }
        for line in dump(&[]).lines() {
            sum = summed(sum, line);
            let of_a_record = !["--", "!!", "LOG", "next"].iter().any(|head| line.starts_with(head));
            if of_a_record && !line.ends_with(" PAYLOAD") && lines < LINES && new(wording(line)) {
                lines += 1;
                let _ = writeln!(shown, "{}", shortened(line.trim()));
            }
        }
        let _ = writeln!(
            told,
            "# {format}/{case}: {count} records mean something; sum {sum:016x} of all that is said of them\n{shown}"
        );
    }
    told
}

#[test]
fn what_the_records_of_each_fixture_mean_is_told_as_written() {
    let names = walctl::formats::ALL.iter().map(|format| format.name);
    let told = std::thread::scope(|scope| {
        let running: Vec<_> = names.map(|name| scope.spawn(move || meanings(name))).collect();
        running.into_iter().map(|one| one.join().expect("a fixture can be dumped")).collect::<String>()
    });
    compare("meanings", told.trim_end());
}

/// What was found in hurt files, in one line without lengths that change from byte to byte.
fn verdict_of(base: &Base, files: &Files) -> String {
    let Ok((_, input)) = open_in(files, Some(base.format), &base.keys) else { return "does not open".into() };
    let report = match verify(&input, &Checks { deep: true, ..Checks::default() }, &Progress::default()) {
        Ok(report) => report,
        Err(error) => return format!("error: {error}"),
    };
    let mut line = format!("{}, {} records", report.verdict, report.records);
    for damage in &report.damage {
        let index = damage.span.place.segment.index();
        let (start, end) = (damage.span.start(), damage.span.end());
        // A cut file ends elsewhere each time, and damage that reaches so far is told alike.
        let end = if end == report.segments[index].file_bytes { "its end".into() } else { end.to_string() };
        let _ = write!(line, "; {} in file {} from {start} to {end}", damage.kind.name(), index + 1);
        if let Some(lsn) = damage.lsn {
            let _ = write!(line, ", LSN {lsn} due");
        }
        if let Some(doubt) = damage.doubt {
            let _ = write!(line, ", in doubt {doubt}");
        }
        let _ = write!(line, ", acknowledged {:?}", damage.acknowledged());
    }
    let names: BTreeSet<&str> = report.warnings.iter().map(|warning| warning.name).collect();
    for name in names {
        let _ = write!(line, "; {name}");
    }
    line
}

/// Runs of bytes whose harm is told alike.
fn map_of(base: &Base, file: &str, what: &str, hurt: impl Fn(&mut Vec<u8>, usize)) -> String {
    let length = base.files[file].len();
    let content = base.files[file].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    // Behind what a header of ours uses there are zeros up to its end.
    let filling = if base.is_native() { 112..4096 } else { 0..0 };
    for at in (0..length.min(content + 2)).filter(|at| !filling.contains(at)) {
        let mut files = base.files.clone();
        hurt(files.get_mut(file).expect("it is there"), at);
        let told = verdict_of(base, &files);
        match runs.last_mut() {
            Some((_, last, same)) if *same == told => *last = at,
            _ => runs.push((at, at, told)),
        }
    }
    let mut text = format!("## {file}: {what}\n");
    for (first, last, told) in runs {
        let _ = writeln!(text, "{first}-{last}: {told}");
    }
    text
}

fn base(format: &str, case: &str, below: &str) -> Base {
    let dir: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format).join(case);
    let expect = expected(&dir);
    let files = std::fs::read_dir(dir.join("wal").join(below)).expect("the fixture is there").filter_map(|entry| {
        let entry = entry.expect("it can be listed");
        let bytes = std::fs::read(entry.path()).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), bytes))
    });
    Base {
        name: format!("{format}/{case}"),
        format: walctl::formats::by_name(format).expect("the format is in the registry"),
        keys: crate::formats::keys(&expect),
        key_lines: String::new(),
        files: files.collect(),
    }
}

#[expect(clippy::ptr_arg, reason = "one of several ways, and others make the file shorter")]
fn flip(bytes: &mut Vec<u8>, at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (at % 8);
    }
}

#[expect(clippy::ptr_arg, reason = "one of several ways, and others make the file shorter")]
fn zero(bytes: &mut Vec<u8>, at: usize) {
    let end = bytes.len().min(at + 16);
    bytes[at.min(end)..end].fill(0);
}

fn remove(bytes: &mut Vec<u8>, at: usize) {
    let end = bytes.len().min(at + 64);
    bytes.drain(at.min(end)..end);
}

/// Logs and files in them that are hurt at each byte: one that others follow, and the last.
const HURT: [(&str, &str, &str, &[&str]); 9] = [
    ("allsource", "clean_multi_segment", "", &["wal-0000000000000005.log", "wal-000000000000001e.log"]),
    ("ironwal", "clean_multi_segment", "orders", &["00000000000000000009.wal", "00000000000000000035.wal"]),
    ("ironwal", "clean_batch_split_by_rotation", "orders", &["00000000000000000014.wal"]),
    ("nodedb", "clean_multi_segment-h63", "", &["wal-00000000000000000009.seg", "wal-00000000000000000034.seg"]),
    ("nodedb", "clean_multi_segment", "", &["wal-00000000000000000034.seg"]),
    ("nodedb", "clean_encrypted_multi_segment-h63", "", &["wal-00000000000000000006.seg"]),
    ("rivven", "clean_multi_segment", "", &["00000000000000000014.wal", "00000000000000000041.wal"]),
    ("rivven", "clean_encrypted", "", &["00000000000000000005.wal"]),
    ("rivven", "clean_multi_segment_prealloc", "", &["00000000000000000038.wal"]),
];

fn maps_are_told(format: &str) {
    let mut told = String::new();
    for (_, case, below, files) in HURT.iter().filter(|(name, ..)| *name == format) {
        let base = base(format, case, below);
        let _ = writeln!(told, "# {}", base.name);
        for file in *files {
            // What a bit does to a line depends on the letter that it hits.
            if format != "allsource" {
                told += &map_of(&base, file, "a bit of each byte flipped", flip);
            }
            told += &map_of(&base, file, "cut at each byte", |bytes, at| bytes.truncate(at));
            told += &map_of(&base, file, "16 zeros from each byte on", zero);
            told += &map_of(&base, file, "64 bytes taken out at each byte", remove);
        }
    }
    compare(&format!("{format}-bytes"), &told);
}

/// Our own logs as recipes: what vouches for what, batches, fragments, padding, transactions across segments, and encryption.
const OURS: [(&str, &str); 6] = [
    ("groups", "record alpha\ngroup\nrecord beta\nrecord gamma\nsync\nseal\nsegment\nrecord delta\nrecord omega\nclose"),
    ("batches", "record a\nbatch\nrecord b\nlz4 fill 90\nend\nrecord d\nseal\nsegment\nbatch\nfill 60 1\nfill 60 2\nend"),
    (
        "fragments",
        "begin 7\nrecord a\nsplit 20 fill 50 98\nkind txn-begin tag 9 record t\nsegment\nkind txn-commit tag 9\nrecord b",
    ),
    ("padding", "block 512\nrecord a\npad 512\nrecord b\nseal\nsegment\nrecord c\npad 512\nclose\npad 512\nrecord d\npad 512"),
    (
        "unknown",
        "begin 48213\nunsynced unknown record a\nsegment\nunsynced unknown record b\nunsynced unknown record c\nzeros 64",
    ),
    ("encrypted", "encrypted record secret\nlz4 encrypted fill 200\nseal\nsegment\nencrypted record after\nencrypted record all"),
];

/// Our own logs, whole and hurt, for every command that only looks, and for those that mend and prune.
const TOLD: [&str; 16] = [
    "tag 1 record a\ntag 2 record bb\nseal\nsegment\ntag 1 record ccc\nseal\nsegment\nrecord dddd\nclose",
    "group\nrecord a\nrecord b\nsync\ntime 1700000005000000 record c\ntime 1700000065000000 record d\ntime 1700000066000000 record e",
    "record a\nrecord b\nseal\nsegment\nkind checkpoint tag 2 record state\nrecord c\nseal\nsegment\nrecord d",
    "kind txn-begin tag 9 record t\nrecord a\nseal\nsegment\nkind txn-begin tag 4 record u\nkind txn-commit tag 9\nseal\nsegment\nrecord b",
    "record a\nrecord b\nrecord c\ncut 10",
    "record a\nrecord b\nrecord c\nzeros 5000",
    "group\nrecord a\nrecord b\nsync\nrecord c\nflip @2+42 3",
    "record a\nrecord b\nrecord c\nflip @3+42 3",
    "record a\nsegment\nrecord b\nsegment\nrecord c\ndrop segment 2",
    "record a\nrecord b\nsegment\nskip 3\nrecord c\nclose",
    "record a\nbatch\nrecord b\nrecord c\nend\nrecord d\nflip @2+42 1",
    "kind txn-begin tag 9 record t\nrecord a\nkind txn-commit tag 9\nkind txn-begin tag 8 record u\nrecord b\nflip @2+42 1",
    "encrypted record secret\nlz4 encrypted fill 200\nseal\nsegment\nencrypted record after\nflip @3+42 1",
    "times 12 fill 90 100\nseal\nsegment\ntimes 12 lz4 fill 90 101\nseal\nsegment\nsplit 20 fill 90 102\nrecord tail",
    "begin 48213\nrecord a\nsegment\ngroup\nrecord b\nrecord c\nsync\nsegment\nunsynced unknown record d\nunsynced unknown record e",
    "record a\nrecord b\nhole 3 5 missing-segment\nrecord c\nsegment\nrecord d",
];

#[test]
fn each_command_tells_of_our_own_logs_as_written() {
    let mut told = String::new();
    for recipe in TOLD {
        let sandbox = Sandbox::with(recipe);
        let _ = writeln!(told, "# native: {}", recipe.replace('\n', "; "));
        step(&sandbox, &["verify", "LOG", "--deep"], &mut told, words);
        step(&sandbox, &["stats", "LOG", "--json"], &mut told, figures);
        step(&sandbox, &["stats", "LOG", "--json", "--scan"], &mut told, figures);
        step(&sandbox, &["dump", "LOG", "--json"], &mut told, records);
        step(&sandbox, &["dump", "LOG", "--json", "--reverse"], &mut told, records);
        step(&sandbox, &["dump", "LOG", "--tail", "2"], &mut told, words);
        step(&sandbox, &["dump", "LOG", "--grep", "b", "--context", "1"], &mut told, words);
        step(&sandbox, &["repair", "LOG", "--dry-run", "--accept-suspect"], &mut told, words);
        step(&sandbox, &["repair", "LOG", "--salvage", "NEW"], &mut told, words);
        step(&sandbox, &["dump", "NEW", "--json"], &mut told, records);
        step(&sandbox, &["rotate", "LOG", "--prune"], &mut told, words);
    }
    compare("native", &told);
}

#[test]
fn harm_to_each_byte_of_our_own_logs_is_told_as_written() {
    let mut told = String::new();
    for (name, recipe) in OURS {
        let made = cook(recipe).expect("a good recipe");
        let base = Base {
            name: format!("native: {name}"),
            format: &walctl::formats::native::FORMAT,
            keys: Keys::parse(KEY).expect("the key of the recipes"),
            key_lines: String::new(),
            files: made.segments.iter().map(|segment| (segment.name.clone(), segment.bytes.clone())).collect(),
        };
        let _ = writeln!(told, "# {}: {}", base.name, recipe.replace('\n', "; "));
        for file in base.files.keys() {
            told += &map_of(&base, file, "a bit of each byte flipped", flip);
            told += &map_of(&base, file, "cut at each byte", |bytes, at| bytes.truncate(at));
            told += &map_of(&base, file, "16 zeros from each byte on", zero);
            told += &map_of(&base, file, "64 bytes taken out at each byte", remove);
        }
    }
    compare("native-bytes", &told);
}

#[test]
fn harm_to_each_byte_of_an_ironwal_log_is_told_as_written() {
    maps_are_told("ironwal");
}

#[test]
fn harm_to_each_byte_of_a_rivven_log_is_told_as_written() {
    maps_are_told("rivven");
}

#[test]
fn harm_to_each_byte_of_a_nodedb_log_is_told_as_written() {
    maps_are_told("nodedb");
}

#[test]
fn harm_to_each_byte_of_an_allsource_log_is_told_as_written() {
    maps_are_told("allsource");
}

/// The start of a file of a fixture.
fn head_of(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)).expect("the fixture is there")
}

/// A file's start with a byte of it changed.
fn hurt_at(mut head: Vec<u8>, at: usize) -> Vec<u8> {
    head[at] ^= 0x41;
    head
}

#[test]
fn what_a_file_is_taken_for_is_told_as_written() {
    let (zero, sixteen) = ("00000000000000000000.wal", "00000000000000000016.wal");
    let rivven = || head_of("rivven/clean_single/wal/00000000000000000000.wal");
    let ironwal = || head_of("ironwal/clean_single/wal/orders/00000000000000000000.wal");
    let nodedb = || head_of("nodedb/clean_single/wal/wal-00000000000000000001.seg");
    let sealed = || head_of("nodedb/clean_encrypted/wal/wal-00000000000000000001.seg");
    let allsource = || head_of("allsource/clean_single/wal/wal-0000000000000000.log");
    let ours = || cook("begin 16\nrecord alpha\nrecord beta").expect("a good recipe").segments.remove(0).bytes;
    let headless = |mut bytes: Vec<u8>| {
        bytes[..64].fill(b'x');
        bytes
    };
    let zeros = || vec![0; 4096];
    let samples: Vec<(&str, &str, Vec<u8>, &[&str])> = vec![
        ("rivven", zero, rivven(), &[]),
        ("rivven under another name", "data.bin", rivven(), &[]),
        ("rivven whose first magic is hurt", zero, hurt_at(rivven(), 0), &[]),
        ("rivven whose first magic is hurt, beside an index of ironwal", zero, hurt_at(rivven(), 0), &["segments.idx"]),
        ("rivven whose first magic is hurt, beside a head of ironwal", zero, hurt_at(rivven(), 0), &["head.state"]),
        ("zeros", zero, zeros(), &[]),
        ("zeros beside a lock", zero, zeros(), &["LOCK"]),
        ("zeros under a name of ours", sixteen, zeros(), &[]),
        ("zeros under a name of ours beside a lock", sixteen, zeros(), &["LOCK"]),
        ("zeros under a name of ours beside saved bytes", sixteen, zeros(), &["00000000000000000016.wal.cut-4096"]),
        ("nothing", zero, Vec::new(), &[]),
        ("nothing under a name of ours", sixteen, Vec::new(), &[]),
        ("nothing beside an index of ironwal", zero, Vec::new(), &["segments.idx"]),
        ("nothing beside a marker of rivven", zero, Vec::new(), &[".last_replayed_lsn"]),
        ("other bytes", zero, vec![b'x'; 100], &[]),
        ("other bytes beside an index of ironwal", zero, vec![b'x'; 100], &["segments.idx"]),
        ("other bytes beside a marker of rivven", zero, vec![b'x'; 100], &[".last_replayed_lsn"]),
        ("other bytes under a name of ours", sixteen, vec![b'x'; 100], &[]),
        ("other bytes under a name of nodedb", "wal-00000000000000000001.seg", vec![b'x'; 100], &[]),
        ("other bytes under a name of allsource", "wal-0000000000000000.log", vec![b'x'; 100], &[]),
        ("other bytes under another name", "data.bin", vec![b'x'; 100], &["LOCK", "segments.idx", ".last_replayed_lsn"]),
        ("ironwal", zero, ironwal(), &["segments.idx"]),
        ("ironwal alone", zero, ironwal(), &[]),
        ("ironwal whose first magic is hurt, alone", zero, hurt_at(ironwal(), 0), &[]),
        ("ironwal whose first magic is hurt", zero, hurt_at(ironwal(), 0), &["segments.idx"]),
        ("nodedb", "wal-00000000000000000001.seg", nodedb(), &[]),
        ("nodedb under another name", "data.bin", nodedb(), &[]),
        ("nodedb whose first magic is hurt", "wal-00000000000000000001.seg", hurt_at(nodedb(), 0), &[]),
        ("nodedb whose first record is hurt", "wal-00000000000000000001.seg", hurt_at(nodedb(), 60), &[]),
        ("nodedb whose first record is hurt, under another name", "data.bin", hurt_at(nodedb(), 60), &[]),
        ("the first record of nodedb, cut", "data.bin", nodedb()[..60].to_vec(), &[]),
        ("nodedb behind a preamble", "wal-00000000000000000001.seg", sealed(), &[]),
        ("nodedb behind a preamble, under another name", "data.bin", sealed(), &[]),
        ("a preamble of nodedb", "wal-00000000000000000001.seg", sealed()[..16].to_vec(), &[]),
        ("half a preamble of nodedb", "wal-00000000000000000001.seg", sealed()[..8].to_vec(), &[]),
        ("allsource", "wal-0000000000000000.log", allsource(), &[]),
        ("allsource under another name", "data.bin", allsource(), &[]),
        ("the first line of allsource, cut", "wal-0000000000000000.log", allsource()[..60].to_vec(), &[]),
        ("the first line of allsource, cut, under another name", "data.bin", allsource()[..60].to_vec(), &[]),
        ("ours", sixteen, ours(), &[]),
        ("ours under another name", "data.bin", ours(), &[]),
        ("ours whose magic is hurt", sixteen, hurt_at(ours(), 0), &[]),
        ("ours whose magic is hurt, under another name", "data.bin", hurt_at(ours(), 0), &[]),
        ("ours whose magic is hurt in three places", sixteen, hurt_at(hurt_at(hurt_at(ours(), 0), 1), 2), &[]),
        ("ours without a header", sixteen, headless(ours()), &[]),
        ("ours without a header and a first frame", sixteen, hurt_at(headless(ours()), 4096), &[]),
        ("ours without a header, under another name", "data.bin", headless(ours()), &[]),
        ("half a magic of ours", sixteen, ours()[..4].to_vec(), &[]),
        ("half a magic of ours, under another name", "data.bin", ours()[..4].to_vec(), &[]),
    ];
    let mut told = String::new();
    for (what, name, head, beside) in samples {
        let entry = |name: &&str| Entry { name: (*name).to_owned(), length: 1, kind: EntryKind::File };
        let beside: Vec<Entry> = beside.iter().map(entry).collect();
        let sample = Sample { name: Some(name), head: &head, length: head.len() as u64, beside: &beside };
        let likely = ["native", "ironwal", "rivven", "nodedb", "allsource"].into_iter().filter_map(|format| {
            let likeness = (walctl::formats::by_name(format).expect("it is in the registry").recognise)(&sample);
            (likeness > Likeness::No).then(|| format!("{format} {likeness:?}"))
        });
        let likely: Vec<String> = likely.collect();
        let _ = writeln!(told, "{what}: {}", if likely.is_empty() { "no log".into() } else { likely.join(", ") });
    }
    compare("recognised", &told);
}
