//! What was seen need not be read again: parts of a log in any order, joined, are the whole; and whatever changes in a log, or in the file
//! of what was seen, costs time and never a verdict.
//!
//! A case is a number: it chooses a log, how it is hurt, how it is dealt out, and what becomes of it afterwards.
//! `WALCTL_SEEN_SEED=N` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use walctl::disk::{Disk, Fault, Luck, Open, RealDisk, SimDisk, write_full};
use walctl::formats::Format;
use walctl::model::{Error, Keys, Time};
use walctl::ops::open::{Choice, Input};
use walctl::ops::report::{Checks, Looked, Portion, Progress, Report, verify, verify_seen};
use walctl::ops::seen::SeenFile;

use crate::support::folder::{Files, disk_with, files_in};
use crate::support::meanwhile::{Door, Meanwhile};
use crate::support::wounds::{Base, Dice, Wound, bases, choose, frames_of};

mod commands;

const LOG: &str = "/log";
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// All that a report says, whether or not it was seen before. What a walk counted besides is not kept.
fn told(mut report: Report) -> String {
    report.summaries.iter_mut().for_each(|summary| summary.tally = None);
    report.segments.iter_mut().for_each(|segment| segment.seen = None);
    let mut text = format!(
        "{:?} live {:?}, {} records {:?}, {} bytes, {} more\n",
        report.verdict, report.live, report.records, report.lsns, report.valid_bytes, report.beyond
    );
    for segment in &report.segments {
        let _ = writeln!(text, "{segment:?}");
    }
    for damage in &report.damage {
        let _ = writeln!(text, "{damage:?}");
    }
    let _ = writeln!(text, "{:?} {:?} {}", report.warnings, report.known_holes, report.unused_lsns);
    let _ = writeln!(text, "{:?} {:?}", report.recovery, report.copied);
    for summary in &report.summaries {
        let _ = writeln!(text, "{summary:?}");
    }
    text
}

fn open_seen(disk: &Arc<dyn Disk>, path: &str) -> Arc<SeenFile> {
    Arc::new(SeenFile::open(disk.clone(), Path::new(path), MONTH, Time::now()).expect("it is a file, or none"))
}

fn checks(deep: bool) -> Checks {
    Checks { jobs: 2, deep, ..Checks::default() }
}

/// A log that is looked at in several ways.
struct Log<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Path,
    format: Option<&'static Format>,
    keys: &'a Keys,
    deep: bool,
}

impl Log<'_> {
    fn input(&self, seen: Option<&Arc<SeenFile>>) -> Result<Input, Error> {
        let choice = Choice { format: self.format, keys: self.keys.clone(), seen: seen.cloned(), ..Choice::default() };
        Ok(walctl::ops::open::open(self.disk, self.dir, &choice)?.remove(0))
    }

    /// What a check finds that has seen nothing before; or why there is none.
    fn whole(&self) -> Result<String, String> {
        let checked = self.input(None).and_then(|input| verify(&input, &checks(self.deep), &Progress::default()));
        checked.map(told).map_err(|error| error.to_string())
    }

    /// What it finds with a file of what was seen, and how many segments it did not walk.
    fn with(&self, seen: &Arc<SeenFile>) -> Result<(String, usize), String> {
        let looked = self
            .input(Some(seen))
            .and_then(|input| verify_seen(&input, &checks(self.deep), &Progress::default(), seen, Portion::All));
        match looked.map_err(|error| error.to_string())? {
            Looked::All(report) => {
                let as_seen = report.segments.iter().filter(|segment| segment.seen.is_some()).count();
                Ok((told(*report), as_seen))
            }
            Looked::Some(partly) => panic!("all of it was asked for: {partly:?}"),
        }
    }

    /// Walks a part.
    fn part(&self, seen: &Arc<SeenFile>, number: u32, of: u32) -> Result<(), String> {
        let portion = Portion::Part { number, of };
        let looked =
            self.input(Some(seen)).and_then(|input| verify_seen(&input, &checks(self.deep), &Progress::default(), seen, portion));
        match looked.map_err(|error| error.to_string())? {
            Looked::Some(_) => seen.save().map_err(|error| error.to_string()),
            Looked::All(report) => panic!("a part was judged: {:?}", report.verdict),
        }
    }
}

fn read(disk: &dyn Disk, path: &str) -> Vec<u8> {
    files_in(disk, Path::new("/")).remove(path.trim_start_matches('/')).unwrap_or_default()
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Open { or_create: true, ..Open::WRITE }).expect("it can be written");
    write_full(file.as_ref(), bytes, 0).expect("there is room");
    file.set_length(bytes.len() as u64).expect("it can be cut");
}

/// Makes the files of a folder these.
fn change(disk: &dyn Disk, dir: &Path, from: &Files, to: &Files) {
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        disk.remove(&dir.join(name)).expect("it was there");
    }
    for (name, bytes) in to.iter().filter(|(name, bytes)| from.get(*name) != Some(*bytes)) {
        write(disk, &dir.join(name), bytes);
    }
}

/// The order of the parts, by dice.
fn shuffled(count: u32, dice: &mut Dice) -> Vec<u32> {
    let mut left: Vec<u32> = (1..=count).collect();
    (0..count).map(|_| left.remove(dice.roll(left.len()))).collect()
}

/// Walks parts, each into a file of its own, and makes one file of all of them.
fn deal_out(log: &Log<'_>, into: &str, dice: &mut Dice) -> Result<(), String> {
    let of = 1 + dice.roll(7) as u32;
    let mut all = Vec::new();
    for number in shuffled(of, dice) {
        let path = format!("{into}-{number}");
        log.part(&open_seen(log.disk, &path), number, of)?;
        all.extend(read(log.disk.as_ref(), &path));
    }
    write(log.disk.as_ref(), Path::new(into), &all);
    Ok(())
}

/// Where the frames of each segment of a log begin and end.
type Frames = BTreeMap<String, Vec<(usize, usize)>>;

fn all_bases() -> &'static [(Base, Frames)] {
    static BASES: OnceLock<Vec<(Base, Frames)>> = OnceLock::new();
    BASES.get_or_init(|| {
        let several = |base: &Base| base.files.keys().filter(|name| base.format.number_of(name).is_some()).count() > 1;
        bases().into_iter().filter(several).map(|base| (base.clone(), frames_of(&base))).collect()
    })
}

/// Hurts a file that lies beside the segments: an index, a manifest, a marker.
fn beside(base: &Base, files: &Files, dice: &mut Dice) -> Option<Wound> {
    let others: Vec<&String> = files.keys().filter(|name| base.format.number_of(name).is_none()).collect();
    let file = (*others.get(dice.roll(others.len()))?).clone();
    let at = dice.roll(files[&file].len() + 1);
    Some(match dice.roll(4) {
        0 => Wound::Gone { file },
        1 => Wound::Cut { file, at },
        2 => Wound::Insert { file, at, count: 1 + dice.roll(40), byte: [0, b'1'][dice.roll(2)] },
        _ => Wound::Flip { file, at, bit: dice.roll(8) as u32 },
    })
}

/// How a case ends that holds: how many segments were not walked in its last look.
type Held = Result<usize, String>;

fn demand_same(what: &str, whole: &Result<String, String>, seen: Result<(String, usize), String>) -> Held {
    let (told, count) = match seen {
        Ok((told, count)) => (Ok(told), count),
        Err(why) => (Err(why), 0),
    };
    if *whole == told {
        return Ok(count);
    }
    let text = |told: &Result<String, String>| told.clone().unwrap_or_else(|why| format!("error: {why}"));
    let (whole, told) = (text(whole), text(&told));
    let differ = whole.lines().zip(told.lines()).find(|(one, other)| one != other);
    let (one, other) = differ.unwrap_or((&whole, &told));
    Err(format!("{what}: without it\n{one}\nwith it\n{other}"))
}

fn hold(seed: u64) -> Held {
    let mut dice = Dice::of(seed);
    let (base, frames) = dice.pick(all_bases());
    let mut files = base.files.clone();
    let mut wounds = Vec::new();
    let hurt = |files: &mut Files, wounds: &mut Vec<_>, dice: &mut Dice| {
        for _ in 0..dice.roll(3) {
            let beside = if dice.roll(3) == 0 { beside(base, files, dice) } else { None };
            if let Some(wound) = beside.or_else(|| choose(base, frames, dice)) {
                wound.apply(files);
                wounds.push(wound);
            }
        }
    };
    hurt(&mut files, &mut wounds, &mut dice);
    let disk = disk_with(&files, Path::new(LOG));
    let sim = disk.clone();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let named = dice.roll(2) == 0;
    let none = Keys::default();
    let keys = if dice.roll(4) == 0 { &none } else { &base.keys };
    let log = Log { disk: &disk, dir: Path::new(LOG), format: named.then_some(base.format), keys, deep: dice.roll(2) == 0 };
    let about = |why: String, wounds: &[_]| format!("{} {}, {wounds:?}: {why}", base.format.name, base.name);
    let whole = log.whole();
    if let Err(why) = deal_out(&log, "/seen", &mut dice) {
        return if whole == Err(why.clone()) {
            Ok(0)
        } else {
            Err(about(format!("a part fails: {why}, not {whole:?}"), &wounds))
        };
    }
    let seen = open_seen(&disk, "/seen");
    let mut count = demand_same("parts joined", &whole, log.with(&seen)).map_err(|why| about(why, &wounds))?;
    seen.save().map_err(|error| error.to_string())?;
    // The log changes, once and again: whatever becomes of it, the lines are never believed against it.
    for round in 0..2 {
        let mut now = files.clone();
        let before = wounds.len();
        hurt(&mut now, &mut wounds, &mut dice);
        change(&sim, Path::new(LOG), &files, &now);
        files = now;
        let seen = open_seen(&disk, "/seen");
        count = demand_same(&format!("after change {round}, {:?}", &wounds[before..]), &log.whole(), log.with(&seen))
            .map_err(|why| about(why, &wounds))?;
        seen.save().map_err(|error| error.to_string())?;
    }
    Ok(count)
}

fn run(first: u64, cases: u64, hold: fn(u64) -> Held) -> usize {
    let (next, seen, failures) = (AtomicU64::new(first), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        return;
                    }
                    match hold(seed) {
                        Ok(count) => drop(seen.fetch_add(count as u64, Ordering::Relaxed)),
                        Err(why) => {
                            let mut failures = failures.lock().expect("nobody panics while holding it");
                            failures.push(format!("WALCTL_SEEN_SEED={seed}: {why}"));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panicked while holding it");
    assert!(failures.is_empty(), "{} of {cases} cases:\n{}", failures.len(), failures.join("\n"));
    usize::try_from(seen.into_inner()).expect("a small number")
}

#[test]
fn parts_in_any_order_join_to_the_whole_and_what_changes_is_read_again() {
    if let Some(seed) = std::env::var("WALCTL_SEEN_SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed, 1, hold);
        return;
    }
    let seen = run(1, 600, hold);
    assert!(seen > 200, "only {seen} segments were not read again: the lines are good for nothing");
}

#[test]
#[ignore = "a long run"]
fn parts_in_any_order_join_to_the_whole_often() {
    run(1_000_000, 5000, hold);
}

/// Walks so many parts in one order and joins their files in another one; of one part the file is there twice, of another one it is lost.
fn deal_out_badly(log: &Log<'_>, of: u32, dice: &mut Dice) -> Result<(), String> {
    let path = |number: u32| format!("/part-{number}-of-{of}");
    for number in shuffled(of, dice) {
        log.part(&open_seen(log.disk, &path(number)), number, of)?;
    }
    let mut order = shuffled(of, dice);
    order.push(1 + dice.roll(of as usize) as u32);
    let lost = dice.roll(4) == 0 && of > 1;
    let all: Vec<u8> = order.iter().skip(usize::from(lost)).flat_map(|number| read(log.disk.as_ref(), &path(*number))).collect();
    write(log.disk.as_ref(), Path::new("/joined"), &all);
    Ok(())
}

/// The log of every case, of every shape and of every fixture that is not large, by every count of parts up to one more than it has segments.
#[test]
fn the_parts_of_every_case_join_to_the_whole_however_many_there_are_and_in_whatever_order() {
    let bases = bases();
    let (mut logs, mut as_seen, mut counts) = (BTreeSet::new(), 0, 0);
    for (index, base) in bases.iter().enumerate() {
        let disk: Arc<dyn Disk> = Arc::new(disk_with(&base.files, Path::new(LOG)));
        let mut dice = Dice::of(index as u64);
        let log = Log { disk: &disk, dir: Path::new(LOG), format: Some(base.format), keys: &base.keys, deep: index % 2 == 0 };
        let whole = log.whole();
        let segments = base.files.keys().filter(|name| base.format.number_of(name).is_some()).count().min(12) as u32;
        for of in 1..=segments + 1 {
            // A part may not meet what keeps the whole from being looked at; then the join does.
            if let Err(why) = deal_out_badly(&log, of, &mut dice) {
                assert_eq!(Err(why), whole, "{}: a part of {of}", base.name);
                continue;
            }
            let joined = demand_same("joined", &whole, log.with(&open_seen(&disk, "/joined")));
            as_seen += joined.unwrap_or_else(|why| panic!("{}: {of} parts: {why}", base.name));
            counts += 1;
        }
        logs.insert(&base.name);
    }
    assert!(
        logs.len() > 300 && counts > 900 && as_seen > 500,
        "{} logs, {counts} counts, {as_seen} segments as seen",
        logs.len()
    );
}

/// Every fixture in place, as it lies there: parts in any order, joined, are the whole, and then all but the last segment is as seen.
#[test]
fn the_parts_of_every_fixture_join_to_the_whole() {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut logs, mut as_seen) = (0, BTreeSet::new());
    for format in crate::formats::foreign() {
        for (case, dir) in crate::formats::cases(format.name) {
            let keys = crate::formats::keys(&crate::formats::expected(&dir));
            for below in crate::formats::logs_below(format, &dir.join("wal")) {
                logs += 1;
                let log = Log { disk: &disk, dir: &below, format: Some(format), keys: &keys, deep: logs % 2 == 0 };
                let (path, whole) = (folder.path().join(format!("seen-{logs}")), log.whole());
                let path = path.to_str().expect("it is text");
                for number in [2, 3, 1] {
                    let done = log.part(&open_seen(&disk, path), number, 3);
                    assert!(done.is_ok() == whole.is_ok(), "{}/{case}: {done:?}", format.name);
                }
                let count = demand_same("joined", &whole, log.with(&open_seen(&disk, path)));
                if count.unwrap_or_else(|why| panic!("{}/{case}: {why}", format.name)) > 0 {
                    as_seen.insert(format.name);
                }
            }
        }
    }
    assert!(logs > 200, "{logs} logs");
    // Of the others no fixture has two segments.
    let single: Vec<&str> = crate::formats::foreign().map(|format| format.name).filter(|name| !as_seen.contains(name)).collect();
    assert_eq!(single, ["sqlite", "nats"], "no segment of these was as seen");
}

/// A log of ten segments, and a file in which nine are seen.
fn ten() -> (SimDisk, Vec<u8>) {
    let recipe = "times 6 fill 90 100\nseal\nsegment\n".repeat(9) + "record tail";
    let made = crate::support::recipe::cook(&recipe).expect("a good recipe");
    let files: Files = made.segments.into_iter().map(|segment| (segment.name, segment.bytes)).collect();
    let disk = disk_with(&files, Path::new(LOG));
    let door: Arc<dyn Disk> = Arc::new(disk.clone());
    let seen = open_seen(&door, "/seen");
    assert_eq!(native(&door).with(&seen).expect("it is well").1, 0);
    seen.save().expect("there is room");
    (disk, read(door.as_ref(), "/seen"))
}

fn native(disk: &Arc<dyn Disk>) -> Log<'_> {
    static NONE: OnceLock<Keys> = OnceLock::new();
    Log { disk, dir: Path::new(LOG), format: None, keys: NONE.get_or_init(Keys::default), deep: false }
}

#[test]
fn a_file_that_is_hurt_anyhow_costs_time_and_never_a_verdict() {
    let (sim, good) = ten();
    let disk: Arc<dyn Disk> = Arc::new(sim);
    let (log, lines) = (native(&disk), good.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect::<Vec<_>>());
    let whole = log.whole();
    assert_eq!(lines.len(), 9);
    for seed in 0..300 {
        let mut dice = Dice::of(seed);
        let mut hurt = good.clone();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(hurt.len() + 1);
            match dice.roll(7) {
                0 => drop(hurt.get_mut(at).map(|byte| *byte ^= 1 << dice.roll(8))),
                1 => hurt.truncate(at),
                2 => drop(hurt.splice(at..at, vec![[0, b'\n', b'{', 0xff][dice.roll(4)]; dice.roll(5000)])),
                3 => drop(hurt.drain(at..(at + dice.roll(5000)).min(hurt.len()))),
                4 => drop(hurt.splice(0..0, lines[dice.roll(9)].to_vec())),
                // The lines in another order, some of them twice, none with the newline that would end it.
                5 => hurt.extend(lines[dice.roll(9)]),
                _ => hurt.extend((0..9).flat_map(|_| [lines[dice.roll(9)], b"\n"].concat())),
            }
        }
        write(disk.as_ref(), Path::new("/seen"), &hurt);
        let seen = open_seen(&disk, "/seen");
        demand_same("hurt", &whole, log.with(&seen)).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        seen.save().expect("there is room");
        if seen.keeps() {
            assert_eq!(log.with(&open_seen(&disk, "/seen")).expect("it is well").1, 9, "seed {seed}: it is whole again");
        } else {
            assert_eq!(read(disk.as_ref(), "/seen"), hurt, "seed {seed}: a file of somebody else was changed");
        }
    }
}

#[test]
fn a_power_failure_at_any_moment_of_writing_leaves_the_old_file_or_the_new_one() {
    let (sim, _) = ten();
    let before = sim.operations();
    let rewrite = |disk: &SimDisk| {
        let door: Arc<dyn Disk> = Arc::new(disk.clone());
        let first = Path::new(LOG).join("00000000000000000007.wal");
        // One segment has another mark now, so its line is written anew.
        let bytes = files_in(disk, Path::new(LOG)).remove("00000000000000000007.wal").expect("it is there");
        disk.remove(&first).and_then(|()| disk.open(&first, Open::CREATE)).map(drop)?;
        let file = disk.open(&first, Open::WRITE)?;
        write_full(file.as_ref(), &bytes, 0)?;
        file.sync_all()?;
        disk.sync_dir(Path::new(LOG))?;
        let seen = open_seen(&door, "/seen");
        native(&door).with(&seen).map_err(|what| Error::Input { what })?;
        seen.save()
    };
    let clone = |disk: &SimDisk| disk.after_power_failure(Luck::All);
    let trial = clone(&sim);
    let start = trial.operations();
    rewrite(&trial).expect("nothing fails");
    let (count, mut old, mut new) = (trial.operations() - start, 0, 0);
    assert!(before > 0 && count > 8, "{count} operations");
    for operation in 1..=count {
        for luck in [Luck::None, Luck::All, Luck::Dice(operation), Luck::Dice(operation + 1000)] {
            let disk = clone(&sim);
            disk.fail_at(disk.operations() + operation, Fault::PowerOff);
            rewrite(&disk).expect_err("the power failed");
            let after = disk.after_power_failure(luck);
            let door: Arc<dyn Disk> = Arc::new(after);
            let log = native(&door);
            let seen = open_seen(&door, "/seen");
            let lines = seen.lines();
            assert_eq!((lines.broken, lines.usable >= 9), (0, true), "operation {operation}, {luck:?}: {lines:?}");
            let as_seen = demand_same("after it", &log.whole(), log.with(&seen)).unwrap_or_else(|why| panic!("{why}"));
            *(if as_seen == 9 { &mut new } else { &mut old }) += 1;
            seen.save().expect("what was left unfinished is in nobody's way");
            let followed = files_in(door.as_ref(), Path::new(LOG)).len() - 1;
            assert_eq!(log.with(&open_seen(&door, "/seen")).map(|looked| looked.1), Ok(followed));
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

#[test]
fn a_line_is_good_for_as_long_as_was_asked_and_not_for_a_clock_that_was_set_back() {
    let (sim, _) = ten();
    let disk: Arc<dyn Disk> = Arc::new(sim);
    let (log, now) = (native(&disk), Time::now());
    let day = 86_400_000_000u64;
    for (later, days, as_seen) in
        [(0, 30, 9), (29 * day, 30, 9), (30 * day, 30, 0), (day, 1, 0), (0, 0, 0), (0u64.wrapping_sub(day), 30, 0)]
    {
        let at = Time(now.0.wrapping_add(later));
        let seen = SeenFile::open(disk.clone(), Path::new("/seen"), Duration::from_secs(days * 86_400), at).expect("it is there");
        let seen = Arc::new(seen);
        assert_eq!(log.with(&seen).expect("it is well").1, as_seen, "{days} days, looked at {later} later");
        assert_eq!(seen.lines().too_old, 9 - as_seen as u64, "{days} days, looked at {later} later");
    }
}

#[test]
fn lines_of_segments_that_are_gone_are_let_go_and_those_of_other_logs_stay() {
    let (sim, _) = ten();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    sim.create_dir(Path::new("/other")).expect("it can be made");
    let files = files_in(&sim, Path::new(LOG));
    change(&sim, Path::new("/other"), &Files::new(), &files);
    let (log, other) = (native(&disk), Log { dir: Path::new("/other"), ..native(&disk) });
    let look = |log: &Log<'_>| {
        let seen = open_seen(&disk, "/seen");
        let as_seen = log.with(&seen).expect("it is well").1;
        seen.save().expect("there is room");
        (as_seen, open_seen(&disk, "/seen").lines().usable)
    };
    // The same names, the same length, the same content: it is another log all the same, and none of its lines is the other's.
    assert_eq!(look(&other), (0, 18));
    assert_eq!((look(&log), look(&other)), ((9, 18), (9, 18)));
    for name in files.keys().take(3) {
        sim.remove(&Path::new(LOG).join(name)).expect("it is there");
    }
    // What was pruned is not missed, and the last line that had it in it is written anew with those that are left.
    assert_eq!(look(&log), (6, 18));
    // A segment that was put there anew has a new line, and with it those of the segments that are gone are dropped.
    let path = Path::new(LOG).join("00000000000000000031.wal");
    sim.remove(&path).expect("it is there");
    write(&sim, &path, &files["00000000000000000031.wal"]);
    assert_eq!(look(&log), (5, 15));
    assert_eq!(look(&other), (9, 15));
}

#[test]
fn a_segment_that_was_renamed_or_changed_in_place_is_read_again_and_its_neighbours_are_not() {
    let (sim, _) = ten();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = native(&disk);
    let path = |name: &str| Path::new(LOG).join(name);
    let as_seen = |what: &str| {
        let seen = open_seen(&disk, "/seen");
        demand_same(what, &log.whole(), log.with(&seen)).unwrap_or_else(|why| panic!("{why}"))
    };
    let (name, moved) = (path("00000000000000000013.wal"), path("00000000000000000014.wal"));
    sim.rename(&name, &moved).expect("it is there");
    // The one before it has another neighbour now.
    assert_eq!(as_seen("renamed"), 7);
    sim.rename(&moved, &name).expect("it is there");
    assert_eq!(as_seen("renamed back"), 9);
    let bytes = files_in(&sim, Path::new(LOG)).remove("00000000000000000013.wal").expect("it is there");
    let mut hurt = bytes.clone();
    hurt[4200] ^= 1;
    write(&sim, &name, &hurt);
    assert_eq!(as_seen("changed in place"), 8);
    write(&sim, &name, &bytes);
    assert_eq!(as_seen("as it was"), 9);
}

#[test]
fn a_log_whose_disk_tells_no_stamps_is_read_each_time() {
    let made = crate::support::recipe::cook("record a\nseal\nsegment\nrecord b").expect("a good recipe");
    let held: Arc<dyn Disk> = Arc::new(crate::support::held::HeldFolder::of(&made));
    let room: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let log = Log { disk: &held, dir: Path::new("LOG"), ..native(&held) };
    for _ in 0..2 {
        let seen = open_seen(&room, "/seen");
        assert_eq!(demand_same("held", &log.whole(), log.with(&seen)), Ok(0));
        seen.save().expect("there is room");
    }
}

#[test]
fn a_file_that_is_called_like_a_segment_or_is_none_is_refused() {
    let (sim, _) = ten();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let before = sim.fingerprint();
    for name in ["/log/00000000000000000013.wal", "/log/00000000000000000099.wal", "/seen.walctl-unfinished", "/..", LOG] {
        assert!(SeenFile::open(disk.clone(), Path::new(name), MONTH, Time::now()).is_err(), "{name}");
    }
    assert_eq!(sim.fingerprint(), before);
}

#[test]
fn of_what_is_as_seen_only_headers_are_opened() {
    let (sim, _) = ten();
    let opened: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = opened.clone();
    let hook = move |door: Door, path: &Path| {
        if door == Door::Open {
            note.lock().expect("no hook panics").push(path.display().to_string());
        }
    };
    let disk: Arc<dyn Disk> = Arc::new(Meanwhile::new(&sim, hook).at_rest());
    let seen = open_seen(&disk, "/seen");
    opened.lock().expect("no hook panics").clear();
    assert_eq!(native(&disk).with(&seen).map(|looked| looked.1), Ok(9));
    let mut opened = opened.lock().expect("no hook panics").clone();
    opened.sort();
    opened.dedup();
    // The active segment, and the headers that say whether its log is encrypted: of the first one and of the one before it.
    assert_eq!(opened, ["/log/00000000000000000001.wal", "/log/00000000000000000049.wal", "/log/00000000000000000055.wal"]);
}
