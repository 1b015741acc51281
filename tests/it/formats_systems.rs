//! Logs that databases wrote: every fixture holds what its expect.json says, up to its first damage and at its place.
//!
//! These cases come from real servers and list their records in another way than those of `formats.rs`: payloads by CRC-32, records up to
//! the first damage of a file, as a strict reader sees them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use walctl::disk::RealDisk;
use walctl::formats::{Format, by_name};
use walctl::model::{Damage, DamageKind, Keys, Verdict};
use walctl::ops::open::Input;
use walctl::ops::report::{Checks, Progress, verify};

use crate::formats::{Found, Got, cases, expected, keys, read_all};

/// A record as a fixture lists it.
#[derive(Debug)]
struct Listed {
    file: String,
    offset: u64,
    /// Of the whole record, where the fixture says it.
    length: Option<u64>,
    kind: Option<String>,
    lsn: Option<u64>,
    payload: Option<(Option<u64>, String)>,
}

fn number(json: &Json, key: &str) -> Option<u64> {
    json.get(key).and_then(Json::as_u64)
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// An LSN as PostgreSQL prints it.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

/// The records of a case, which may be the first ones of another case.
fn listed(format: &str, expect: &Json) -> Vec<Listed> {
    if let Some(prefix) = expect.get("records_prefix_of") {
        let (_, dir) = cases(format).into_iter().find(|(case, _)| case == text(prefix, "case")).expect("the base case is there");
        let mut all = listed(format, &expected(&dir));
        all.truncate(usize::try_from(number(prefix, "first").expect("a count")).expect("small"));
        return all;
    }
    let one = |record: &Json| {
        let segment = number(record, "seg").map(|index| &list(expect, "segments")[usize::try_from(index).expect("small")]);
        let offset = number(record, "off").expect("an offset");
        let length = number(record, "len").or_else(|| Some(number(record, "end")? - offset));
        let (kind, bytes) = match number(record, "tot_len") {
            // PostgreSQL's header is no payload, and its kinds are names of managers.
            Some(total) => (None, Some(total - 24)),
            // Those of MySQL's events have a sum and no length.
            None => {
                let bytes = number(record, "payload_len").or_else(|| number(record, "msg_len"));
                (Some(text(record, "kind").to_owned()), bytes)
            }
        };
        Listed {
            file: text(segment.unwrap_or(record), "file").to_owned(),
            offset,
            length,
            kind,
            // Of etcd's records the entries have a number.
            lsn: number(record, "seq")
                .or_else(|| number(record, "base_offset"))
                .or_else(|| position(text(record, "lsn")))
                .or_else(|| number(record, "index").filter(|_| text(record, "kind") == "entry")),
            payload: record.get("payload_crc32").map(|_| (bytes, text(record, "payload_crc32").to_owned())),
        }
    };
    list(expect, "records").iter().map(one).collect()
}

fn judged(expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let verdict = found.verdict();
    let (coarse, fine) = match verdict {
        Verdict::Clean => ("clean", "clean"),
        Verdict::Torn | Verdict::Suspect => ("torn_tail", "torn"),
        Verdict::Missing => ("corrupt", "missing"),
        Verdict::Unreadable | Verdict::Foreign | Verdict::Corrupt => ("corrupt", "corrupt"),
    };
    let accepted: Vec<&str> = list(expect, "accept_verdicts").iter().filter_map(Json::as_str).collect();
    let right = match accepted[..] {
        [] => fine == text(expect, "verdict_fine") && verdict != Verdict::Suspect,
        _ => accepted.contains(&coarse) || accepted.contains(&fine),
    };
    if !right {
        let expected = (text(expect, "verdict_fine"), accepted);
        wrong.push(format!("verdict {verdict}, expected {expected:?}: {:?}", found.damage));
    }
}

/// The records that a strict reader sees: those in front of the first damage of their file, or of the log.
fn strict<'a>(format: &Format, found: &'a Found) -> Vec<&'a Got> {
    let whole_log = ["etcd", "postgres"].contains(&format.name);
    let counts = |damage: &Damage| damage.span.length > 0 || whole_log;
    // The commands of a transaction that has no end are whole, and are listed.
    let begins = |damage: &Damage| match damage.kind {
        DamageKind::BrokenBatch if format.name == "redis" => damage.span.end(),
        _ => damage.span.start(),
    };
    let places = || found.damage.iter().filter(|(_, damage)| counts(damage)).map(|(file, d)| (file.as_str(), begins(d)));
    let first = |file: &str| places().filter(|(at, _)| *at == file).map(|(_, start)| start).min().unwrap_or(u64::MAX);
    let first_of_all = places().min();
    let before = |got: &&Got| match whole_log {
        true => first_of_all.is_none_or(|first| (got.file.as_str(), got.offset) < first),
        false => got.offset < first(&got.file),
    };
    found.records.iter().filter(before).collect()
}

fn records(format: &Format, expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let (want, seen) = (listed(format.name, expect), strict(format, found));
    let count = number(expect, "record_count").expect("a count");
    if count != seen.len() as u64 {
        wrong.push(format!("{} records, expected {count}", seen.len()));
        return;
    }
    // Of long logs only the first and the last records are listed.
    let head = want.len().min(if (want.len() as u64) < count { want.len() / 2 } else { want.len() });
    let tail = seen.len() - (want.len() - head);
    let pairs = seen[..head].iter().chain(&seen[tail..]).zip(&want);
    for (got, want) in pairs {
        let place = format!("{}:{}", got.file, got.offset);
        let sum = format!("{:08x}", crc32fast::hash(&got.payload));
        if (got.file.as_str(), got.offset) != (want.file.as_str(), want.offset) {
            wrong.push(format!("a record at {place}, expected at {}:{}", want.file, want.offset));
            return;
        }
        if want.length.is_some_and(|length| length != got.length) {
            wrong.push(format!("{place}: {} bytes long, expected {:?}", got.length, want.length));
        }
        if got.lsn != want.lsn || want.kind.as_ref().is_some_and(|kind| *kind != got.kind) {
            wrong.push(format!("{place}: {} {:?}, expected {:?} {:?}", got.kind, got.lsn, want.kind, want.lsn));
        }
        if want
            .payload
            .as_ref()
            .is_some_and(|(bytes, want)| *want != sum || bytes.is_some_and(|bytes| bytes != got.payload.len() as u64))
        {
            wrong.push(format!("{place}: payload of {} bytes with sum {sum}, expected {:?}", got.payload.len(), want.payload));
        }
    }
}

fn places(format: &Format, expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    if let Some(offset) = number(&expect["first_bad"], "offset") {
        let file = text(&expect["first_bad"], "file");
        // The pieces of a record in front of the damaged one are reported by themselves.
        let before = found.damage.iter().take_while(|(at, damage)| at != file || damage.span.start() != offset);
        let pieces = before.clone().all(|(_, damage)| damage.kind == DamageKind::BrokenRecord);
        if !pieces || before.count() == found.damage.len() {
            wrong.push(format!("no damage at {file}:{offset} in front of all others, but {:?}", found.damage));
        }
    }
    for segment in list(expect, "segments") {
        let (file, valid) = (text(segment, "file"), number(segment, "valid_bytes"));
        let damage = found.damage.iter().filter(|(at, damage)| at == file && damage.span.length > 0);
        let first = damage.map(|(_, damage)| damage.span.start()).min().unwrap_or(u64::MAX);
        let before = || found.records.iter().filter(|got| got.file == file && got.offset < first);
        // What Redis leaves open does not count either.
        let open = before().rfind(|got| ["MULTI", "EXEC"].contains(&got.kind.as_str())).filter(|got| got.kind == "MULTI");
        let ends = before().take_while(|got| open != Some(got)).map(|got| got.offset + got.length);
        // PostgreSQL counts whole segments, and records end where their padding ends.
        // Nor does etcd count what stands behind the first damage of the log.
        // A file without a record is valid up to the end of its header, or not at all.
        let empty = number(segment, "records") == Some(0) && text(segment, "tail") == "exact";
        let counted = text(segment, "status").is_empty() && valid.is_some() && text(segment, "tail") != "chain" && !empty;
        if counted && valid != Some(ends.max().unwrap_or(0)) {
            wrong.push(format!("{file}: valid up to another place than {valid:?}"));
        }
    }
    let warned = |(name, _): &(String, String)| {
        ["sequence-gap", "uncommitted", "open-transaction", "no-checksums", "not-closed", "encrypted"].contains(&name.as_str())
    };
    // What holds for all logs of a format is said once, with what it protects.
    let said = format.unprotected.contains("a cut between two records");
    if !list(expect, "expected_warnings").is_empty() && !said && !found.warnings.iter().any(warned) {
        wrong.push(format!("no warning as expected, only {:?}", found.warnings));
    }
}

/// SQLite says of a copy how many frames it found; that is the last commit in front of the first damage.
fn recovered(format: &Format, expect: &Json, found: &Found, wrong: &mut Vec<String>) {
    let Some(frames) = number(expect, "recovered_frames") else { return };
    let committed = strict(format, found).iter().rposition(|got| got.kind == "commit").map_or(0, |last| last as u64 + 1);
    if committed != frames {
        wrong.push(format!("{committed} frames up to the last commit, and SQLite found {frames}"));
    }
}

fn check(format: &Format, dir: &Path) -> Vec<String> {
    let expect = expected(dir);
    let found = read_all(format, &dir.join("wal"), &keys(&expect));
    let mut wrong = Vec::new();
    judged(&expect, &found, &mut wrong);
    records(format, &expect, &found, &mut wrong);
    places(format, &expect, &found, &mut wrong);
    recovered(format, &expect, &found, &mut wrong);
    wrong
}

fn run(name: &str, least: usize) {
    let format = by_name(name).expect("the format is in the registry");
    let cases = cases(name);
    assert!(cases.len() >= least, "{name} has {} cases", cases.len());
    let mut failed = Vec::new();
    for (case, dir) in &cases {
        failed.extend(check(format, dir).into_iter().map(|wrong| format!("{name}/{case}: {wrong}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn rocksdb_and_leveldb_fixtures_hold_what_their_own_tools_list() {
    run("rocksdb", 29);
}

#[test]
fn pebble_fixtures_hold_what_their_maker_wrote() {
    run("pebble", 21);
}

#[test]
fn sqlite_fixtures_hold_what_an_independent_decoder_lists() {
    run("sqlite", 19);
}

#[test]
fn postgres_fixtures_hold_what_pg_waldump_lists() {
    run("postgres", 15);
}

#[test]
fn etcd_fixtures_hold_what_its_own_reader_gives() {
    run("etcd", 15);
}

#[test]
fn zookeeper_fixtures_hold_what_their_maker_lists() {
    run("zookeeper", 9);
}

/// Behind damage each frame that continues a stored sum is given, and the one that only begins a chain.
#[test]
fn what_stands_behind_damage_in_an_etcd_log_is_given_too() {
    let format = by_name("etcd").expect("the format is in the registry");
    let behind = |case: &str| {
        let (_, dir) = cases("etcd").into_iter().find(|(name, _)| name == case).expect("the case is there");
        let (expect, found) = (expected(&dir), read_all(format, &dir.join("wal"), &Keys::default()));
        let count = found.records.len() - strict(format, &found).len();
        (count as u64, number(&expect, "frames_that_chain_after_first_bad").expect("a count"))
    };
    // Where the bad frame no longer says what the next one continues, that one is given as unproven and not counted as chained.
    assert_eq!(behind("zero_hole"), (62, 61));
    assert_eq!(behind("bit_flip_mid"), (159, 159));
    assert_eq!(behind("bad_length"), (103, 102));
    assert_eq!(behind("bit_flip_last_entry"), (1, 1));
    assert_eq!(behind("torn_zero_sector"), (0, 0));
}

#[test]
fn prometheus_fixtures_hold_what_its_own_reader_gives() {
    run("prometheus", 19);
}

#[test]
fn nats_fixtures_hold_what_an_independent_decoder_lists() {
    run("nats", 6);
}

/// What is said that the server would do is what it did, as its fixtures tell.
#[test]
fn what_a_nats_server_cuts_and_finds_is_said() {
    let format = by_name("nats").expect("the format is in the registry");
    for (case, dir) in cases("nats") {
        let expect = expected(&dir);
        let oracle = &list(&expect, "oracle")[0];
        let stream = text(&expect, "stream_name");
        let source = format.log_in(Arc::new(RealDisk), &dir.join("wal").join(stream).join("msgs")).expect("it lists");
        let input = Input { source, format, keys: Keys::default(), named: false };
        let report = verify(&input, &Checks::default(), &Progress::default()).expect("it can be read");
        let recovery = report.recovery.unwrap_or_default();
        let said = match number(&oracle["block_sizes_changed"], "1.blk") {
            Some(cut) => format!("byte {cut} of 1.blk|1.blk at byte {cut}"),
            None => format!("finds {} messages", number(&oracle["stream"], "messages").expect("a count")),
        };
        assert!(said.split('|').any(|said| recovery.contains(said)), "{case}: {recovery:?} does not say {said}");
    }
}

#[test]
fn raft_engine_fixtures_hold_what_an_independent_decoder_lists() {
    run("raft-engine", 9);
}

#[test]
fn mysql_and_mariadb_fixtures_hold_what_mariadb_binlog_lists() {
    run("mysql", 15);
}

#[test]
fn kafka_fixtures_hold_what_independent_readers_list() {
    run("kafka", 10);
}

#[test]
fn redis_fixtures_hold_what_an_independent_decoder_lists() {
    run("redis", 19);
}
