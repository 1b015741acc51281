//! A page of a log is a piece of the whole log: of every format, whole and hurt, in both directions, from any place.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk};
use walctl::formats::{Halt, by_name};
use walctl::model::Keys;
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::read::{Event, PageEnd, PageFrom, PageTurner, Selection, Spot};

use crate::support::fixture;
use crate::support::recipe::cook;
use crate::support::wounds::Dice;

/// What stands in a page: its place, and what it is.
type Line = (Spot, String);

fn line(event: &Event<'_>, spot: &Spot) -> Option<Line> {
    match event {
        Event::Record(shown) => {
            let record = shown.record;
            let text = format!("{:?} {} {:?} {}", record.lsns(), record.kind, record.time, record.payload.length());
            Some((spot.clone(), text))
        }
        Event::Damage(_, damage) => Some((spot.clone(), damage.kind.name().to_owned())),
        Event::Reached(..) | Event::Lot(..) => None,
    }
}

fn forward(pages: &mut PageTurner, from: PageFrom<'_>, most: usize, selection: &Selection) -> (Vec<Line>, bool) {
    let mut lines = Vec::new();
    let ended = pages.forward(from, selection, &mut |event, spot| {
        lines.extend(line(&event, spot));
        if lines.len() >= most { Err(Halt::Enough) } else { Ok(None) }
    });
    (lines, ended.expect("it reads") != PageEnd::Enough)
}

fn backward(pages: &mut PageTurner, before: Option<&Spot>, most: usize, selection: &Selection) -> (Vec<Line>, bool) {
    let (lines, start) = pages.backward(before, most, selection, &mut |event, spot| Ok(line(&event, spot))).expect("it reads");
    (lines.into(), start)
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|(spot, text)| format!("{}:{} {text}", spot.segment, spot.offset)).collect()
}

fn demand_equal(some: &[Line], all: &[Line], what: &str) {
    let (some, all) = (texts(some), texts(all));
    let at = some.iter().zip(&all).position(|(a, b)| a != b).unwrap_or(some.len().min(all.len()));
    assert!(some == all, "{what}: line {at} is {:?} and should be {:?}", some.get(at), all.get(at));
}

/// Whether pages of every size from any place are pieces of the log.
fn check(what: &str, log: &Input, dice: &mut Dice) {
    let selection = Selection::default();
    let fresh = || PageTurner::new(log.clone());
    let (all, end) = forward(&mut fresh(), PageFrom::Start, usize::MAX, &selection);
    assert!(end, "{what}");
    let mut pages = fresh();
    for size in [1, 2, 7, 64] {
        // Long logs are gone through in larger steps alone.
        if all.len() / size > 60 {
            continue;
        }
        let (mut down, mut spot) = (Vec::new(), None::<Spot>);
        loop {
            let from = spot.as_ref().map_or(PageFrom::Start, PageFrom::Behind);
            let (page, end) = forward(&mut pages, from, size, &selection);
            spot = page.last().map(|(spot, _)| spot.clone()).or(spot);
            down.extend(page);
            if end {
                break;
            }
        }
        demand_equal(&down, &all, &format!("{what}: downwards in pages of {size}"));
        let (mut up, mut spot) = (Vec::new(), None::<Spot>);
        loop {
            let (mut page, start) = backward(&mut pages, spot.as_ref(), size, &selection);
            spot = page.first().map(|(spot, _)| spot.clone()).or(spot);
            page.extend(up);
            up = page;
            if start {
                break;
            }
        }
        demand_equal(&up, &all, &format!("{what}: upwards in pages of {size}"));
    }
    for _ in 0..all.len().min(6) {
        let at = dice.roll(all.len());
        let mut pages = fresh();
        let (behind, _) = forward(&mut pages, PageFrom::At(&all[at].0), 5, &selection);
        assert_eq!(texts(&behind), texts(&all[at..all.len().min(at + 5)]), "{what}: from {at} on");
        let (before, _) = backward(&mut pages, Some(&all[at].0), 5, &selection);
        assert_eq!(texts(&before), texts(&all[at.saturating_sub(5)..at]), "{what}: before {at}");
    }
}

fn logs_at(dir: &Path, format: &str, keys: Keys) -> Vec<Input> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let choice = Choice { format: by_name(format), keys, ..Choice::default() };
    open(&disk, dir, &choice).unwrap_or_default()
}

#[test]
fn a_page_of_any_log_is_a_piece_of_it() {
    let mut dice = Dice::of(17);
    let (mut looked_at, mut formats) = (0, 0);
    for folder in fs::read_dir(fixture::dir_of("")).expect("there are fixtures").filter_map(Result::ok) {
        let format = folder.file_name().to_string_lossy().into_owned();
        let cases = fs::read_dir(folder.path()).expect("it lists").filter_map(Result::ok);
        let before = looked_at;
        for case in cases.filter(|case| case.path().is_dir()) {
            let name = format!("{format}/{}", case.file_name().to_string_lossy());
            let temp = tempfile::tempdir().expect("a temporary folder");
            let dir = temp.path().join("LOG");
            fixture::copy(&name, &dir).expect("it can be copied");
            let keys = fixture::keys(&name).and_then(|keys| Keys::parse(&keys).ok()).unwrap_or_default();
            for log in logs_at(&dir, &format, keys) {
                check(&name, &log, &mut dice);
                looked_at += 1;
            }
        }
        formats += usize::from(looked_at > before);
    }
    assert!(looked_at > 100 && formats >= 15, "{looked_at} logs of {formats} formats");
}

#[test]
fn a_page_of_a_hurt_log_is_a_piece_of_it_and_conditions_hold_in_both_directions() {
    let recipes = [
        "times 300 record alpha\nflip @20+42 0\nflip @21+42 0\nflip @150+3 1\nzero @200 90\n",
        "times 60 record alpha\nsegment\ntimes 60 record beta\nsegment\ntimes 9 record gamma\nin 2\nflip 9 1\ncut 10\n",
        "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2\n",
        "split 3 record alphabetagamma\nbatch\ntimes 5 record delta\nend\ncut 30\n",
        "",
    ];
    for recipe in recipes {
        let temp = tempfile::tempdir().expect("a temporary folder");
        cook(recipe).expect("a good recipe").write_to(temp.path());
        let log = logs_at(temp.path(), "native", Keys::default()).pop().expect("there is a log");
        check(recipe, &log, &mut Dice::of(3));
        let odd = || Selection {
            content: Some(Box::new(|record| Ok(record.lsn.is_some_and(|lsn| lsn.0 % 7 == 3)))),
            ..Selection::default()
        };
        let mut pages = PageTurner::new(log);
        let (all, _) = forward(&mut pages, PageFrom::Start, usize::MAX, &odd());
        let (up, start) = backward(&mut pages, None, usize::MAX, &odd());
        assert!(start && texts(&up) == texts(&all), "{recipe}: {:?} {:?}", texts(&up), texts(&all));
    }
}
