//! What `diff` says of two logs: a difference is never made of damage, of retention, or of what was written meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use walctl::disk::{Disk, SimDisk};
use walctl::formats::{ALL, Numbers};
use walctl::model::{Keys, Lsn, LsnRange};
use walctl::ops::read::{Comparison, compare};
use walctl::ops::report::Progress;
use walctl::writer::{Draft, GroupCommit, Settings};

use crate::support::folder::{Files, disk_with, reopen};
use crate::support::memory::peak_of;
use crate::support::recipe::cook;
use crate::support::sandbox::Sandbox;

fn bytes_of(recipe: &str) -> Files {
    cook(recipe).expect("it is a recipe").segments.into_iter().map(|segment| (segment.name, segment.bytes)).collect()
}

fn compared(a: &Files, b: &Files, window: Option<LsnRange>) -> Comparison {
    let open = |files: &Files| {
        let disk: Arc<dyn Disk> = Arc::new(disk_with(files, Path::new("/log")));
        reopen(&disk, Path::new("/log"), Some(&walctl::formats::native::FORMAT), &Keys::default()).expect("it opens")
    };
    compare(&open(a), &open(b), window, &Progress::default()).expect("both can be read")
}

#[test]
fn no_flipped_bit_and_no_cut_is_called_a_difference() {
    let whole =
        bytes_of("record alpha\ngroup\nrecord beta\nrecord gamma\nsync\nrecord delta\nsegment\nrecord epsilon\nrecord zeta");
    let same = compared(&whole, &whole, None);
    assert_eq!((same.is_same(), same.same), (Some(true), 6));
    for (name, bytes) in &whole {
        for at in 4096..bytes.len() {
            for bit in [0, 3, 7] {
                let mut hurt = whole.clone();
                hurt.get_mut(name).expect("it is there")[at] ^= 1 << bit;
                for (a, b) in [(&whole, &hurt), (&hurt, &whole)] {
                    let found = compared(a, b, None);
                    assert!(found.finds_no_difference(), "{name}, byte {at}, bit {bit}: {:?}", found.parting);
                }
            }
        }
        for length in 4096..bytes.len() {
            let mut cut = whole.clone();
            cut.get_mut(name).expect("it is there").truncate(length);
            let found = compared(&whole, &cut, None);
            // At the end of a frame of the last segment nothing shows that more had been there.
            let lost = found.only[0].listed.iter().map(|only| only.range.records).sum::<u64>();
            let told = found.uncompared.records;
            assert!(found.differing.records == 0 && found.only[1].records == 0, "{name} cut at {length}: {:?}", found.parting);
            assert_eq!(found.same + lost + told, 6, "{name} cut at {length}: {:?}", found.parting);
            assert!(lost == 0 || name != whole.keys().next().expect("the first"), "{name} cut at {length}: {:?}", found.parting);
        }
    }
}

/// The folders of fixtures with numbered records.
fn fixtures() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut all = Vec::new();
    for format in ALL.iter().filter(|format| !matches!(format.numbers, Numbers::None) && format.ours.is_none()) {
        for case in std::fs::read_dir(root.join(format.name)).expect("there are fixtures") {
            let path = case.expect("an entry").path();
            if path.join("wal").is_dir() {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                all.push((format!("{}/{name}", format.name), path));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn every_fixture_is_the_same_as_itself_and_as_what_was_salvaged_of_it() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 150, "{}", fixtures.len());
    let (mut whole, mut salvaged) = (0, 0);
    for (name, _) in &fixtures {
        let sandbox = Sandbox::new();
        sandbox.fixture(name).expect("it is there");
        let format = name.split('/').next().expect("a name");
        let keys = sandbox.path().join("KEYS").exists();
        let with = |words: &[&'static str]| {
            let mut all: Vec<&str> = words.to_vec();
            all.extend(["--format", if words.contains(&"NEW") && words[0] != "repair" { "auto" } else { format }]);
            all.extend(if keys { vec!["--key-file", "KEYS"] } else { vec![] });
            sandbox.run(&all)
        };
        let verdict = with(&["verify", "LOG"]).code;
        let ran = with(&["diff", "LOG", "LOG"]);
        assert!(ran.code == verdict, "{name}: verify {verdict}, diff {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        whole += i32::from(ran.code == 0);
        let made = with(&["repair", "LOG", "--salvage", "NEW"]);
        if made.code != 0 {
            continue;
        }
        let ran = with(&["diff", "LOG", "NEW", "--json"]);
        if ran.code == 1 && ran.stderr.contains("looks like") {
            continue;
        }
        let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{name}: {}", ran.stderr));
        assert!(answer["differing_count"] == 0 && answer["only_a_count"] == 0, "{name}: {}", ran.stdout);
        salvaged += 1;
    }
    assert!(whole > 40 && salvaged > 60, "{whole} whole, {salvaged} salvaged");
}

#[test]
fn logs_of_any_length_and_any_number_of_differences_take_the_same_memory() {
    let disks = [SimDisk::new(), SimDisk::new()];
    for (which, disk) in disks.iter().enumerate() {
        let settings = Settings { background: false, ..Settings::default() };
        let log = GroupCommit::open(Arc::new(disk.clone()), Path::new("/log"), settings).expect("a new log");
        for batch in 0..60u32 {
            let payloads: Vec<Vec<u8>> = (0..1000u32)
                .map(|n| if n % 2 == 0 { vec![b'x'; 64] } else { format!("{which} {batch} {n}").into_bytes() })
                .collect();
            let drafts: Vec<Draft<'_>> = payloads.iter().map(|payload| Draft::of(payload)).collect();
            log.append_batch(&drafts).expect("the disk is well");
        }
        log.close().expect("it closes");
    }
    let open = |disk: &SimDisk| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        reopen(&disk, Path::new("/log"), None, &Keys::default()).expect("it opens")
    };
    let (a, b) = (open(&disks[0]), open(&disks[1]));
    let (found, peak) = peak_of(|| compare(&a, &b, None, &Progress::default()).expect("both can be read"));
    assert_eq!((found.same, found.differing.records), (30_000, 30_000));
    assert_eq!((found.differing.listed.len(), found.differing.beyond), (10_000, 20_000));
    assert!(peak < 4 << 20, "{peak} bytes");
}

#[test]
fn a_window_is_compared_as_if_nothing_else_were_there() {
    let a = bytes_of("record a\nrecord b\nrecord c\nsegment\nrecord d\nrecord e");
    let b = bytes_of("record a\nrecord B\nrecord c\nsegment\nrecord d\nrecord E\nrecord f");
    let window = |first, last| LsnRange::new(Lsn(first), Lsn(last));
    for (from, to, differing, only) in [(1, 6, 2, 1), (3, 4, 0, 0), (2, 2, 1, 0), (5, 5, 1, 0), (6, 9, 0, 1), (7, 9, 0, 0)] {
        let found = compared(&a, &b, window(from, to));
        assert_eq!((found.differing.records, found.only[1].records), (differing, only), "{from} to {to}");
        assert_eq!(found.only[0].records, 0, "{from} to {to}");
    }
}

#[test]
fn a_log_that_grows_while_it_is_compared_with_itself_is_the_same() {
    let sandbox = Sandbox::new();
    let log = walctl::Log::open(sandbox.path().join("LOG")).expect("a new log");
    log.append("first").expect("it is durable");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                log.append("another").expect("it is durable");
            }
        });
        let answers: Vec<_> = (0..20).map(|_| sandbox.run(&["diff", "LOG", "LOG"])).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for ran in answers {
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
    });
}
