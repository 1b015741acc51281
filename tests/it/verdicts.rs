//! What only a log as a whole can show: strangers among its segments, what a later segment proves, what a repair must not believe.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use walctl::disk::{Disk, SimDisk};
use walctl::formats::by_name;
use walctl::model::{DamageKind, Keys, LsnRange, Verdict};
use walctl::ops::mend::{Decision, Obstacle, Permit, carry_out, decide, plan, plan_undo};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::{Checks, Progress, Report, verify};

use crate::support::folder::{Files, disk_with, files_in, reopen};
use crate::support::recipe::cook;
use crate::support::sandbox::Sandbox;

const DIR: &str = "/log";

fn files(recipe: &str) -> Files {
    cook(recipe).expect("a good recipe").segments.into_iter().map(|s| (s.name, s.bytes)).collect()
}

/// A disk in memory with the log, and the log opened.
fn opened(files: &Files, format: &str) -> (SimDisk, Input) {
    let disk = disk_with(files, Path::new(DIR));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let input = reopen(&shared, Path::new(DIR), by_name(format), &Keys::default()).expect("it opens");
    (disk, input)
}

fn look(input: &Input, checks: &Checks) -> Report {
    verify(input, checks, &Progress::default()).expect("rotten bytes are no error")
}

fn checked(recipe: &str) -> Report {
    look(&opened(&files(recipe), "native").1, &Checks::default())
}

#[test]
fn a_stranger_in_front_is_the_one_that_does_not_belong_and_is_compared_with_nobody() {
    // Its numbers and its chain do not lead to the segment behind it: that is no second damage.
    let report = checked("record a\nrecord b\nother log\nskip 5\nchain 7\nsegment\nrecord c\nsegment\nrecord d");
    let found: Vec<(DamageKind, usize)> = report.damage.iter().map(|d| (d.kind, d.span.place.segment.index())).collect();
    assert_eq!((found.as_slice(), report.verdict), (&[(DamageKind::OtherLog, 0)][..], Verdict::Foreign), "{:?}", report.damage);
    // Of two alone the first one is the log.
    let report = checked("record a\nother log\nsegment\nrecord c");
    let found: Vec<(DamageKind, usize)> = report.damage.iter().map(|d| (d.kind, d.span.place.segment.index())).collect();
    assert_eq!(found, [(DamageKind::OtherLog, 1)]);
}

#[test]
fn a_bad_end_puts_in_doubt_all_up_to_where_the_next_segment_begins() {
    for hurt in ["cut to @2+10", "zero @2+8 136", "flip @2+40 1\nflip @3+40 1\nflip @4+40 1"] {
        let report = checked(&format!("record a\nrecord b\nrecord c\nrecord d\nsegment\nrecord e\nin 1\n{hurt}"));
        let doubts: Vec<LsnRange> = report.damage.iter().filter_map(|d| d.doubt).collect();
        let (first, last) = (doubts.first().map(|d| d.first.0), doubts.last().map(|d| d.last.0));
        assert_eq!((first, last, report.verdict), (Some(2), Some(4), Verdict::Corrupt), "{hurt}: {:?}", report.damage);
    }
}

#[test]
fn a_transaction_that_ends_in_a_later_segment_is_not_called_open() {
    let log = "kind txn-begin tag 9\nkind txn-begin tag 8\nrecord a\nsegment\nrecord b\nsegment\nkind txn-commit tag 9\nrecord c";
    let report = look(&opened(&files(log), "native").1, &Checks { tally: true, deep: true, ..Checks::default() });
    let open: Vec<&str> = report.warnings.iter().filter(|w| w.name == "open-transaction").map(|w| w.text.as_str()).collect();
    assert!(open.len() == 1 && open[0].starts_with("transaction 8 was begun in 00000000000000000001.wal"), "{open:?}");
}

#[test]
fn a_segment_that_is_pruned_between_listing_and_reading_is_not_missed() {
    let (disk, input) = opened(&files("record a\nsegment\nrecord b\nrecord c\nsegment\nrecord d"), "native");
    disk.remove(&Path::new(DIR).join("00000000000000000001.wal")).expect("it was there");
    let report = look(&input, &Checks::default());
    assert_eq!((report.verdict, report.records, report.segments.len()), (Verdict::Clean, 3, 2));
    // A segment that was named alone and is gone is an error, not an empty log.
    let (disk, input) = opened(&files("record a"), "native");
    let path = Path::new(DIR).join("00000000000000000001.wal");
    let alone = open(&input.source.disk, &path, &Choice::default()).expect("it opens").remove(0);
    disk.remove(&path).expect("it was there");
    assert!(verify(&alone, &Checks::default(), &Progress::default()).is_err());
}

#[test]
fn damage_beyond_what_is_listed_is_counted_and_keeps_a_repair_from_cutting() {
    const BAD: usize = 10_003;
    // Nothing here knows what was synced, so each bad frame by itself could be cut.
    let recipe = format!("times {} unsynced unknown record abcd", 2 * BAD + 1);
    let made = cook(&recipe).expect("a good recipe").segments.remove(0);
    let mut bytes = made.bytes;
    made.frames.iter().skip(1).step_by(2).for_each(|frame| bytes[frame.offset + 41] ^= 1);
    let (_, input) = opened(&Files::from([(made.name, bytes)]), "native");
    let report = look(&input, &Checks::default());
    assert_eq!((report.damage.len() as u64 + report.beyond, report.beyond), (BAD as u64, 3));
    assert_eq!(report.verdict, Verdict::Suspect);
    let permit = Permit { suspect: true, max_cut: u64::MAX, ..Permit::default() };
    match decide(&input, &report, &permit) {
        Decision::Refuse(refusal) => assert!(refusal.why.contains("more damage than can be described"), "{refusal:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn reading_below_a_rate_takes_as_long_as_the_rate_says() {
    let sandbox = Sandbox::with("fill 300000\nsegment\nfill 300000");
    for words in [
        &["verify", "LOG", "--jobs", "1"][..],
        &["verify", "LOG", "--jobs", "2"],
        &["stats", "LOG", "--scan", "--jobs", "1"],
        &["stats", "LOG", "--scan", "--jobs", "2"],
        &["dump", "LOG"],
        &["dump", "LOG", "--json"],
        &["diff", "LOG", "LOG"],
        &["repair", "LOG", "--dry-run"],
        &["repair", "LOG", "--salvage", "NEW"],
    ] {
        let begun = Instant::now();
        let ran = sandbox.run(&[words, &["--max-rate", "2MB/s"]].concat());
        // 608 KB at two megabytes a second; how much longer it takes is the machine's business.
        assert!(begun.elapsed() > Duration::from_millis(290), "{:?} for {words:?}", begun.elapsed());
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    }
}

#[test]
fn a_deep_check_without_the_right_key_is_never_clean_and_neither_is_a_payload_that_does_not_open() {
    let sandbox = Sandbox::with("encrypted record secret\nencrypted record more");
    std::fs::write(sandbox.path().join("WRONG"), format!("{}\n", "77".repeat(32))).expect("room");
    assert_eq!(sandbox.run(&["verify", "LOG", "--deep", "--key-file", "KEYS"]).code, 0);
    assert_ne!(sandbox.run(&["verify", "LOG", "--deep", "--key-file", "WRONG"]).code, 0);
    // Under a sum that is right stands what no LZ4 block begins with.
    let made = cook("record alpha\nhex 05000000ffffffff\nrecord gamma").expect("a good recipe").segments.remove(0);
    let (mut bytes, frame) = (made.bytes, made.frames[1]);
    bytes[frame.offset + 13] |= 1;
    let sums = |bytes: &[u8], sum: u32| {
        let mut hasher = crc32fast::Hasher::new_with_initial(sum);
        hasher.update(&bytes[frame.offset + 8..frame.summed_end]);
        hasher.finalize()
    };
    let seed = crc32fast::hash(&[&b"recipe's log id!"[..], &1u64.to_le_bytes()].concat());
    let sum = sums(&bytes, seed.wrapping_add(u32::try_from(frame.offset).expect("small")));
    bytes[frame.offset + 4..frame.offset + 8].copy_from_slice(&sum.to_le_bytes());
    let (_, input) = opened(&Files::from([(made.name, bytes)]), "native");
    let report = look(&input, &Checks { deep: true, ..Checks::default() });
    let found: Vec<(DamageKind, Option<u64>)> = report.damage.iter().map(|d| (d.kind, d.lsn.map(|l| l.0))).collect();
    assert_eq!((found.as_slice(), report.verdict), (&[(DamageKind::BadPayload, Some(2))][..], Verdict::Corrupt));
}

#[test]
fn accepting_what_is_suspect_removes_no_segment_in_which_a_whole_record_stands() {
    let mut files = files("record a\nsegment\nunsynced unknown record b");
    let last = files.get_mut("00000000000000000002.wal").expect("it was made");
    // More than one bit, so that nothing explains the header; the name still leads to the seed of its frame.
    last[24..40].iter_mut().for_each(|byte| *byte ^= 0x5A);
    last[50] ^= 0xFF;
    let (_, input) = opened(&files, "native");
    let report = look(&input, &Checks::default());
    let header: Vec<Verdict> = report.damage.iter().filter(|d| d.kind == DamageKind::BadHeader).map(|d| d.verdict()).collect();
    assert_eq!((header.as_slice(), report.records), (&[Verdict::Suspect][..], 2), "{:?}", report.damage);
    let plan = plan(&input, &report, &Permit { suspect: true, ..Permit::default() }).expect("it is planned");
    assert_eq!((plan.cuts.len(), plan.refusal.map(|r| r.kind)), (0, Some(Obstacle::Damage)));
}

/// The files of a fixture of another system.
fn fixture(path: &str) -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    files_in(&walctl::disk::RealDisk, &root.join(path))
}

#[test]
fn of_a_rivven_file_given_alone_a_later_file_proves_the_end_only_if_it_holds_something() {
    let mut files = fixture("rivven/clean_multi_segment/wal");
    let names: Vec<String> = files.keys().filter(|name| name.ends_with(".wal")).cloned().collect();
    let first = files.get_mut(&names[0]).expect("it is there");
    let last = first.len() - 1;
    first[last] ^= 1;
    let verdict = |files: &Files| {
        let disk: Arc<dyn Disk> = Arc::new(disk_with(files, Path::new(DIR)));
        let choice = Choice { format: by_name("rivven"), ..Choice::default() };
        let alone = open(&disk, &Path::new(DIR).join(&names[0]), &choice).expect("it opens").remove(0);
        look(&alone, &Checks::default()).verdict
    };
    assert_eq!(verdict(&files), Verdict::Corrupt);
    for name in &names[1..] {
        files.get_mut(name).expect("it is there").fill(0);
    }
    assert_eq!(verdict(&files), Verdict::Suspect, "files that were made ahead prove nothing");
}

#[test]
fn a_rivven_folder_of_which_all_heads_are_rotten_is_known_by_its_marker() {
    let mut files = fixture("rivven/clean_single/wal");
    for bytes in files.values_mut() {
        bytes.truncate(40);
        bytes.fill(0xEE);
    }
    let choice = Choice::default();
    let open = |files: &Files| -> walctl::model::Result<&'static str> {
        let disk: Arc<dyn Disk> = Arc::new(disk_with(files, Path::new(DIR)));
        Ok(open(&disk, Path::new(DIR), &choice)?.remove(0).format.name)
    };
    files.remove(".last_replayed_lsn");
    assert!(open(&files).is_err(), "nothing tells whose it is");
    files.insert(".last_replayed_lsn".into(), b"3".to_vec());
    assert_eq!(open(&files).expect("the marker tells"), "rivven");
}

#[test]
fn a_cut_of_another_systems_log_is_not_undone_once_the_log_has_grown() {
    let before = fixture("rivven/torn_tail_prealloc/wal");
    let record: Vec<u8> = fixture("rivven/clean_single/wal").into_values().next().expect("a file");
    for grown in ["the same file", "a later file", "nothing"] {
        let (disk, input) = opened(&before, "rivven");
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let planned = plan(&input, &look(&input, &Checks::default()), &Permit::default()).expect("it is planned");
        carry_out(&shared, &planned).expect("it is cut");
        let cut = planned.cuts[0].from.offset;
        let file = |name: &str| {
            shared.open(&Path::new(DIR).join(name), walctl::disk::Open { or_create: true, ..walctl::disk::Open::WRITE })
        };
        match grown {
            "the same file" => {
                let file = file(&planned.cuts[0].from.segment).expect("it is there");
                walctl::disk::write_full(file.as_ref(), &record[..200], cut).expect("room");
            }
            "a later file" => {
                walctl::disk::write_full(file("00000000000000009999.wal").expect("it is new").as_ref(), &record, 0)
                    .expect("room");
            }
            // Made ahead: nothing was written to it.
            _ => file("00000000000000009999.wal").expect("it is new").set_length(4096).expect("room"),
        }
        let again = reopen(&shared, Path::new(DIR), by_name("rivven"), &Keys::default()).expect("it opens");
        assert_eq!(plan_undo(&again).is_err(), grown != "nothing", "{grown}");
    }
}
