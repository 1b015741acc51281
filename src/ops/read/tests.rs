//! Scans over a format of lines, made for these tests: `LSN TIME PAYLOAD`, and `!` where bytes are bad. A line whose end is missing goes on
//! after the `>` that the next segment begins with.

mod ahead;

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{RealDisk, Source};
use crate::formats::{
    Ending, Format, Halt, Likeness, Mark, Mend, Mending, Numbers, Sink, Summary, Visit, Walk, gap_between, later_segments_prove,
    numbered,
};
use crate::model::{Damage, DamageKind, Facts, Keys, Look, Lsn, LsnRange, Payload, Proof, Record, Span, Time};
use crate::ops::read::{
    Context, Event, Follow, LsnWish, Position, Scan, ScanOutcome, ScanStart, Selection, Step, Stopped, last_lsn, unread,
};

thread_local! {
    /// The segments that were walked, in order.
    static WALKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// After how many records a mark stands.
    static MARK_EVERY: Cell<u64> = const { Cell::new(3) };
}

static LINES: Format = Format {
    aliases: &[],
    numbers: Numbers::Counted,
    name: "lines",
    title: "lines",
    protects: "nothing",
    kinds: &["line"],
    encrypted: false,
    layout: |folder| numbered(folder, |name| name.strip_suffix(".txt")?.parse().ok()),
    recognise: |_| Likeness::No,
    walk,
    join,
    mending: Mending::Asked(|_, _, _| Mend::Cut),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: None,
    count: None,
    drawing: |_| &[],
    private: None,
    unprotected: "",
    words: &[],
    write_own: |_| None,
    read_own: |_| None,
};

fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    (1..summaries.len()).filter_map(|later| gap_between(source, summaries, later)).collect()
}

fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    WALKED.with_borrow_mut(|walked| walked.push(visit.segment.name.clone()));
    let bytes = fs::read(&visit.segment.path).map_err(crate::model::Error::io("read", &visit.segment.path))?;
    let mut summary = Summary::new(visit.segment, bytes.len() as u64);
    summary.begins = Some(Lsn(visit.segment.sequence));
    let (mut at, mut due) =
        visit.want.start.map_or((0, visit.segment.sequence), |m| (usize::try_from(m.offset).unwrap_or(0), m.due.0));
    let mut count = 0;
    if at == 0 && bytes.first() == Some(&b'>') {
        at = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1);
    }
    while at < bytes.len() {
        let length = bytes[at..].iter().position(|b| *b == b'\n').map(|n| n + 1);
        let end = at + length.unwrap_or(bytes.len() - at);
        let span = Span::new(visit.segment.id, at as u64, end as u64);
        let rest = length.is_none().then(|| rest_of_line(visit)).flatten();
        let whole = length.is_some() || rest.is_some();
        let line = [&bytes[at..end], rest.as_deref().unwrap_or_default()].concat();
        let line = std::str::from_utf8(&line).unwrap_or("!").trim_end();
        let mut words = line.splitn(3, ' ');
        let number = words.next().and_then(|word| word.parse::<u64>().ok()).filter(|_| whole);
        let Some(number) = number else {
            let (kind, look) =
                if length.is_some() { (DamageKind::NotAFrame, Look::Wrong) } else { (DamageKind::CutShort, Look::Interrupted) };
            let (expected, found) = (String::new(), String::new());
            let damage = Damage { kind, span, lsn: Some(Lsn(due)), doubt: None, expected, found, facts: Facts::of(look) };
            sink.damage(&damage)?;
            summary.damage.push(damage);
            summary.ending = Ending::Damage;
            due += 1;
            at = end;
            continue;
        };
        if visit.want.marks && count % MARK_EVERY.get() == 0 {
            sink.mark(Mark { offset: at as u64, due: Lsn(number), seed: 0 })?;
        }
        count += 1;
        let time = words.next().and_then(|word| word.parse().ok()).map(Time);
        let payload = words.next().unwrap_or_default().as_bytes();
        let pieces = |take: &mut dyn FnMut(&[u8]) -> crate::model::Result<()>| payload.chunks(7).try_for_each(take);
        let long = payload.starts_with(b"long");
        sink.record(&Record {
            lsn: Some(Lsn(number)),
            last_lsn: Some(Lsn(number)),
            kind: "line",
            time,
            payload: if long { Payload::Long(payload.len() as u64, &pieces) } else { Payload::Whole(payload) },
            ..Record::at(span)
        })?;
        summary.records += 1;
        summary.blank = false;
        summary.saw(Lsn(number), Lsn(number));
        due = number + 1;
        at = end;
        summary.end = at as u64;
        summary.ending = Ending::FileEnds;
    }
    summary.due = Some(Lsn(due));
    Ok(summary)
}

/// What the segment after this one holds of the line that goes on there.
fn rest_of_line(visit: &Visit<'_>) -> Option<Vec<u8>> {
    let bytes = fs::read(&visit.later().next()?.path).ok()?;
    let end = bytes.iter().position(|b| *b == b'\n')?;
    (bytes[0] == b'>').then(|| bytes[1..end].to_vec())
}

/// A log in a folder of its own.
struct Log(tempfile::TempDir);

impl Log {
    fn new() -> Log {
        WALKED.take();
        MARK_EVERY.set(3);
        Log(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Segments of ten records each, from LSN 1 on; each record is written a second after the one before.
    fn of(segments: u64) -> Log {
        let log = Log::new();
        for lsn in 1..=segments * 10 {
            log.add(1 + (lsn - 1) / 10 * 10, &format!("{lsn} {} p{lsn}\n", lsn * 1000));
        }
        log
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn add(&self, segment: u64, text: &str) {
        let path = self.path().join(format!("{segment}.txt"));
        let mut file = fs::File::options().append(true).create(true).open(path).expect("the folder takes files");
        file.write_all(text.as_bytes()).expect("the file takes text");
    }

    fn source(&self) -> Source {
        LINES.log_in(Arc::new(RealDisk), self.path()).expect("it lists")
    }

    fn scan<T>(&self, selection: &Selection, change: impl FnOnce(&mut Scan<'_>), run: impl FnOnce(&Scan<'_>) -> T) -> T {
        let (source, keys) = (self.source(), Keys::default());
        let mut scan = Scan::of(&source, &LINES, &keys, selection);
        change(&mut scan);
        run(&scan)
    }
}

/// What came: `+5` for a record, `!` after damage, `#` for damage itself, `~` for a neighbour.
fn note(seen: &mut Vec<String>, event: Event<'_>) -> Result<(), Halt> {
    match event {
        Event::Record(shown) => {
            let sign = if shown.matched { "" } else { "~" };
            let mark = if shown.after_damage { "!" } else { "" };
            seen.push(format!("{sign}{}{mark}", shown.record.lsn.expect("lines have numbers")));
        }
        Event::Damage(..) => seen.push("#".into()),
        Event::Reached(..) | Event::Lot(..) => {}
    }
    Ok(())
}

fn forward(log: &Log, selection: &Selection) -> (Vec<String>, ScanOutcome) {
    let mut seen = Vec::new();
    let outcome = log.scan(selection, |_| {}, |scan| scan.forward(&ScanStart::default(), &mut |e| note(&mut seen, e)));
    (seen, outcome.expect("it reads"))
}

fn lsns(from: u64, to: u64) -> Selection {
    Selection { lsns: LsnRange::new(Lsn(from), Lsn(to)), ..Selection::default() }
}

fn ending_in(digit: char) -> Selection {
    let content = move |record: &Record<'_>| {
        let mut last = 0;
        record.payload.each(&mut |piece| {
            last = piece.last().copied().unwrap_or(last);
            Ok(())
        })?;
        Ok(char::from(last) == digit)
    };
    Selection { content: Some(Box::new(content)), ..Selection::default() }
}

#[test]
fn one_lsn_in_a_long_log_is_found_without_reading_other_segments() {
    let log = Log::of(100);
    assert_eq!(forward(&log, &lsns(555, 555)).0, ["555"]);
    let walked = WALKED.take();
    // Three looks at names, and the one that holds it.
    assert_eq!(walked.len(), 4, "{walked:?}");
    assert_eq!(walked.last().map(String::as_str), Some("551.txt"));
    assert_eq!(forward(&log, &lsns(550, 551)).0, ["550", "551"]);
    assert_eq!(forward(&log, &lsns(5000, 6000)).0, [""; 0]);
    assert_eq!(forward(&log, &lsns(0, 1)).0, ["1"]);
}

#[test]
fn a_record_that_goes_on_in_the_next_segment_is_whole_from_whatever_side_it_is_reached() {
    let log = Log::new();
    log.add(1, "1 1 a\n2 2 be");
    log.add(3, ">gun\n3 3 c\n");
    log.add(4, "4 4 d\n");
    let mut seen = Vec::new();
    let mut take = |event: Event<'_>| {
        if let Event::Record(shown) = event {
            seen.push(String::from_utf8_lossy(shown.record.payload.whole().expect("it is short")).into_owned());
        }
        Ok(())
    };
    let all = Selection::default();
    log.scan(&all, |_| {}, |scan| scan.forward(&ScanStart::default(), &mut take)).expect("it reads");
    log.scan(&all, |_| {}, |scan| scan.reverse(&mut take)).expect("it reads");
    log.scan(&all, |_| {}, |scan| scan.tail(3, 0, &mut take)).expect("it reads");
    // Only the segment that it begins in is of use.
    log.scan(&lsns(2, 2), |_| {}, |scan| scan.forward(&ScanStart::default(), &mut take)).expect("it reads");
    log.scan(&lsns(2, 2), |_| {}, |scan| scan.reverse(&mut take)).expect("it reads");
    assert_eq!(seen.join(" "), "a begun c d d c begun a begun c d begun begun");
}

#[test]
fn names_that_are_no_lsns_are_not_believed() {
    let log = Log::new();
    for (name, lsn) in [(1, 500), (2, 510), (3, 520)] {
        log.add(name, &format!("{lsn} 1 a\n"));
    }
    assert_eq!(forward(&log, &lsns(510, 520)).0, ["510!", "520!"]);
}

#[test]
fn a_span_of_time_is_sought_and_a_clock_that_went_back_is_not_lost() {
    let log = Log::of(100);
    let at = |from: u64, to: u64| Selection { since: Some(Time(from)), until: Some(Time(to)), ..Selection::default() };
    assert_eq!(forward(&log, &at(555_000, 556_500)).0, ["555", "556"]);
    assert!(WALKED.take().len() < 25);
    // In the segment from 571 on the clock stood an hour back for one record.
    fs::write(log.path().join("571.txt"), "571 571000 a\n572 555500 b\n").expect("it is replaced");
    assert_eq!(forward(&log, &at(555_000, 556_500)).0, ["555", "556"]);
    assert_eq!(forward(&log, &at(562_000, 562_000)).0, ["562"]);
    fs::write(log.path().join("571.txt"), "571 571000 a\n572 569500 b\n").expect("it is replaced");
    assert_eq!(forward(&log, &at(569_500, 569_500)).0, ["572"]);
}

#[test]
fn the_last_ones_are_the_end_of_all_of_them_whatever_is_asked_for() {
    let log = Log::of(4);
    for every in [1, 3, 7, 1000] {
        MARK_EVERY.set(every);
        for selection in [Selection::default(), ending_in('7'), lsns(13, 28), lsns(900, 901)] {
            let all = forward(&log, &selection).0;
            for count in [0, 1, 2, 3, 9, 10, 11, 39, 40, 41, 1000] {
                let mut seen = Vec::new();
                let take = &mut |e: Event<'_>| note(&mut seen, e);
                log.scan(&selection, |_| {}, |scan| scan.tail(count, 0, take)).expect("it reads");
                let skip = all.len().saturating_sub(usize::try_from(count).expect("small"));
                assert_eq!(seen, all[skip..], "{count} of {selection:?}, marks every {every}");
            }
            let mut seen = Vec::new();
            log.scan(&selection, |_| {}, |scan| scan.reverse(&mut |e| note(&mut seen, e))).expect("it reads");
            seen.reverse();
            assert_eq!(seen, all, "{selection:?}, marks every {every}");
        }
    }
}

#[test]
fn damage_is_met_backwards_where_it_stands() {
    let log = Log::new();
    log.add(1, "1 1 a\n2 2 b\n!\n4 4 d\n");
    log.add(5, "5 5 e\nx\n7 7 g\n");
    let mut seen = Vec::new();
    let outcome = log.scan(&Selection::default(), |_| {}, |scan| scan.reverse(&mut |e| note(&mut seen, e))).expect("it reads");
    assert_eq!(seen, ["7!", "#", "5", "4!", "#", "2", "1"]);
    let mut last = Vec::new();
    log.scan(&Selection::default(), |_| {}, |scan| scan.tail(4, 0, &mut |e| note(&mut last, e))).expect("it reads");
    assert_eq!(last, ["2", "#", "4!", "5!", "#", "7!"]);
    assert_eq!(outcome.damage.len(), 2);
    assert_eq!(outcome.damage[0].facts.proof, Some(Proof::LaterSegment));
    assert_eq!(forward(&log, &Selection::default()).0, ["1", "2", "#", "4!", "5!", "#", "7!"]);
}

#[test]
fn records_that_do_not_fit_into_memory_are_turned_around_all_the_same() {
    let log = Log::new();
    MARK_EVERY.set(1000);
    // Twelve of a megabyte at hand, and two that must be read again.
    for lsn in 1..=14u64 {
        let lead = if lsn % 6 == 0 { "long" } else { "" };
        log.add(1, &format!("{lsn} {lsn} {lead}{}{lsn}\n", "x".repeat(1_000_000)));
    }
    let mut seen = Vec::new();
    let selection = Selection::default();
    let outcome = log.scan(
        &selection,
        |_| {},
        |scan| {
            scan.reverse(&mut |event| {
                if let Event::Record(shown) = event {
                    let mut length = 0;
                    shown.record.payload.each(&mut |piece| {
                        length += piece.len();
                        Ok(())
                    })?;
                    seen.push((shown.record.lsn.map_or(0, |l| l.0), length > 1_000_000));
                }
                Ok(())
            })
        },
    );
    assert_eq!(outcome.expect("it reads").stopped, None);
    assert_eq!(seen, (1..=14).rev().map(|lsn| (lsn, true)).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_has_enough_still_learns_what_the_damage_before_it_means() {
    let log = Log::new();
    log.add(1, "1 1 a\n!\n3 3 c\n4 4 d\n");
    log.add(5, "5 5 e\n");
    let mut seen = Vec::new();
    let selection = Selection::default();
    let mut take = |event: Event<'_>| {
        note(&mut seen, event)?;
        if seen.len() == 3 { Err(Halt::Enough) } else { Ok(()) }
    };
    let outcome = log.scan(&selection, |_| {}, |scan| scan.forward(&ScanStart::default(), &mut take)).expect("it reads");
    assert_eq!(seen, ["1", "#", "3!"]);
    assert_eq!(outcome.stopped, Some(Stopped::Enough));
    assert_eq!(outcome.damage.len(), 1);
    assert_eq!(outcome.damage[0].facts.proof, Some(Proof::LaterSegment));
    assert_eq!(outcome.position.and_then(|p| p.lsn), Some(Lsn(3)));
}

#[test]
fn what_stands_behind_a_lost_segment_stands_behind_damage() {
    let log = Log::of(3);
    fs::remove_file(log.path().join("11.txt")).expect("it is there");
    let (seen, outcome) = forward(&log, &Selection::default());
    assert_eq!(seen[9..12], ["10", "21!", "22!"]);
    assert_eq!(outcome.damage.len(), 1);
}

#[test]
fn lsns_from_the_end_need_the_end() {
    let log = Log::of(3);
    let keys = Keys::default();
    assert_eq!(last_lsn(&log.source(), &LINES, &keys).expect("it reads"), Some(Lsn(30)));
    // A segment that was begun and holds nothing is not the end.
    log.add(31, "");
    assert_eq!(last_lsn(&log.source(), &LINES, &keys).expect("it reads"), Some(Lsn(30)));
    let wish = LsnWish::parse("-2..").expect("a good range");
    let selection = Selection { lsns: wish.resolve(Some(Lsn(30))), ..Selection::default() };
    assert_eq!(forward(&log, &selection).0, ["29", "30"]);
    assert_eq!(last_lsn(&Log::new().source(), &LINES, &keys).expect("it reads"), None);
}

#[test]
fn the_end_is_looked_for_before_segments_that_went_meanwhile_and_not_before_one_that_cannot_be_read() {
    let (log, keys) = (Log::of(3), Keys::default());
    let source = log.source();
    let path = |segment: u64| log.path().join(format!("{segment}.txt"));
    fs::remove_file(path(21)).expect("it is there");
    assert_eq!(last_lsn(&source, &LINES, &keys).expect("it went"), Some(Lsn(20)));
    // What cannot be read for another reason may hold the last record.
    fs::create_dir(path(21)).expect("there is room");
    assert!(last_lsn(&source, &LINES, &keys).is_err());
    (1..=21).step_by(10).for_each(|segment| drop(fs::remove_file(path(segment)).or_else(|_| fs::remove_dir(path(segment)))));
    assert_eq!(last_lsn(&source, &LINES, &keys).expect("all went"), None);
}

/// The records of a scan with neighbours, and `--` where some were left out.
fn with_context(log: &Log, selection: &Selection, count: usize, backwards: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let mut context = Context::new(count);
    log.scan(
        selection,
        |scan| scan.neighbours = count > 0,
        |scan| {
            let take = &mut |event: Event<'_>| match event {
                Event::Record(shown) => context.take(scan, shown, &mut |shown, gap| {
                    if gap {
                        seen.push("--".into());
                    }
                    note(&mut seen, Event::Record(shown))
                }),
                _ => Ok(()),
            };
            if backwards { scan.reverse(take) } else { scan.forward(&ScanStart::default(), take) }
        },
    )
    .expect("it reads");
    seen
}

#[test]
fn neighbours_come_once_and_gaps_are_told() {
    let log = Log::of(3);
    assert_eq!(
        with_context(&log, &ending_in('5'), 1, false),
        ["~4", "5", "~6", "--", "~14", "15", "~16", "--", "~24", "25", "~26"]
    );
    assert_eq!(
        with_context(&log, &ending_in('9'), 2, true),
        ["~30", "29", "~28", "~27", "--", "~21", "~20", "19", "~18", "~17", "--", "~11", "~10", "9", "~8", "~7"]
    );
    assert_eq!(with_context(&log, &ending_in('5'), 6, false).iter().filter(|s| *s == "--").count(), 0);
    assert_eq!(with_context(&log, &ending_in('5'), 0, false), ["5", "15", "25"]);
}

#[test]
fn a_neighbour_that_is_too_long_to_be_held_is_read_again() {
    let log = Log::new();
    log.add(1, "1 1 a\n2 2 long tale\n3 3 b5\n");
    assert_eq!(with_context(&log, &ending_in('5'), 2, false), ["~1", "~2", "3"]);
}

/// One step of following: what came, and what kind of step it was.
fn step(log: &Log, follow: &mut Follow) -> (Vec<String>, Step) {
    let mut seen = Vec::new();
    let selection = Selection::default();
    let step = log.scan(&selection, |scan| scan.growing = true, |scan| follow.step(scan, &mut |e| note(&mut seen, e)));
    (seen, step.expect("it reads"))
}

#[test]
fn following_gives_each_record_once_when_it_is_whole_and_survives_rotation() {
    let log = Log::new();
    log.add(1, "1 1 a\n");
    let mut follow = Follow::new(log.source(), None);
    assert_eq!(step(&log, &mut follow).0, ["1"]);
    assert!(matches!(step(&log, &mut follow).1, Step::Quiet));
    log.add(1, "2 2 b\n3 3");
    assert_eq!(step(&log, &mut follow).0, ["2"]);
    assert_eq!(step(&log, &mut follow).0, [""; 0]);
    log.add(1, " c\n");
    assert_eq!(step(&log, &mut follow).0, ["3"]);
    // The rest of the old segment and the start of the new one come in one step, in order.
    log.add(1, "4 4 d\n");
    log.add(5, "5 5 e\n");
    log.add(6, "6 6 f\n7");
    assert_eq!(step(&log, &mut follow).0, ["4", "5", "6"]);
    log.add(6, " 7 g\n");
    assert_eq!(step(&log, &mut follow).0, ["7"]);
    assert!(matches!(step(&log, &mut follow).1, Step::Quiet));
}

#[test]
fn damage_is_told_when_something_stands_behind_it_and_once() {
    let log = Log::new();
    log.add(1, "1 1 a\n!\n");
    let mut follow = Follow::new(log.source(), None);
    assert_eq!(step(&log, &mut follow).0, ["1"]);
    log.add(1, "3 3 c\n");
    assert_eq!(step(&log, &mut follow).0, ["#", "3!"]);
    log.add(1, "4 4 d\n5");
    assert_eq!(step(&log, &mut follow).0, ["4!"]);
    // The next segment says that the line will never be finished.
    log.add(6, "6 6 f\n");
    assert_eq!(step(&log, &mut follow).0, ["#", "6!"]);
    assert_eq!(step(&log, &mut follow).0, [""; 0]);
}

#[test]
fn a_cursor_goes_on_behind_the_last_record_and_says_what_was_pruned() {
    let log = Log::of(2);
    let mut follow = Follow::new(log.source(), None);
    let mut seen = Vec::new();
    let selection = Selection::default();
    let mut take = |event: Event<'_>| {
        note(&mut seen, event)?;
        if seen.len() == 4 { Err(Halt::Enough) } else { Ok(()) }
    };
    log.scan(&selection, |_| {}, |scan| follow.step(scan, &mut take)).expect("it reads");
    let kept = follow.position().expect("four records were read").to_json();
    let mut again = Follow::new(log.source(), Position::from_json(&kept));
    assert_eq!(step(&log, &mut again).0.first().map(String::as_str), Some("5"));
    fs::remove_file(log.path().join("1.txt")).expect("it is there");
    let mut late = Follow::new(log.source(), Position::from_json(&kept));
    let (seen, step) = step(&log, &mut late);
    assert_eq!(seen.first().map(String::as_str), Some("11"));
    let Step::Pruned { gone, next, first, .. } = step else { panic!("the segment is gone") };
    assert_eq!((next.as_str(), unread(&gone, first)), ("11.txt", LsnRange::new(Lsn(5), Lsn(10))));
}

#[test]
fn a_cursor_behind_the_end_of_a_file_that_was_cut_begins_at_the_files_start() {
    let log = Log::of(1);
    let mut follow = Follow::new(log.source(), None);
    assert_eq!(step(&log, &mut follow).0.len(), 10);
    fs::write(log.path().join("1.txt"), "1 1 a\n").expect("it is replaced");
    assert_eq!(step(&log, &mut follow).0, [""; 0]);
}

#[test]
fn what_a_segment_grew_by_while_it_was_read_is_shown_before_the_next_one() {
    let log = Log::of(1);
    log.add(14, "14 14000 p14\n");
    let mut seen = Vec::new();
    let outcome = log.scan(
        &Selection::default(),
        |_| {},
        |scan| {
            scan.forward(&ScanStart::default(), &mut |event| {
                // The end of the segment leaves its writer's memory when the segment has just been read.
                if matches!(&event, Event::Record(shown) if shown.record.lsn == Some(Lsn(10))) {
                    (11..14).for_each(|lsn| log.add(1, &format!("{lsn} {} p{lsn}\n", lsn * 1000)));
                }
                note(&mut seen, event)
            })
        },
    );
    let all: Vec<String> = (1..=14).map(|lsn| lsn.to_string()).collect();
    assert_eq!((seen, outcome.expect("it reads").damage), (all, Vec::new()));
}

/// What came, with the segment that it is said to stand in, of the last `count` matches with their nearest neighbours.
fn tail_with_context(log: &Log, selection: &Selection, count: u64, neighbours: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut context = Context::new(neighbours);
    log.scan(
        selection,
        |scan| scan.neighbours = true,
        |scan| {
            let mut take = |event: Event<'_>| match event {
                Event::Record(shown) => context.take(scan, shown, &mut |shown, _| {
                    let mut words = Vec::new();
                    note(&mut words, Event::Record(shown))?;
                    seen.push(format!("{} {}", words.concat(), shown.segment.name));
                    Ok(())
                }),
                _ => Ok(()),
            };
            scan.tail(count, neighbours as u64, &mut take)
        },
    )
    .expect("it reads");
    seen
}

#[test]
fn neighbours_of_the_first_match_are_fetched_from_the_segments_before_it() {
    let log = Log::of(3);
    assert_eq!(
        tail_with_context(&log, &ending_in('1'), 1, 3),
        ["~18 11.txt", "~19 11.txt", "~20 11.txt", "21 21.txt", "~22 21.txt", "~23 21.txt", "~24 21.txt"]
    );
    let wide = tail_with_context(&log, &ending_in('1'), 1, 12);
    assert_eq!((wide.len(), wide[0].as_str(), wide[1].as_str(), wide[2].as_str()), (22, "~9 1.txt", "~10 1.txt", "~11 11.txt"));
}

#[test]
fn a_long_segment_is_read_backwards_piece_by_piece_and_nothing_is_passed_over() {
    let log = Log::new();
    MARK_EVERY.set(1);
    for lsn in 1..=40u64 {
        let line = if lsn == 17 { "!\n".into() } else { format!("{lsn} {lsn} {}{lsn}\n", "x".repeat(50_000)) };
        log.add(1, &line);
    }
    for selection in [Selection::default(), ending_in('3'), lsns(9, 21)] {
        let all: Vec<String> = forward(&log, &selection).0;
        let mut seen = Vec::new();
        log.scan(&selection, |_| {}, |scan| scan.reverse(&mut |e| note(&mut seen, e))).expect("it reads");
        seen.reverse();
        assert_eq!(seen, all, "{selection:?}");
        let records: Vec<&String> = all.iter().filter(|seen| *seen != "#").collect();
        for count in [1, 2, 7, 23, 39, 50] {
            let mut seen = Vec::new();
            log.scan(&selection, |_| {}, |scan| scan.tail(count, 0, &mut |e| note(&mut seen, e))).expect("it reads");
            let skip = records.len().saturating_sub(usize::try_from(count).expect("small"));
            assert_eq!(seen.iter().filter(|seen| *seen != "#").collect::<Vec<_>>(), records[skip..], "{count} of {selection:?}");
        }
    }
}
