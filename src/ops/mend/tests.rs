//! Repair and undo on a disk that forgets: the power fails at each of their operations.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, Fault, Luck, Open, SimDisk, read_full, write_full};
use crate::formats::{Format, Mend, Mending};
use crate::model::{Error, Lsn, LsnRange, Result, Time, Verdict};
use crate::native::{FrameFields, FrameKind, HEADER_BYTES, MORE, SegmentHeader, encode_frame, encode_header, segment_name};
use crate::ops::mend::{Permit, carry_out, plan, plan_undo, undo};
use crate::ops::open::{Choice, Input, open};
use crate::ops::report::{Checks, Progress, Report, verify};

pub const DIR: &str = "/log";

/// The bytes of a log's files, by name.
pub type Files = Vec<(String, Vec<u8>)>;

fn header(first: u64, chain: u32) -> SegmentHeader {
    SegmentHeader { key: None, block: 0, log_id: [5; 16], first_lsn: Lsn(first), created: Time(1), chain, recycled: false }
}

/// A segment of frames: LSN, unsynced, flags, payload. And the sum of its last frame.
pub fn segment(first: u64, chain: u32, frames: &[(u64, u16, u8, &[u8])]) -> (Vec<u8>, u32) {
    let header = header(first, chain);
    let mut bytes = encode_header(&header);
    let mut sum = 0;
    for (lsn, unsynced, flags, payload) in frames {
        let fields =
            FrameFields { kind: FrameKind::Full, flags: *flags, unsynced: *unsynced, lsn: Lsn(*lsn), time: Time(*lsn), tag: 0 };
        let at = bytes.len() as u64;
        sum = encode_frame(&mut bytes, &fields, payload, header.seed(), at);
    }
    (bytes, sum)
}

pub fn disk_with(files: &Files) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new(DIR)).expect("an empty disk has room");
    for (name, bytes) in files {
        let file = disk.open(&Path::new(DIR).join(name), Open::CREATE).expect("it is new");
        write_full(file.as_ref(), bytes, 0).expect("there is room");
        file.sync_all().expect("nothing is to fail yet");
    }
    disk.sync_dir(Path::new(DIR)).expect("nothing is to fail yet");
    disk.sync_dir(Path::new("/")).expect("nothing is to fail yet");
    disk
}

pub fn files(disk: &SimDisk) -> Files {
    let mut files: Files = disk
        .list(Path::new(DIR))
        .expect("it lists")
        .into_iter()
        .map(|entry| {
            let file = disk.open(&Path::new(DIR).join(&entry.name), Open::READ).expect("it is there");
            let mut bytes = vec![0; usize::try_from(entry.length).expect("small")];
            read_full(file.as_ref(), &mut bytes, 0).expect("it reads");
            (entry.name, bytes)
        })
        .collect();
    files.sort();
    files
}

fn input(disk: &SimDisk) -> Result<Input> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let foreign = disk.list(Path::new(DIR))?.iter().any(|entry| entry.name.ends_with(".dwb"));
    let format = if foreign { crate::formats::by_name("nodedb") } else { Some(crate::formats::ours()) };
    Ok(open(&disk, Path::new(DIR), &Choice { format, ..Choice::default() })?.remove(0))
}

pub fn look(disk: &SimDisk) -> Result<(Input, Report)> {
    let input = input(disk)?;
    let report = verify(&input, &Checks::default(), &Progress::default())?;
    Ok((input, report))
}

fn repair(disk: &SimDisk, permit: &Permit) -> Result<()> {
    let (input, report) = look(disk)?;
    let plan = plan(&input, &report, permit)?;
    assert_eq!(plan.refusal, None);
    carry_out(&input.source.disk, &plan)
}

fn put_back(disk: &SimDisk) -> Result<()> {
    let input = input(disk)?;
    undo(&input.source.disk, &plan_undo(&input)?)
}

/// The files of a log that another system wrote.
fn fixture(path: &str) -> Files {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    let entries = std::fs::read_dir(dir).expect("the fixture is there").map(|entry| entry.expect("it can be listed"));
    let mut files: Files = entries
        .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).expect("it can be read")))
        .collect();
    files.sort();
    files
}

/// Logs that can be mended, and by which permit.
pub fn hurt() -> Vec<(&'static str, Files, Permit)> {
    let name = |lsn| segment_name(Lsn(lsn));
    let (whole, sum) = segment(1, 0, &[(1, 0, 0, b"alpha"), (2, 0, 0, b"beta"), (3, 0, 0, &[7; 3000])]);
    let torn = whole[..whole.len() - 700].to_vec();
    let mut room = whole.clone();
    room[4192 + 1000..].fill(0);
    room.resize(60_000, 0);
    let (mut hole, _) = segment(1, 0, &[(1, 0, 0, b"a"), (2, 0, 0, &[7; 700]), (3, 1, 0, b"c"), (4, 2, 0, b"d")]);
    hole[4144..4144 + 740].fill(0);
    hole.resize(20_000, 0);
    let (batch, _) = segment(1, 0, &[(1, 0, 0, b"a"), (2, 0, MORE, b"b"), (3, 1, MORE, &[9; 900])]);
    let (second, second_sum) = segment(4, sum, &[(4, 0, 0, b"delta"), (5, 0, 0, b"epsilon")]);
    let third = segment(6, second_sum, &[(6, 0, 0, b"zeta")]).0;
    let nothing = segment(4, sum, &[]).0;
    let permit = Permit::default();
    let at = Permit { at: Some(Lsn(1)), ..permit };
    let copies = Permit { from_copies: true, ..permit };
    let accept = Permit { hole: Some((LsnRange { first: Lsn(4), last: Lsn(5) }, Time(7))), ..permit };
    vec![
        ("a frame that is cut short", vec![(name(1), torn)], permit),
        ("a frame that ends in room made ahead", vec![(name(1), room)], permit),
        ("a hole with frames of its group behind it", vec![(name(1), hole)], permit),
        ("a batch without its end", vec![(name(1), batch)], permit),
        ("half a header", vec![(name(1), whole.clone()), (name(4), second[..90].to_vec())], permit),
        ("an empty segment alone", vec![(name(1), Vec::new())], permit),
        ("a hole that is accepted", vec![(name(1), whole.clone()), (name(6), third.clone())], accept),
        (
            "a hole whose name a segment without a record has",
            vec![(name(1), whole.clone()), (name(4), nothing), (name(6), third)],
            accept,
        ),
        ("two segments, cut on purpose", vec![(name(1), whole), (name(4), second)], at),
        ("a torn end with its copy beside it", fixture("nodedb/torn_tail_dwb/wal"), copies),
        ("the same with a longer header, and blocks to fill", fixture("nodedb/torn_tail_dwb-h63/wal"), copies),
    ]
}

pub const LUCKS: [Luck; 8] =
    [Luck::None, Luck::All, Luck::Dice(1), Luck::Dice(2), Luck::Dice(3), Luck::Dice(4), Luck::Dice(5), Luck::Dice(6)];

/// The segments alone.
fn segments(files: &Files) -> Files {
    let is_segment = |name: &str| crate::native::segment_lsn(name).is_some() || name.ends_with(".seg");
    files.iter().filter(|(name, _)| is_segment(name)).cloned().collect()
}

/// The segments without the zeros at their ends.
fn content_of(files: &Files) -> Files {
    let mut segments = segments(files);
    for (_, bytes) in &mut segments {
        bytes.truncate(bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1));
    }
    segments
}

fn content(disk: &SimDisk) -> Files {
    content_of(&files(disk))
}

#[test]
fn after_a_power_failure_at_any_point_repair_can_be_run_again_and_undone() {
    for (what, before, permit) in hurt() {
        let disk = disk_with(&before);
        repair(&disk, &permit).expect("nothing fails");
        let mended = segments(&files(&disk));
        let start = disk_with(&before).operations();
        for operation in start + 1.. {
            let disk = disk_with(&before);
            disk.fail_at(operation, Fault::PowerOff);
            let done = repair(&disk, &permit).is_ok();
            for luck in LUCKS {
                let again = disk.after_power_failure(luck);
                repair(&again, &permit).unwrap_or_else(|e| panic!("{what}, operation {operation}, {luck:?}: {e}"));
                assert!(segments(&files(&again)) == mended, "{what}, operation {operation}, {luck:?}");
                assert_eq!(look(&again).expect("it reads").1.verdict, Verdict::Clean);
                while put_back(&again).is_ok() {}
                assert!(files(&again) == before, "{what}, operation {operation}, {luck:?}");
            }
            if done {
                assert!(!disk.is_off(), "it cannot be done without its last operation");
                break;
            }
        }
    }
}

#[test]
fn after_a_power_failure_at_any_point_undo_can_be_run_again_and_so_can_repair() {
    for (what, before, permit) in hurt() {
        let disk = disk_with(&before);
        repair(&disk, &permit).expect("nothing fails");
        let mended = files(&disk);
        let start = disk_with(&mended).operations();
        for operation in start + 1.. {
            let disk = disk_with(&mended);
            disk.fail_at(operation, Fault::PowerOff);
            let done = put_back(&disk).is_ok();
            for luck in LUCKS {
                let again = disk.after_power_failure(luck);
                while put_back(&again).is_ok() {}
                assert!(files(&again) == before, "{what}, operation {operation}, {luck:?}");
                // Instead of undoing, the log can be repaired again.
                let other = disk.after_power_failure(luck);
                repair(&other, &permit).unwrap_or_else(|e| panic!("{what}, operation {operation}, {luck:?}: {e}"));
                // Zeros that the undo made room with are room made ahead.
                assert!(content(&other) == content_of(&mended), "{what}, operation {operation}, {luck:?}");
            }
            if done {
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_stops_a_repair_before_it_cuts() {
    let (_, before, permit) = hurt().remove(0);
    let disk = disk_with(&before);
    disk.limit(before.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>() + 100);
    assert!(repair(&disk, &permit).is_err());
    disk.limit(0);
    assert!(files(&disk) == before);
}

#[test]
fn wherever_a_group_is_torn_only_that_group_goes_and_undo_brings_every_byte_back() {
    // Three groups: 1; 2 and 3; 4, 5 and 6, of which 4 and 5 are a batch.
    let frames: [(u64, u16, u8, &[u8]); 6] = [
        (1, 0, 0, b"one"),
        (2, 0, 0, &[2; 300]),
        (3, 1, 0, b"three"),
        (4, 0, MORE, b"four"),
        (5, 1, 0, &[5; 600]),
        (6, 2, 0, b"six"),
    ];
    let (whole, _) = segment(1, 0, &frames);
    let mut ends = Vec::new();
    for count in 0..=frames.len() {
        // The padding after a payload is no part of the record.
        let padding = count.checked_sub(1).map_or(0, |last| frames[last].3.len().next_multiple_of(8) - frames[last].3.len());
        ends.push(segment(1, 0, &frames[..count]).0.len() - padding);
    }
    for room in [0, 6000] {
        for cut in 4096..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + room, 0);
            let before = vec![(segment_name(Lsn(1)), bytes)];
            let disk = disk_with(&before);
            let expected = ends.iter().rposition(|end| *end <= cut).expect("the header is whole");
            // A batch goes as a whole.
            let expected = if expected == 4 { 3 } else { expected };
            // A frame whose last few bytes alone are zeros can as well be rotten.
            let permit = Permit { suspect: room > 0, ..Permit::default() };
            repair(&disk, &permit).unwrap_or_else(|e| panic!("cut {cut}: {e}"));
            let (_, report) = look(&disk).expect("it reads");
            assert_eq!((report.verdict, report.records), (Verdict::Clean, expected as u64), "cut {cut}, room {room}");
            while put_back(&disk).is_ok() {}
            assert!(files(&disk) == before, "cut {cut}, room {room}");
        }
    }
}

#[test]
fn a_flipped_bit_of_an_acknowledged_frame_is_never_cut() {
    let (whole, _) = segment(1, 0, &[(1, 0, 0, b"one"), (2, 0, 0, b"two"), (3, 0, 0, b"three")]);
    for bit in 4096 * 8..4144 * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let before = vec![(segment_name(Lsn(1)), bytes)];
        let disk = disk_with(&before);
        let (input, report) = look(&disk).expect("it reads");
        let permit = Permit { suspect: true, max_cut: u64::MAX, ..Permit::default() };
        let plan = plan(&input, &report, &permit).expect("it reads");
        assert!(plan.cuts.is_empty(), "bit {bit}: {plan:?}");
        assert_eq!(plan.refusal.is_some(), report.verdict != Verdict::Clean, "bit {bit}");
        carry_out(&input.source.disk, &plan).expect("there is nothing to do");
        assert!(files(&disk) == before, "bit {bit}");
    }
}

#[test]
fn undo_refuses_what_would_lose_bytes() {
    let (_, before, permit) = hurt().remove(0);
    let name = segment_name(Lsn(1));
    let path = Path::new(DIR).join(&name);
    let mended = || {
        let disk = disk_with(&before);
        repair(&disk, &permit).expect("nothing fails");
        disk
    };
    let why = |disk: &SimDisk| match put_back(disk) {
        Err(Error::Refused { why, .. }) => why,
        other => panic!("it should be refused: {other:?}"),
    };
    let grown = mended();
    let file = grown.open(&path, Open::WRITE).expect("it is there");
    write_full(file.as_ref(), b"new", file.length().expect("it tells")).expect("there is room");
    assert!(why(&grown).contains("grown since"));
    let other = mended();
    let file = other.open(&path, Open::WRITE).expect("it is there");
    write_full(file.as_ref(), b"x", 4100).expect("there is room");
    assert!(why(&other).contains("is not what stood there"));
    let later = mended();
    let begun = later.open(&Path::new(DIR).join(segment_name(Lsn(9))), Open::CREATE).expect("it is new");
    write_full(begun.as_ref(), &segment(9, 0, &[]).0, 0).expect("there is room");
    assert!(why(&later).contains("begun behind it"));
    let rotten = mended();
    let cut = files(&rotten).iter().find(|(n, _)| n.contains(".cut-")).expect("the cut was saved").0.clone();
    let file = rotten.open(&Path::new(DIR).join(cut), Open::WRITE).expect("it is there");
    write_full(file.as_ref(), b"?", file.length().expect("it tells") - 1).expect("there is room");
    assert!(why(&rotten).contains("should have"));
    assert!(why(&disk_with(&before)).contains("no cut"));
}

#[test]
fn a_second_cut_at_the_same_place_keeps_the_first() {
    let (_, before, permit) = hurt().remove(0);
    let disk = disk_with(&before);
    repair(&disk, &permit).expect("nothing fails");
    let path = Path::new(DIR).join(segment_name(Lsn(1)));
    let file = disk.open(&path, Open::WRITE).expect("it is there");
    write_full(file.as_ref(), b"WLF1 something else", 4192).expect("there is room");
    let between = files(&disk);
    repair(&disk, &Permit { suspect: true, ..permit }).expect("nothing fails");
    let cuts = files(&disk).iter().filter(|(name, _)| name.contains(".cut-4192")).count();
    assert_eq!(cuts, 2);
    put_back(&disk).expect("the newest first");
    assert!(files(&disk) == between);
}

#[test]
fn what_is_cut_behind_an_lsn_of_another_systems_log_is_all_of_it_or_it_is_refused() {
    let logs = [
        ("ironwal", "clean_batch_raw/wal/orders"),
        ("nodedb", "clean_direct_io_padding-h63/wal"),
        ("rivven", "clean_single/wal"),
    ];
    for (name, log) in logs {
        let choice = Choice { format: crate::formats::by_name(name), ..Choice::default() };
        let (mut cut, mut refused) = (0, 0);
        for at in 1..60 {
            let disk: Arc<dyn Disk> = Arc::new(disk_with(&fixture(&format!("{name}/{log}"))));
            let look = || -> (Input, Report) {
                let input = open(&disk, Path::new(DIR), &choice).expect("it opens").remove(0);
                let report = verify(&input, &Checks::default(), &Progress::default()).expect("it reads");
                (input, report)
            };
            let (input, report) = look();
            let plan = plan(&input, &report, &Permit { at: Some(Lsn(at)), ..Permit::default() }).expect("it is planned");
            refused += usize::from(plan.refusal.is_some());
            if plan.cuts.is_empty() {
                continue;
            }
            carry_out(&disk, &plan).expect("it is cut");
            let after = look().1;
            assert_eq!((after.verdict, after.lsns.map(|l| l.last)), (Verdict::Clean, Some(Lsn(at))), "{name} --at {at}");
            cut += 1;
        }
        assert!(cut > 0 && (name != "ironwal" || refused > 0), "{name}: {cut} cuts, {refused} refusals");
    }
}

#[test]
fn a_log_that_ends_in_the_padding_of_its_last_frame_is_cut_behind_an_lsn_as_any_other() {
    let (mut first, sum) = segment(1, 0, &[(1, 0, 0, b"alpha"), (2, 0, 0, b"beta!")]);
    first.truncate(first.len() - 3);
    let second = segment(3, sum, &[(3, 0, 0, b"gamma")]).0;
    let disk = disk_with(&vec![(segment_name(Lsn(1)), first), (segment_name(Lsn(3)), second)]);
    repair(&disk, &Permit { at: Some(Lsn(2)), ..Permit::default() }).expect("it is cut");
    assert_eq!(look(&disk).expect("it reads").1.lsns.map(|l| l.last), Some(Lsn(2)));
}

#[test]
fn a_cut_behind_an_lsn_never_goes_through_a_batch_or_a_record_of_several_frames() {
    let kinds = [
        (FrameKind::Full, 0),
        (FrameKind::Full, MORE),
        (FrameKind::Full, MORE),
        (FrameKind::Full, 0),
        (FrameKind::First, 0),
        (FrameKind::Middle, 0),
        (FrameKind::Last, 0),
        (FrameKind::Full, 0),
    ];
    let header = header(1, 0);
    let mut bytes = encode_header(&header);
    let mut ends = vec![HEADER_BYTES];
    for (index, (kind, flags)) in kinds.into_iter().enumerate() {
        let lsn = Lsn(index as u64 + 1);
        let fields = FrameFields { kind, flags, unsynced: 0, lsn, time: Time(1), tag: 0 };
        let at = bytes.len() as u64;
        encode_frame(&mut bytes, &fields, b"x", header.seed(), at);
        ends.push(bytes.len() as u64);
    }
    let (input, report) = look(&disk_with(&vec![(segment_name(Lsn(1)), bytes)])).expect("it reads");
    assert_eq!((report.verdict, report.records), (Verdict::Clean, 6));
    // The first LSN of what the cut would go through.
    for (at, inside) in [(1, None), (2, Some(2)), (3, Some(2)), (4, None), (5, Some(5)), (6, Some(5)), (7, None), (8, None)] {
        let plan = plan(&input, &report, &Permit { at: Some(Lsn(at)), ..Permit::default() }).expect("it is planned");
        let cuts: Vec<u64> = plan.cuts.iter().map(|cut| cut.from.offset).collect();
        let why = plan.refusal.map(|refusal| refusal.why);
        match inside {
            Some(first) => {
                let begins = format!("begins with {first}; {} is an end", first - 1);
                assert!(cuts.is_empty() && why.as_ref().is_some_and(|why| why.ends_with(&begins)), "{at}: {cuts:?} {why:?}");
            }
            // Behind the last record there is nothing to cut.
            None if at == 8 => assert_eq!((cuts, why), (Vec::new(), None)),
            None => assert_eq!((cuts, why), (vec![ends[usize::try_from(at).expect("small")]], None), "{at}"),
        }
    }
}

#[test]
fn where_an_lsn_is_no_end_that_is_said_and_where_there_is_nothing_behind_it_nothing_is_done() {
    let name = |lsn| segment_name(Lsn(lsn));
    let (first, sum) = segment(3, 0, &[(3, 0, 0, b"a"), (4, 0, 0, b"b")]);
    let (second, _) = segment(7, sum, &[(7, 0, 0, b"c")]);
    let (next, _) = segment(5, sum, &[(5, 0, 0, b"c")]);
    let batch = vec![(name(1), segment(1, 0, &[(1, 0, MORE, b"a"), (2, 1, 0, b"b")]).0)];
    let torn = [first.clone(), vec![9; 7]].concat();
    let (end, one, two, hole, torn) = (
        first.len() as u64,
        vec![(name(3), first.clone())],
        vec![(name(3), first.clone()), (name(5), next)],
        vec![(name(3), first.clone()), (name(7), second)],
        vec![(name(3), torn)],
    );
    let before = "lies before everything that the log holds";
    let nowhere = "is not in the log, so there is no telling where it ends";
    // What is cut, by offset; how many segments go; why not.
    for (what, files, at, cuts, removed, why) in [
        ("before the first", &one, 2, vec![], 0, Some(before)),
        ("the last", &one, 4, vec![], 0, None),
        ("behind the last", &one, 5, vec![], 0, None),
        ("the last, and a torn end behind it", &torn, 4, vec![end], 0, None),
        ("behind the last, where what it was may be torn", &torn, 5, vec![], 0, Some(nowhere)),
        ("in a hole", &hole, 5, vec![], 0, Some(nowhere)),
        ("the last of a segment, with another one behind it", &two, 4, vec![end], 1, None),
        ("inside a batch with nothing before it", &batch, 1, vec![], 0, Some("inside a batch or record that begins with 1")),
        ("before a hole", &hole, 4, vec![end], 1, None),
        ("the last one behind a hole", &hole, 7, vec![], 0, None),
    ] {
        let (input, report) = look(&disk_with(files)).expect("it reads");
        let plan = plan(&input, &report, &Permit { at: Some(Lsn(at)), ..Permit::default() }).expect("it is planned");
        let refused = plan.refusal.map(|refusal| refusal.why);
        assert_eq!(refused.is_some(), why.is_some(), "{what}: {refused:?}");
        assert!(refused.is_none_or(|said| said.ends_with(why.unwrap_or_default())), "{what}");
        let (gone, cut): (Vec<u64>, Vec<u64>) = plan.cuts.iter().map(|cut| cut.from.offset).partition(|offset| *offset == 0);
        assert_eq!((cut, gone.len()), (cuts, removed), "{what}");
    }
}

#[test]
fn a_segment_whose_header_is_lost_is_not_cut_behind_an_lsn_for_its_frames_tell_of_each_other() {
    let (mut bytes, _) = segment(1, 0, &[(1, 0, 0, b"alpha"), (2, 0, 0, b"beta"), (3, 0, 0, b"gamma")]);
    bytes[..512].fill(0);
    let (input, report) = look(&disk_with(&vec![(segment_name(Lsn(1)), bytes)])).expect("it reads");
    assert_eq!(report.records, 3);
    let plan = plan(&input, &report, &Permit { at: Some(Lsn(1)), ..Permit::default() }).expect("it is planned");
    assert_eq!((plan.cuts.len(), plan.refusal.map(|r| r.kind)), (0, Some(crate::ops::mend::Obstacle::Damage)));
}

#[test]
fn a_segment_that_changed_since_the_plan_was_made_is_not_cut() {
    let (whole, _) = segment(1, 0, &[(1, 0, 0, b"alpha"), (2, 0, 0, &[7; 3000])]);
    let length = whole.len() - 700;
    let name = segment_name(Lsn(1));
    let torn = vec![(name.clone(), whole[..length].to_vec())];
    let end = length as u64;
    // It grew; what was to be cut is another; so is what stands in front of the cut.
    for (changed, at) in [(true, end), (true, end - 10), (true, 4144 - 4), (false, 0)] {
        let disk = disk_with(&torn);
        let (input, report) = look(&disk).expect("it can be looked at");
        let plan = plan(&input, &report, &Permit::default()).expect("it can be planned");
        if changed {
            let file = disk.open(&Path::new(DIR).join(&name), Open::WRITE).expect("it is there");
            write_full(file.as_ref(), &[0x99], at).expect("there is room");
        }
        let before = segments(&files(&disk));
        let done = carry_out(&input.source.disk, &plan);
        assert_eq!(matches!(done, Err(Error::Refused { .. })), changed, "a change at {at}: {done:?}");
        assert_eq!(segments(&files(&disk)) == before, changed, "a change at {at}");
    }
}

#[test]
fn a_later_segment_without_a_byte_does_not_keep_a_cut_from_being_put_back() {
    let (_, before, permit) = hurt().remove(0);
    let disk = disk_with(&before);
    repair(&disk, &permit).expect("nothing fails");
    let later = Path::new(DIR).join(segment_name(Lsn(9)));
    disk.open(&later, Open::CREATE).expect("it is new");
    put_back(&disk).expect("nothing was written since");
    disk.remove(&later).expect("it is there");
    assert!(files(&disk) == before);
}

#[test]
fn a_format_can_refuse_a_cut_for_what_was_found_and_where() {
    const WHY: &str = "what stands behind two records is another life's";
    static PICKY: Format = Format {
        mending: Mending::Asked(|source, found, at| {
            let recycled = found[at.segment.index()].records == 2 && source.segments.len() == 1 && at.offset > HEADER_BYTES + 50;
            if recycled { Mend::Refuse(WHY) } else { Mend::Cut }
        }),
        ..crate::formats::native::FORMAT
    };
    let (_, torn, _) = hurt().remove(0);
    let (mut input, report) = look(&disk_with(&torn)).expect("it reads");
    input.format = &PICKY;
    let refused = |permit: Permit| plan(&input, &report, &permit).expect("it reads").refusal.map(|refusal| refusal.why);
    assert_eq!((report.records, refused(Permit::default()).as_deref()), (2, Some(WHY)));
    assert_eq!(refused(Permit { at: Some(Lsn(1)), ..Permit::default() }), None, "the cut is nearer to the start");
}
