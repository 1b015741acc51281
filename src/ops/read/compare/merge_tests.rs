//! What explains that one log lacks records of the other: with records and damage that are handed over here.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::merge::{Merged, merge};
use super::side::{ComparedRecord, FromSide, Side, SideEnd};
use super::values::{Comparison, Which, Why};
use crate::disk::{Disk, Open, SimDisk, Source};
use crate::formats::native::FORMAT;
use crate::model::{Damage, DamageKind, Facts, Keys, Look, Lsn, LsnRange, SegmentId, Span};
use crate::ops::open::Input;
use crate::ops::read::ScanOutcome;

/// Damage at an LSN, which does not say what else it took.
fn damage((kind, lsn): (DamageKind, u64)) -> Damage {
    Damage {
        kind,
        span: Span::new(SegmentId(0), lsn * 100, lsn * 100 + 50),
        lsn: Some(Lsn(lsn)),
        doubt: None,
        expected: String::new(),
        found: String::new(),
        facts: Facts::of(Look::Wrong),
    }
}

/// What a log hands over: the LSNs of its records, which of them stand behind damage, and that damage.
fn handed(input: &Input, lsns: &[u64], behind: &[u64], hurt: &[(DamageKind, u64)]) -> Receiver<FromSide> {
    let record = |lsn: &u64| ComparedRecord {
        lsns: LsnRange { first: Lsn(*lsn), last: Lsn(*lsn) },
        length: 4,
        digest: [0; 32],
        kind: Arc::from("full"),
        tag: None,
        time: None,
        encrypted: false,
        hurt: behind.contains(lsn),
        salvaged: false,
        segment: Arc::from("1"),
        offset: lsn * 100,
    };
    let outcome = ScanOutcome { damage: hurt.iter().copied().map(damage).collect(), ..ScanOutcome::nothing(&input.source) };
    let end = SideEnd { outcome, hurt: false, unnumbered: 0, disordered: 0, lowest_disordered: None };
    let (sender, receiver) = sync_channel(2);
    sender.send(FromSide::Units(lsns.iter().map(record).collect())).expect("there is room");
    sender.send(FromSide::Ended(Ok(Box::new(end)))).expect("there is room");
    receiver
}

/// A whole log with the LSNs 1 to 12, and another one with these records and this damage.
fn compared(lsns: &[u64], behind: &[u64], hurt: &[(DamageKind, u64)]) -> Comparison {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("/a"), Open::CREATE).expect("it is new");
    let source = Source::given(Arc::new(disk), "a", file.into(), 1);
    let input = Input { source, format: &FORMAT, keys: Keys::default(), named: true };
    let side = || Side {
        input: &input,
        window: None,
        by_source: false,
        takes_back: false,
        live: false,
        noted: None,
        first: Some(Lsn(1)),
    };
    let all: Vec<u64> = (1..=12).collect();
    let receivers = [handed(&input, &all, &[], &[]), handed(&input, lsns, behind, hurt)];
    match merge([&side(), &side()], receivers, true).expect("both were read") {
        Merged::Done(comparison) => *comparison,
        Merged::Falls(falls) => panic!("{falls:?}"),
    }
}

/// What is only in the first log, and what of it the other one's damage explains.
type Told = (Vec<(u64, u64)>, Vec<(u64, u64, DamageKind)>);

fn told(found: &Comparison) -> Told {
    let ends = |lsns: LsnRange| (lsns.first.0, lsns.last.0);
    let why = |why: Why| match why {
        Why::Damage(Which::B, kind) => kind,
        other => panic!("{other:?}"),
    };
    let only = found.only[0].listed.iter().map(|only| ends(only.range.lsns));
    let explained = found.uncompared.listed.iter().map(|one| {
        let (first, last) = ends(one.range.lsns);
        (first, last, why(one.why))
    });
    (only.collect(), explained.collect())
}

#[test]
fn a_gap_is_explained_by_the_damage_in_it_and_not_by_one_further_in_front() {
    let found = compared(
        &[1, 2, 4, 5, 6, 8, 9, 12],
        &[4, 8, 12],
        &[(DamageKind::Zeroed, 2), (DamageKind::BadChecksum, 6), (DamageKind::NotAFrame, 9)],
    );
    let explained = vec![(3, 3, DamageKind::Zeroed), (7, 7, DamageKind::BadChecksum), (10, 11, DamageKind::NotAFrame)];
    assert_eq!(told(&found), (vec![], explained));
}

#[test]
fn from_where_numbers_were_given_twice_a_gap_means_nothing_and_in_front_of_that_it_does() {
    let found = compared(&[1, 2, 5, 6, 7, 10, 11, 12], &[], &[(DamageKind::LsnBack, 6)]);
    assert_eq!(told(&found), (vec![(3, 4)], vec![(8, 9, DamageKind::LsnBack)]));
    // Of other damage only that counts which stands in the gap.
    let found = compared(&[1, 2, 5, 6, 7, 10, 11, 12], &[], &[(DamageKind::BadChecksum, 2), (DamageKind::Zeroed, 8)]);
    assert_eq!(told(&found), (vec![(3, 4)], vec![(8, 9, DamageKind::Zeroed)]));
}
