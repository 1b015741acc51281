//! Scans with threads that read ahead find what a scan without them finds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::Result;
use crate::ops::read::{Helper, Lot, Maker, Shown, WalkAhead};

/// Random numbers that a seed repeats.
struct SeededRolls(u64);

impl SeededRolls {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// All that a scan says of a record, as a line.
fn line(shown: &Shown<'_>) -> String {
    format!("{shown:?} {:?}\n", shown.record.payload.whole())
}

/// Lines are made on other threads.
fn lines() -> Box<Maker> {
    Box::new(|lot: &mut Lot, shown: &Shown<'_>| {
        if shown.record.payload.whole().is_some() {
            lot.text.extend_from_slice(line(shown).as_bytes());
        }
        Ok(shown.record.payload.whole().is_some())
    })
}

/// Records are kept there, and lines are made here.
fn kept() -> Box<Maker> {
    Box::new(|lot: &mut Lot, shown: &Shown<'_>| Ok(lot.records.keep(shown)))
}

/// What a scan delivered, and how.
#[derive(Default)]
struct Heard {
    text: String,
    /// Lots that held something.
    lots: u64,
    /// Those of them that stand behind damage.
    lots_behind_damage: u64,
    /// Records that came by themselves after a lot of their segment.
    records_behind_lots: u64,
    last: String,
}

impl Heard {
    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Record(shown) => {
                self.records_behind_lots += u64::from(self.last == shown.segment.name);
                self.text += &line(shown);
            }
            Event::Damage(segment, damage) => self.text += &format!("{} {damage:?}\n", segment.name),
            Event::Reached(..) => {}
            Event::Lot(segment, lot) => {
                let before = self.text.len();
                self.text += std::str::from_utf8(&lot.text).expect("it was text");
                let kept = &mut |shown: &Shown<'_>| {
                    self.text += &line(shown);
                    Ok::<(), ()>(())
                };
                lot.records.each(kept).expect("all are taken");
                let more = &self.text[before..];
                assert_eq!(lot.matched, more.matches("matched: true").count() as u64);
                if !more.is_empty() {
                    self.last.clone_from(&segment.name);
                    self.lots += 1;
                    self.lots_behind_damage += u64::from(more.contains("after_damage: true"));
                }
            }
        }
    }
}

/// Segments of lines, some of them bad, too long to be held, or lost.
fn random_log(dice: &mut SeededRolls) -> Log {
    let log = Log::new();
    let (mut lsn, kinds) = (1, dice.roll(4));
    for _ in 0..2 + dice.roll(9) {
        let segment = lsn;
        let lost = kinds > 0 && dice.roll(12) == 0;
        for _ in 0..dice.roll(40) {
            let text = match dice.roll(60) {
                0 if kinds > 1 => "!\n".to_owned(),
                1 if kinds > 2 => format!("{lsn} {lsn} long{lsn}\n"),
                _ => format!("{lsn} {lsn} {}{lsn}\n", "x".repeat(dice.roll(30) as usize)),
            };
            lsn += 1;
            if !lost {
                log.add(segment, &text);
            }
        }
        if segment == lsn {
            log.add(segment, "");
            lsn += 1;
        }
    }
    log
}

/// What happens to a log between its listing and its reading.
fn meanwhile(dice: &mut SeededRolls, log: &Log, source: &Source) {
    let path = |dice: &mut SeededRolls| &source.segments[dice.roll(source.segments.len() as u64) as usize].path;
    match dice.roll(6) {
        0 => fs::remove_file(path(dice)).expect("it is there"),
        1 => {
            let path = path(dice);
            let bytes = fs::read(path).expect("it is there");
            fs::write(path, &bytes[..dice.roll(bytes.len() as u64 + 1) as usize]).expect("it takes bytes");
        }
        2 => fs::remove_file(&source.segments[0].path).expect("it is there"),
        _ => {}
    }
    assert!(log.path().is_dir());
}

fn run(source: &Source, selection: &Selection, ahead: Option<&WalkAhead<'_>>) -> (Heard, Result<String, String>) {
    let mut heard = Heard::default();
    let keys = Keys::default();
    let scan = Scan::of(source, &LINES, &keys, selection);
    let take = &mut |event: Event<'_>| {
        heard.hear(&event);
        Ok(())
    };
    let outcome = scan.forward_ahead(ahead, take);
    let told = outcome.map(|outcome| format!("{outcome:#?}")).map_err(|error| error.to_string());
    (heard, told)
}

#[test]
fn a_scan_with_threads_ahead_finds_what_one_without_them_finds() {
    let mut in_all = Heard::default();
    for seed in 0..400 {
        let mut dice = SeededRolls(seed);
        let log = random_log(&mut dice);
        let source = log.source();
        if source.segments.is_empty() {
            continue;
        }
        meanwhile(&mut dice, &log, &source);
        let digit = char::from(b'0' + dice.roll(10) as u8);
        let all = dice.roll(2) == 0;
        let selection = || if all { Selection::default() } else { ending_in(digit) };
        let keeps = dice.roll(2) == 0;
        let helper = || Helper { selection: selection(), make: if keeps { kept() } else { lines() } };
        let (alone, told_alone) = run(&source, &selection(), None);
        for jobs in [2, 3, 8] {
            let (most_bytes, lot_bytes) =
                ([1500, 4000, 1 << 20][dice.roll(3) as usize], [16, 900, 1 << 16][dice.roll(3) as usize]);
            let ahead = WalkAhead { jobs, most_bytes, lot_bytes, helper: &helper };
            let (heard, told) = run(&source, &selection(), Some(&ahead));
            let what = format!("seed {seed}, {jobs} threads, {most_bytes} and {lot_bytes} bytes");
            assert_eq!(heard.text, alone.text, "{what}");
            assert_eq!(told, told_alone, "{what}");
            in_all.lots += heard.lots;
            in_all.lots_behind_damage += heard.lots_behind_damage;
            in_all.records_behind_lots += heard.records_behind_lots;
        }
    }
    assert!(in_all.lots > 1000 && in_all.lots_behind_damage > 100, "{} and {}", in_all.lots, in_all.lots_behind_damage);
    assert!(in_all.records_behind_lots > 100, "{} of segments that were given up on the way", in_all.records_behind_lots);
}

#[test]
fn threads_ahead_hold_no_more_than_they_may() {
    let log = Log::of(60);
    let (source, keys, all) = (log.source(), Keys::default(), Selection::default());
    let (made, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (made_there, most_there) = (&*Box::leak(Box::new(made)), &*Box::leak(Box::new(most)));
    let helper = || {
        let mut make = lines();
        let make: Box<Maker> = Box::new(move |lot: &mut Lot, shown: &Shown<'_>| {
            let before = lot.text.len();
            let done = make(lot, shown);
            let held = made_there.fetch_add(lot.text.len() - before, Ordering::SeqCst);
            most_there.fetch_max(held, Ordering::SeqCst);
            done
        });
        Helper { selection: Selection::default(), make }
    };
    let (most_bytes, lot_bytes, jobs) = (12_000, 2000, 4);
    let ahead = WalkAhead { jobs, most_bytes, lot_bytes, helper: &helper };
    let mut lots = 0;
    let take = &mut |event: Event<'_>| {
        if let Event::Lot(_, lot) = event {
            lots += 1;
            // Slow to take them: the threads come to their bound.
            (0..300).for_each(|_| std::thread::yield_now());
            made_there.fetch_sub(lot.text.len(), Ordering::SeqCst);
        }
        Ok(())
    };
    Scan::of(&source, &LINES, &keys, &all).forward_ahead(Some(&ahead), take).expect("it reads");
    let record = 1000;
    let bound = most_bytes + (4 + 1 + jobs) * (lot_bytes + record);
    assert!(most_there.load(Ordering::SeqCst) <= bound, "{most_there:?} of {bound}");
    assert!(lots > 59, "{lots} lots");
    assert!(log.path().is_dir());
}

#[test]
fn a_receiver_that_has_enough_or_fails_ends_the_threads() {
    let log = Log::of(30);
    let (source, keys, all) = (log.source(), Keys::default(), Selection::default());
    let helper = || Helper { selection: Selection::default(), make: lines() };
    let ahead = WalkAhead { jobs: 3, most_bytes: 2000, lot_bytes: 100, helper: &helper };
    for after in [0, 1, 50] {
        let mut lots = 0;
        let mut halted = |halt: fn() -> Halt| {
            let take = &mut |event: Event<'_>| {
                lots += u32::from(matches!(event, Event::Lot(..)));
                if lots > after { Err(halt()) } else { Ok(()) }
            };
            Scan::of(&source, &LINES, &keys, &all).forward_ahead(Some(&ahead), take)
        };
        let enough = halted(|| Halt::Enough).expect("it reads");
        assert_eq!(enough.stopped, Some(Stopped::Enough));
        let position = enough.position.expect("something was read").lsn.expect("lines have numbers");
        assert!(position >= Lsn(1) && position < Lsn(300), "{position}");
        let failed = halted(|| Halt::Failed(crate::model::Error::Input { what: "as planned".into() }));
        assert!(failed.is_err_and(|error| error.to_string().contains("as planned")));
    }
}

#[test]
fn a_panic_on_a_thread_ahead_is_passed_on_and_nothing_hangs() {
    let log = Log::of(30);
    let (source, all) = (log.source(), Selection::default());
    let make: fn(&mut Lot, &Shown<'_>) -> Result<bool> = |lot, shown| {
        assert_ne!(shown.record.lsn, Some(Lsn(155)), "as planned");
        lot.text.push(b'x');
        Ok(true)
    };
    let in_a_record = || Helper { selection: Selection::default(), make: Box::new(make) };
    let at_once = || -> Helper { panic!("as planned") };
    let helpers: [&(dyn Fn() -> Helper + Sync); 2] = [&in_a_record, &at_once];
    for helper in helpers {
        let ahead = WalkAhead { jobs: 2, most_bytes: 2000, lot_bytes: 100, helper };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let keys = Keys::default();
            let scan = Scan::of(&source, &LINES, &keys, &all);
            scan.forward_ahead(Some(&ahead), &mut |_| Ok(())).map(|_| ())
        }));
        assert!(ended.is_err());
    }
}
