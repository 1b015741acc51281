//! Lines that keep what a walk found: what joins from them is what joins from the walks, and lines that are hurt give nothing.
//!
//! Every mutation of `mutate.rs` and `mutate_formats.rs` and every fixture goes through lines, too: their reads join by
//! `support::lines`. Here are the logs of all cases, and the lines themselves hurt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use walctl::disk::{Disk, RealDisk, Source};
use walctl::formats::{Format, Halt, LONGEST_LINE, Sink, Summary, Visit, Want, by_name, read_line};
use walctl::model::Keys;

use crate::cases::recipes;
use crate::formats::{cases, expected, keys, logs_below};
use crate::support::held::HeldFolder;
use crate::support::lines::{join_with_lines, line_of, read_back, stamp};
use crate::support::memory::peak_of;
use crate::support::recipe::{KEY, cook};

fn walk_all(format: &Format, source: &Source, keys: &Keys, want: Want) -> Option<Vec<Summary>> {
    let mut summaries = Vec::new();
    for segment in &source.segments {
        let visit = Visit { source, segment, keys, want };
        match format.walk(&visit, &mut Sink::new(&mut |_| Ok(()))) {
            Ok(summary) => summaries.push(summary),
            // A version that nobody knows: there is nothing to join.
            Err(Halt::Failed(_)) => return None,
            Err(Halt::Enough) => panic!("nobody had enough"),
        }
    }
    Some(summaries)
}

#[test]
fn the_logs_of_all_cases_join_from_lines_as_they_join_from_walks() {
    let format = by_name("native").expect("it is in the registry");
    let keys = Keys::parse(KEY).expect("the key of the recipes");
    let mut joined = 0;
    for (name, recipe) in recipes() {
        let disk: Arc<dyn Disk> = Arc::new(HeldFolder::of(&cook(&recipe).unwrap_or_else(|why| panic!("{name}: {why}"))));
        let source = format.log_in(disk, Path::new("LOG")).expect("the folder is there");
        for (deep, tally) in [(false, false), (true, true)] {
            let want = Want { counts_only: true, deep, tally, ..Want::default() };
            let Some(mut summaries) = walk_all(format, &source, &keys, want) else { continue };
            join_with_lines(format, &source, &mut summaries);
            joined += 1;
        }
    }
    assert!(joined > 200, "{joined} walks over logs");
}

/// Logs with much to keep: a source, and the lines of its segments.
fn kept() -> Vec<(&'static Format, Source, Vec<String>)> {
    let mut all = Vec::new();
    for (name, case) in [
        ("nodedb", "zeroed_page-h63"),
        ("nodedb", "v0.6.2_opened_v0.2.1_log"),
        ("nodedb", "missing_segment"),
        ("ironwal", "missing_segment"),
        ("ironwal", "bitflip_batch_mid"),
        ("rivven", "v0.0.13_restart_overwrites_segment"),
        ("rivven", "bitflip_mid"),
        ("rivven", "clean_restarted"),
        ("allsource", "misplaced_appends"),
        ("allsource", "sequence_restart"),
        ("allsource", "missing_segment"),
    ] {
        let format = by_name(name).expect("it is in the registry");
        let (_, dir) = cases(name).into_iter().find(|(known, _)| known == case).expect("the fixture is there");
        let keys = keys(&expected(&dir));
        let log = logs_below(format, &dir.join("wal")).into_iter().next().expect("the fixture holds a log");
        let source = format.log_in(Arc::new(RealDisk), &log).expect("it can be listed");
        all.push((format, source, keys));
    }
    let format = by_name("native").expect("it is in the registry");
    for recipe in [
        "record a\nkind txn-begin tag 9 record t\nrecord b\nflip @2+40 0\nsegment\nrecord c\nclose",
        "record a\nhole 2 9 gone since the fire\nrecord b\nseal\nsegment\ngroup\nrecord c\nrecord d\ncut 3",
        "encrypted record a\nseal\nskip 4\nsegment\nencrypted record b\nraw 0102",
    ] {
        let disk: Arc<dyn Disk> = Arc::new(HeldFolder::of(&cook(recipe).expect("a good recipe")));
        let source = format.log_in(disk, Path::new("LOG")).expect("the folder is there");
        all.push((format, source, Keys::parse(KEY).expect("the key of the recipes")));
    }
    let lines = |(format, source, keys): (&'static Format, Source, Keys)| {
        let want = Want { counts_only: true, deep: true, ..Want::default() };
        let summaries = walk_all(format, &source, &keys, want).expect("these versions are known");
        let lines = source.segments.iter().zip(&summaries);
        let lines = lines.map(|(segment, summary)| line_of(format, segment, summary).expect("it can be kept"));
        let lines = lines.collect();
        (format, source, lines)
    };
    all.into_iter().map(lines).collect()
}

/// A line whose sum fits again.
fn summed(line: &str) -> String {
    let head = &line[..line.rfind(",\"sum\"").expect("every line has a sum")];
    format!("{head},\"sum\":\"{:08x}\"}}", crc32fast::hash(head.as_bytes()))
}

#[test]
fn a_line_with_a_flipped_bit_or_a_byte_less_gives_nothing() {
    for (format, source, lines) in kept() {
        let (segment, line) = (&source.segments[0], &lines[0]);
        assert!(read_back(format, segment, line).is_some() && &summed(line) == line);
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(hurt) = String::from_utf8(bytes) else { continue };
                assert!(read_back(format, segment, &hurt).is_none(), "bit {bit} of byte {at}: {hurt}");
            }
            if line.is_char_boundary(at) {
                assert!(read_back(format, segment, &line[..at]).is_none(), "cut at {at}");
            }
        }
    }
}

#[test]
fn a_line_of_another_segment_format_version_or_file_gives_nothing() {
    for (format, source, lines) in kept() {
        let (segment, line) = (&source.segments[0], &lines[0]);
        let (asked, file) = stamp();
        for other in [json!({}), json!({"deep": true}), json!(null)] {
            assert!(read_line(format, segment, &other, &file, line).is_none(), "{other}");
            assert!(read_line(format, segment, &asked, &other, line).is_none(), "{other}");
        }
        let other = walctl::formats::ALL.iter().find(|other| other.name != format.name).expect("there are several");
        assert!(read_back(other, segment, line).is_none());
        for segment in &source.segments[1..] {
            assert!(read_back(format, segment, line).is_none(), "{}", segment.name);
        }
        let mut followed = segment.clone();
        followed.followed = !followed.followed;
        assert!(read_back(format, &followed, line).is_none());
        for (from, to) in
            [("walctl.seen/1", "walctl.seen/2"), ("\"by\":\"", "\"by\":\"1"), ("\"found\":{", "\"found\":{},\"lost\":{")]
        {
            let other = line.replacen(from, to, 1);
            assert!(&other != line && read_back(format, segment, &summed(&other)).is_none(), "{other}");
        }
    }
}

/// Every number of a line replaced, every value taken for another: what is read joins without a panic, whatever it says.
#[test]
fn a_hostile_line_does_no_harm() {
    let mut read = 0;
    for (format, source, lines) in kept() {
        for (index, line) in lines.iter().enumerate().take(2) {
            for hostile in hostile(line) {
                let hostile = summed(&hostile);
                let joined = catch_unwind(AssertUnwindSafe(|| {
                    let back = |at: usize, line: &str| read_back(format, &source.segments[at], line);
                    let all = lines.iter().enumerate().map(|(at, own)| back(at, if at == index { &hostile } else { own }));
                    let Some(mut summaries) = all.collect::<Option<Vec<Summary>>>() else { return 0 };
                    (format.join)(&source, &mut summaries);
                    1
                }));
                read += joined.unwrap_or_else(|_| panic!("{}: {hostile}", format.name));
            }
        }
    }
    assert!(read > 1000, "only {read} of the hostile lines could be read at all");
}

/// Each number by others, and each value by one of another type.
fn hostile(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if end > at && matches!(bytes[at - 1], b':' | b'[' | b',') {
            for other in
                ["0", "1", "4096", "9223372036854775808", "18446744073709551614", "18446744073709551615", "-1", "0.5", "1e99"]
            {
                all.push(format!("{}{other}{}", &line[..at], &line[end..]));
            }
            for other in ["null", "\"x\"", "[]", "{}", "true"] {
                all.push(format!("{}{other}{}", &line[..at], &line[end..]));
            }
        }
        at = end.max(at + 1);
    }
    for (from, to) in
        [("false", "true"), ("true", "false"), ("null", "0"), ("null", "[]"), ("[]", "[[]]"), ("\"at\":", "\"to\":")]
    {
        for (at, _) in line.match_indices(from) {
            all.push(format!("{}{to}{}", &line[..at], &line[at + from.len()..]));
        }
    }
    all
}

#[test]
fn a_line_takes_no_more_memory_than_a_small_multiple_of_its_length() {
    let (format, source, lines) = kept().remove(0);
    let (segment, line) = (&source.segments[0], &lines[0]);
    let head = &line[..line.find("\"found\"").expect("it is there")];
    for (part, end) in [("[],", "[]]}"), ("[", ""), ("{\"a\":", ""), ("0,", "0]}")] {
        let mut hostile = format!("{head}\"found\":{{\"damage\":[");
        while hostile.len() < 1 << 20 {
            hostile.push_str(part);
        }
        hostile.push_str(end);
        hostile.push_str(",\"sum\":\"00000000\"}");
        let hostile = summed(&hostile);
        let (read, peak) = peak_of(|| read_back(format, segment, &hostile).is_some());
        assert!(!read && peak < 40 << 20, "{part}: {peak} bytes");
    }
    let long = summed(&line.replacen("\"log\":\"LOG", &format!("\"log\":\"{}", "x".repeat(LONGEST_LINE)), 1));
    assert!(long.len() > LONGEST_LINE && read_back(format, segment, &long).is_none());
}
