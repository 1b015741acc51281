//! Threads that walk segments ahead change nothing that a reader is told, whatever log it is and whatever is wrong with it.

use std::fs;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk};
use walctl::model::{Lsn, LsnRange};
use walctl::ops::open::Input;
use walctl::ops::read::{Event, Helper, Lot, Scan, ScanStart, Selection, Shown, WalkAhead};

use crate::support::folder::reopen;
use crate::support::wounds::{Base, Dice, bases, choose, frames_of};

/// What is said of a record.
fn line(shown: &Shown<'_>) -> String {
    format!("{shown:?} {:?}\n", shown.record.payload.whole())
}

/// All that a reader is told, and how many lots were among it.
fn read(input: &Input, lsns: Option<LsnRange>, ahead: Option<(usize, usize)>) -> (Vec<String>, u64) {
    let selection = || Selection { lsns, ..Selection::default() };
    let helper = || Helper {
        selection: selection(),
        make: Box::new(|lot: &mut Lot, shown: &Shown<'_>| {
            let whole = shown.record.payload.whole().is_some();
            if whole {
                lot.text.extend_from_slice(line(shown).as_bytes());
            }
            Ok(whole)
        }),
    };
    let ahead = ahead.map(|(most_bytes, lot_bytes)| WalkAhead { jobs: 3, most_bytes, lot_bytes, helper: &helper });
    let selection = selection();
    let scan = Scan::of(&input.source, input.format, &input.keys, &selection);
    let (mut lines, mut lots) = (Vec::new(), 0);
    let mut take = |event: Event<'_>| {
        match event {
            Event::Record(shown) => lines.push(line(shown)),
            Event::Damage(segment, damage) => lines.push(format!("{} {damage:?}\n", segment.name)),
            Event::Reached(..) => {}
            Event::Lot(_, lot) => {
                lots += u64::from(lot.matched > 0);
                lines.extend(String::from_utf8_lossy(&lot.text).split_inclusive('\n').map(str::to_owned));
            }
        }
        Ok(())
    };
    let outcome = match &ahead {
        Some(ahead) => scan.forward_ahead(Some(ahead), &mut take),
        None => scan.forward(&ScanStart::default(), &mut take),
    };
    lines.push(match outcome {
        Ok(outcome) => format!("{:?} {:?} {:#?} {:?}", outcome.stopped, outcome.position, outcome.summaries, outcome.damage),
        Err(error) => format!("{error:?}"),
    });
    (lines, lots)
}

#[test]
fn whatever_log_it_is_and_however_hurt_threads_ahead_change_nothing_that_a_reader_is_told() {
    let bases: Vec<Base> = bases();
    let (mut lots, mut formats) = (0, std::collections::BTreeSet::new());
    for seed in 0..400 {
        let mut dice = Dice::of(seed);
        let base = dice.pick(&bases).clone();
        let frames = frames_of(&base);
        let mut files = base.files.clone();
        for _ in 0..dice.roll(3) {
            choose(&base, &frames, &mut dice).iter().for_each(|wound| wound.apply(&mut files));
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in &files {
            fs::write(dir.path().join(name), bytes).expect("room for a small log");
        }
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let Ok(input) = reopen(&disk, dir.path(), Some(base.format), &base.keys) else { continue };
        let first = 1 + dice.roll(9) as u64;
        let lsns = LsnRange::new(Lsn(first), Lsn(u64::MAX)).filter(|_| dice.roll(4) == 0);
        let room = [(1 << 20, 300), (1 << 20, 1 << 20), (70_000, 100)][dice.roll(3)];
        let (alone, _) = read(&input, lsns, None);
        let (together, made) = read(&input, lsns, Some(room));
        assert_eq!(together, alone, "seed {seed}, {}", base.name);
        lots += made;
        if made > 0 {
            formats.insert(base.format.name);
        }
    }
    assert!(lots > 300 && formats.len() > 5, "{lots} lots, of {formats:?}");
}
