//! A look at the ends of segments, or at some of them: it calls nothing clean, and nothing damaged that is not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use walctl::Options;
use walctl::disk::SimDisk;
use walctl::model::Verdict;
use walctl::ops::open::Input;
use walctl::ops::report::{Checks, Looked, Portion, Progress, Report, verify, verify_portion};

use crate::support::meanwhile::{Door, Meanwhile};
use crate::support::sandbox::Sandbox;
use crate::support::wounds::{Base, Dice, bases, choose, frames_of, open_in};

fn look(input: &Input, portion: Portion) -> Report {
    match verify_portion(input, &Checks::default(), &Progress::default(), portion).expect("rotten bytes are no error") {
        Looked::All(report) => *report,
        Looked::Some(partly) => panic!("it is not left undone: {partly:?}"),
    }
}

/// Native logs of several segments, or all of them.
fn several(native: bool) -> Vec<Base> {
    let many = |base: &Base| base.files.keys().filter(|name| base.format.number_of(name).is_some()).count() > 1;
    bases().into_iter().filter(|base| many(base) && base.is_native() == native).collect()
}

#[test]
fn what_the_ends_show_a_whole_look_shows_too_and_they_call_nothing_clean() {
    let bases = several(true);
    let (mut damaged, mut told) = (0, 0);
    for seed in 0..600 {
        let mut dice = Dice::of(seed);
        let base = dice.pick(&bases);
        let frames = frames_of(base);
        let mut files = base.files.clone();
        let wounds: Vec<_> = (0..dice.roll(3)).filter_map(|_| choose(base, &frames, &mut dice)).collect();
        wounds.iter().for_each(|wound| wound.apply(&mut files));
        let Ok((_, input)) = open_in(&files, Some(base.format), &base.keys) else { continue };
        let Ok(whole) = verify(&input, &Checks::default(), &Progress::default()) else { continue };
        let ends = look(&input, Portion::Ends);
        let about = format!("seed {seed}: {} {wounds:?}: {:?}, and the ends {:?}", base.name, whole.damage, ends.damage);
        assert!(!ends.is_clean() || ends.segments.is_empty(), "{about}");
        assert!(ends.verdict == Verdict::Clean || whole.verdict != Verdict::Clean, "{about}");
        damaged += u32::from(whole.verdict > Verdict::Suspect);
        told += u32::from(ends.verdict != Verdict::Clean);
    }
    assert!(damaged > 200 && told > 40, "{damaged} logs are damaged, and the ends of {told} show it");
}

#[test]
fn a_sample_of_any_log_finds_no_more_than_is_there_and_a_sample_of_all_is_the_whole() {
    for (index, base) in several(false).iter().chain(&several(true)).enumerate() {
        let Ok((_, input)) = open_in(&base.files, Some(base.format), &base.keys) else { continue };
        let Ok(whole) = verify(&input, &Checks::default(), &Progress::default()) else { continue };
        let about = format!("{} {}", base.format.name, base.name);
        let all = look(&input, Portion::Sample { per_million: 1_000_000, seed: 1 });
        assert_eq!((all.verdict_name(), &all.damage), (whole.verdict_name(), &whole.damage), "{about}");
        let some = look(&input, Portion::Sample { per_million: 300_000, seed: index as u64 });
        assert!(some.unchecked() > 0 && !some.is_clean(), "{about}");
        let names = |report: &Report| -> BTreeSet<(u32, &str)> {
            report.damage.iter().map(|damage| (damage.span.place.segment.0, damage.kind.name())).collect()
        };
        assert!(names(&some).is_subset(&names(&whole)), "{about}: {:?}, and not {:?}", some.damage, whole.damage);
    }
}

#[test]
fn the_ends_of_a_segment_cost_a_few_small_reads() {
    let disk = SimDisk::new();
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).segment_records(40);
    let log = options.open("/log").expect("a new log");
    (0..810).for_each(|_| assert!(log.append(vec![7; 900]).is_ok()));
    log.close().expect("it closes");
    let reads = Arc::new(AtomicU64::new(0));
    let count = reads.clone();
    let hook = move |door: Door, _: &std::path::Path| {
        count.fetch_add(u64::from(matches!(door, Door::Read { .. })), Ordering::Relaxed);
    };
    let disk: Arc<dyn walctl::disk::Disk> = Arc::new(Meanwhile::new(&disk, hook).at_rest());
    let format = Some(&walctl::formats::native::FORMAT);
    let input = crate::support::folder::reopen(&disk, "/log".as_ref(), format, &walctl::Keys::default()).expect("it opens");
    reads.store(0, Ordering::Relaxed);
    let report = look(&input, Portion::Ends);
    assert_eq!((report.verdict_name(), report.records, report.unchecked()), ("not checked", 800, 21));
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads <= 21 * 4, "{reads} reads of 21 segments");
}

fn json(sandbox: &Sandbox, words: &[&str]) -> (i32, Value) {
    let ran = sandbox.run(&[words, &["--json"]].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {ran:?}")))
}

#[test]
fn a_printed_seed_chooses_the_same_segments_again() {
    let sandbox = Sandbox::with(&("record a\nseal\nsegment\n".repeat(40) + "record tail"));
    let walked = |report: &Value| -> Vec<String> {
        let segments = report["segments"].as_array().expect("a list").iter();
        segments.filter(|segment| segment["verdict"] == "clean").map(|segment| segment["file"].to_string()).collect()
    };
    let (code, first) = json(&sandbox, &["verify", "LOG", "--sample", "20%"]);
    let seed = first["looked_at"]["seed"].to_string();
    assert_eq!((code, first["looked_at"]["walked_count"].as_u64(), walked(&first).len()), (0, Some(9), 9), "{first}");
    let (_, again) = json(&sandbox, &["verify", "LOG", "--sample", "20%", "--seed", &seed]);
    assert_eq!(walked(&again), walked(&first));
    let (_, other) = json(&sandbox, &["verify", "LOG", "--sample", "20%", "--seed", &format!("{seed}1")]);
    assert_ne!(walked(&other), walked(&first));
    assert!(sandbox.run(&["verify", "LOG", "--sample", "20%", "--seed", &seed]).stdout.contains(&format!("(seed {seed})")));
}

#[test]
fn a_log_whose_ends_tell_nothing_is_not_called_anything() {
    let sandbox = Sandbox::new();
    sandbox.fixture("rivven/clean_restarted").expect("the fixture is there");
    let ran = sandbox.run(&["verify", "LOG", "--ends"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("not checked: the ends of rivven segments tell nothing by themselves"), "{ran:?}");
}
