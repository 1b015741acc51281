//! The power fails at each operation of a load on a disk that forgets: what was acknowledged is there, in order, and nothing else is.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, Errno, Fault, Luck, SimDisk};
use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::{Error, Lsn, Payload, Verdict};
use walctl::native::FrameKind;
use walctl::ops;
use walctl::ops::open::Choice;
use walctl::ops::report::{Checks, Progress};
use walctl::writer::{Draft, GroupCommit, Preallocate, Retain, Settings, SyncMode};

const DIR: &str = "/log";

/// What a load handed over, and what it was told.
#[derive(Debug, Default)]
struct Told {
    /// Payloads in the order in which they were handed over, each with the number of its batch.
    submitted: Vec<(Vec<u8>, usize)>,
    /// How many of them were acknowledged as durable, and their LSNs.
    acknowledged: Vec<Lsn>,
    batches: usize,
}

impl Told {
    /// Appends a batch; false when the writer is at its end.
    fn append(&mut self, log: &GroupCommit, payloads: &[Vec<u8>]) -> bool {
        let number = self.batches;
        self.batches += 1;
        self.submitted.extend(payloads.iter().map(|payload| (payload.clone(), number)));
        let drafts: Vec<Draft<'_>> = payloads.iter().map(|p| Draft { kind: FrameKind::Full, tag: 5, ..Draft::of(p) }).collect();
        match log.append_batch(&drafts) {
            Ok(acks) => {
                self.acknowledged.extend(acks.iter().filter(|ack| ack.durable).map(|ack| ack.lsn));
                true
            }
            Err(_) => false,
        }
    }
}

fn payload(number: usize, length: usize) -> Vec<u8> {
    let mut bytes = format!("{number:06}").into_bytes();
    bytes.extend((0..length).map(|n| u8::try_from((n * 31 + number) % 255 + 1).expect("below 256")));
    bytes
}

/// Appends, batches, long records, rotations by size and by hand, clean and unclean ends, reopening.
fn load(disk: &SimDisk, options: &Settings) -> Told {
    let mut told = Told::default();
    let mut number = 0;
    for session in 0..3 {
        // Files are used again only after some segments were let go.
        let steps = if options.preallocate == Preallocate::Recycle { 10 } else { 7 };
        let Ok(log) = GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), options.clone()) else { return told };
        for step in 0..steps {
            let sizes: &[usize] = match step % 7 {
                0 => &[10],
                1 => &[0, 700, 30],
                2 => &[2500],
                3 => &[1, 1100],
                _ => &[300],
            };
            let payloads: Vec<Vec<u8>> = sizes
                .iter()
                .map(|length| {
                    number += 1;
                    payload(number, *length)
                })
                .collect();
            if !told.append(&log, &payloads) {
                return told;
            }
            if step == 4 && session == 1 && log.rotate().is_err() {
                return told;
            }
            if step == 5 && !options.sync.promises() {
                let synced = log.sync();
                let Ok(last) = synced else { return told };
                // Everything so far is durable now, by its own word.
                assert_eq!(last.next(), log.next_lsn());
                told.acknowledged.clear();
            }
        }
        if session != 1 && log.close().is_err() {
            return told;
        }
    }
    told
}

fn configurations() -> Vec<(String, Settings)> {
    let base = Settings { background: false, segment_bytes: 8192, frame_limit: 1024, ahead_bytes: 2048, ..Settings::default() };
    let mut all = Vec::new();
    for (name, sync) in
        [("fdatasync", SyncMode::Fdatasync), ("fsync", SyncMode::Fsync), ("dsync", SyncMode::Dsync), ("none", SyncMode::None)]
    {
        // Room for whole groups, so that they go past the page cache.
        let roomy = Settings { sync, segment_bytes: 32_768, ahead_bytes: 16_384, ..base.clone() };
        all.push((format!("{name} with room"), roomy));
        for direct in [false, true] {
            for preallocate in [Preallocate::Zero, Preallocate::None, Preallocate::Sparse] {
                let options = Settings { sync, direct, preallocate, ..base.clone() };
                all.push((format!("{name} direct={direct} {preallocate}"), options));
            }
        }
    }
    all
}

/// Where retention lets segments go and their files are used again.
fn used_again() -> Vec<(String, Settings)> {
    let base = Settings {
        background: false,
        segment_bytes: 8192,
        frame_limit: 1024,
        ahead_bytes: 16_384,
        preallocate: Preallocate::Recycle,
        retain: Retain::new().segments(2),
        ..Settings::default()
    };
    let named = |name: &str, settings: Settings| (format!("{name}, files used again"), settings);
    vec![
        named("past the cache", base.clone()),
        named("buffered", Settings { buffered: true, ..base.clone() }),
        named("direct", Settings { direct: true, ..base.clone() }),
        named("not synced", Settings { sync: SyncMode::None, ..base }),
    ]
}

/// What reads back from a disk: records in order up to the first damage, the verdict, and the damage in words.
type Found = (Vec<(Lsn, Vec<u8>)>, Verdict, String);

const NO_LOG: Found = (Vec::new(), Verdict::Clean, String::new());

/// Reads all of it; `None` when there is no log.
fn read(disk: &SimDisk, options: &Settings) -> Option<Found> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let inputs = match ops::open::open(&shared, Path::new(DIR), &Choice { keys: options.keys.clone(), ..Choice::default() }) {
        Ok(inputs) => inputs,
        Err(Error::NotALog { .. } | Error::Io { .. }) => return None,
        Err(other) => panic!("{other}"),
    };
    let input = &inputs[0];
    let report = ops::report::verify(input, &Checks { deep: true, ..Checks::default() }, &Progress::default())
        .expect("memory can be read");
    let end = report.damage.first().map(|damage| (damage.span.place.segment, damage.span.place.offset));
    let mut records = Vec::new();
    for segment in &input.source.segments {
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            if let Item::Record(record) = item
                && end.is_none_or(|end| (record.span.place.segment, record.span.place.offset) < end)
                && record.is_data()
            {
                let Payload::Whole(bytes) = record.payload else { panic!("these records are short") };
                records.push((record.lsn.expect("ours have numbers"), bytes.to_vec()));
            }
            Ok(())
        };
        let want = Want { payloads: true, ..Want::default() };
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
        (input.format.walk)(&visit, &mut Sink::new(&mut take)).expect("memory can be read");
    }
    let words = format!("{:?}", report.damage);
    Some((records, report.verdict, words))
}

/// How many records retention has let go: those before the first that is there. Without a rule none may be gone.
fn let_go(records: &[(Lsn, Vec<u8>)], told: &Told, options: &Settings) -> usize {
    let Some((_, first)) = records.first().filter(|_| options.retain.any()) else { return 0 };
    told.submitted.iter().position(|(submitted, _)| submitted == first).unwrap_or(0)
}

/// Checks one disk as it came up again.
fn check(disk: &SimDisk, told: &Told, options: &Settings, seed: &str) {
    let (records, verdict, damage) = read(disk, options).unwrap_or(NO_LOG);
    assert!(matches!(verdict, Verdict::Clean | Verdict::Torn), "{seed}: {verdict} {damage}");
    let gone = let_go(&records, told, options);
    let end = gone + records.len();
    assert!(
        end >= told.acknowledged.len(),
        "{seed}: {} of {} acknowledged records, {gone} let go",
        records.len(),
        told.acknowledged.len()
    );
    assert!(end <= told.submitted.len(), "{seed}: more came back than was handed over");
    for (index, ((lsn, bytes), (submitted, _))) in records.iter().zip(&told.submitted[gone..]).enumerate() {
        assert!(bytes == submitted, "{seed}: record {index} (LSN {lsn}) is another one");
        assert!(
            told.acknowledged.get(gone + index).is_none_or(|acknowledged| acknowledged == lsn),
            "{seed}: record {index} has LSN {lsn}"
        );
    }
    if let (Some((_, last)), Some((_, next))) = (told.submitted.get(end.wrapping_sub(1)), told.submitted.get(end)) {
        assert!(last != next, "{seed}: half of a batch came back");
    }
    // A writer goes on exactly where the log is clean, and never gives a number again.
    match GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), options.clone()) {
        Ok(log) => {
            assert_eq!(verdict, Verdict::Clean, "{seed}: a writer went on over {damage}");
            let next = log.next_lsn();
            assert!(records.last().is_none_or(|(lsn, _)| next > *lsn), "{seed}: {next} is given again");
            assert!(told.acknowledged.last().is_none_or(|lsn| next > *lsn), "{seed}: {next} was acknowledged");
            log.append(&b"afterwards"[..]).expect("the disk is well");
            log.close().expect("the disk is well");
            drop(log);
            let (after, verdict, damage) = read(disk, options).expect("there is a log now");
            assert_eq!(verdict, Verdict::Clean, "{seed}: after going on: {damage}");
            // What was let go meanwhile was there before.
            let kept = if options.retain.any() { after.len().min(records.len() + 1) } else { records.len() + 1 };
            assert!(after.len() == kept && !after.is_empty(), "{seed}");
        }
        Err(Error::Torn { why, .. }) => {
            assert_eq!(verdict, Verdict::Torn, "{seed}: refused although clean: {why}");
            assert!(why.starts_with("the tail is not whole"), "{seed}: {why}");
        }
        Err(other) => panic!("{seed}: {other}"),
    }
}

/// Lets the power fail at every operation of every configuration; how many different disks came up again.
fn fail_everywhere(dice: u64, configurations: Vec<(String, Settings)>) -> usize {
    let mut states = HashSet::new();
    for (name, options) in configurations {
        let whole = SimDisk::new();
        let told = load(&whole, &options);
        let again = options.preallocate == Preallocate::Recycle;
        assert_eq!(told.batches, if again { 30 } else { 21 }, "{name}: the load does not come through");
        let used_again = whole.trace().iter().filter(|line| line.contains("rename /log/spare-")).count();
        assert_eq!(used_again >= 3, again, "{name}: {used_again} files were used again");
        let operations = whole.operations();
        check(&whole.after_power_failure(Luck::None), &told, &options, &format!("{name}, after the end"));
        for operation in 1..=operations {
            let disk = SimDisk::new();
            disk.fail_at(operation, Fault::PowerOff);
            let told = load(&disk, &options);
            let lucks = [Luck::None, Luck::All].into_iter().chain((0..dice).map(Luck::Dice));
            for luck in lucks {
                let after = disk.after_power_failure(luck);
                if states.insert((name.clone(), after.fingerprint())) {
                    check(
                        &after,
                        &told,
                        &options,
                        &format!("{name}, power off at {operation} ({:?}), {luck:?}", disk.trace().last()),
                    );
                }
            }
        }
    }
    states.len()
}

#[test]
fn the_power_may_fail_at_each_operation() {
    let states = fail_everywhere(3, configurations());
    assert!(states > 2000, "{states} different states");
}

#[test]
fn the_power_may_fail_at_each_operation_of_a_log_in_files_that_are_used_again() {
    let states = fail_everywhere(2, used_again());
    assert!(states > 500, "{states} different states");
}

/// Run by `.ci/run`.
#[test]
#[ignore = "takes a while"]
fn ten_thousand_different_crashes_lose_nothing() {
    let states = fail_everywhere(40, configurations()) + fail_everywhere(8, used_again());
    assert!(states >= 10_000, "{states} different states");
}

/// Each operation fails once with each error, with the machine up: what was acknowledged is there, and the writer says so.
fn each_operation_fails(configurations: Vec<(String, Settings)>) {
    for (name, options) in configurations {
        let whole = SimDisk::new();
        load(&whole, &options);
        for operation in 1..=whole.operations() {
            for fault in [Fault::Errno(Errno::IO), Fault::Errno(Errno::NOSPC), Fault::Short(13)] {
                let disk = SimDisk::new();
                disk.fail_at(operation, fault);
                let told = load(&disk, &options);
                disk.power_off();
                for luck in [Luck::None, Luck::All] {
                    let seed =
                        format!("{name}, {fault:?} at {operation} ({:?}), {luck:?}", disk.trace().get(operation as usize - 1));
                    // Inside a sector, what was taken of a group cannot be told from old bytes behind it: nothing is cut unasked then.
                    let inside = options.preallocate == Preallocate::Recycle && matches!(fault, Fault::Short(_));
                    check_failed(&disk.after_power_failure(luck), &told, &options, inside, &seed);
                }
            }
        }
    }
}

#[test]
fn each_operation_may_fail() {
    each_operation_fails(configurations());
}

#[test]
fn each_operation_may_fail_of_a_log_in_files_that_are_used_again() {
    each_operation_fails(used_again());
}

/// After a failure that the writer lived through, batches that failed alone may be missing between others.
fn check_failed(disk: &SimDisk, told: &Told, options: &Settings, may_be_suspect: bool, seed: &str) {
    let (records, verdict, damage) = read(disk, options).unwrap_or(NO_LOG);
    let suspect = may_be_suspect && verdict == Verdict::Suspect;
    assert!(suspect || matches!(verdict, Verdict::Clean | Verdict::Torn), "{seed}: {verdict} {damage}");
    let gone = let_go(&records, told, options);
    let found: HashSet<&[u8]> = records.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(found.len(), records.len(), "{seed}: a record came twice");
    assert!(gone + records.len() >= told.acknowledged.len(), "{seed}: {} of {}", records.len(), told.acknowledged.len());
    for (lsn, bytes) in &records {
        assert!(told.submitted.iter().any(|(submitted, _)| submitted == bytes), "{seed}: LSN {lsn} was never handed over");
    }
}
