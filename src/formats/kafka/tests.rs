//! Segments that are made here, whole and hurt, as a walk and the join tell of them.

use super::FORMAT;
use super::batch::{COVERED, HEADER};
use crate::disk::crc32c;
use crate::formats::seen::{WholeRead, read_files};
use crate::model::{Acknowledged, DamageKind, Verdict};

const FIRST: &str = "00000000000000000000.log";
const SECOND: &str = "00000000000000000009.log";

/// A batch of three offsets, of which `count` still have a record; nothing looks into them here.
fn batch(base: u64, count: u8) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[16] = 2;
    bytes[26] = 2;
    bytes[43..57].fill(0xFF);
    bytes[60] = count;
    bytes.extend([b'r'; 24]);
    bytes[11] = u8::try_from(bytes.len() - 12).expect("small");
    let sum = crc32c(0, &bytes[COVERED..]);
    bytes[17..COVERED].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn batches(bases: &[u64]) -> Vec<u8> {
    bases.iter().flat_map(|base| batch(*base, 3)).collect()
}

fn told(seen: &WholeRead) -> Vec<(DamageKind, Verdict, Acknowledged)> {
    seen.damage.iter().map(|damage| (damage.kind, damage.verdict(), damage.acknowledged())).collect()
}

#[test]
fn what_stands_behind_damage_says_nothing_of_a_sync() {
    let corrupt = [(DamageKind::BadChecksum, Verdict::Corrupt, Acknowledged::Unknown)];
    let mut hurt = batches(&[0, 3, 6]);
    hurt[85 + 70] ^= 1;
    let seen = read_files(&FORMAT, &[(FIRST, &hurt)]);
    assert_eq!((told(&seen), seen.lsns), (corrupt.to_vec(), vec![0, 6]));
    let mut last = batches(&[0, 3, 6]);
    last[170 + 70] ^= 1;
    let seen = read_files(&FORMAT, &[(FIRST, &last)]);
    assert_eq!(told(&seen), [(DamageKind::BadChecksum, Verdict::Suspect, Acknowledged::Unknown)]);
    let seen = read_files(&FORMAT, &[(FIRST, last), (SECOND, batches(&[9, 12]))]);
    assert_eq!((told(&seen), seen.lsns), (corrupt.to_vec(), vec![0, 3, 9, 12]));
}

#[test]
fn a_batch_behind_a_length_that_leads_nowhere_is_found_by_its_sum() {
    for length in [0, 1, 0x7FFF_FFFF_u32] {
        let mut hurt = batches(&[0, 3, 6]);
        hurt[85 + 8..85 + 12].copy_from_slice(&length.to_be_bytes());
        let seen = read_files(&FORMAT, &[(FIRST, &hurt)]);
        let damage: Vec<_> =
            seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end(), damage.verdict())).collect();
        assert_eq!((seen.lsns, damage), (vec![0, 6], vec![(85, 170, Verdict::Corrupt)]), "length {length}");
    }
}

#[test]
fn a_number_that_changed_is_told_by_the_batch_behind_it() {
    for (bases, kind) in [([0, 35, 6, 9], DamageKind::LsnGap), ([0, 1, 6, 9], DamageKind::LsnBack)] {
        let seen = read_files(&FORMAT, &[(FIRST, batches(&bases))]);
        assert_eq!((told(&seen), seen.lsns), (vec![(kind, Verdict::Corrupt, Acknowledged::Unknown)], bases.to_vec()));
    }
    let seen = read_files(&FORMAT, &[(FIRST, batches(&[0, 3, 6, 3, 6, 9]))]);
    assert_eq!(told(&seen), [(DamageKind::LsnBack, Verdict::Foreign, Acknowledged::Yes)]);
}

#[test]
fn offsets_that_are_missing_are_damage_only_where_nothing_was_compacted() {
    let gone = [(FIRST, batches(&[0, 3])), (SECOND, batches(&[9]))];
    let seen = read_files(&FORMAT, &gone);
    assert_eq!(told(&seen), [(DamageKind::MissingSegment, Verdict::Missing, Acknowledged::Yes)]);
    let compacted = [(FIRST, [batch(0, 1), batch(3, 0)].concat()), (SECOND, batches(&[9]))];
    let seen = read_files(&FORMAT, &compacted);
    assert_eq!((told(&seen), seen.warnings), (vec![], vec!["sequence-gap"]));
    let seen = read_files(&FORMAT, &[(FIRST, batches(&[0, 6, 12, 15]))]);
    assert_eq!((told(&seen), seen.warnings), (vec![], vec!["sequence-gap"]));
}

#[test]
fn a_batch_is_found_wherever_it_begins_in_what_is_searched_at_a_time() {
    // Damage, and bytes without any meaning up to a batch that begins around the end of the first 64 KiB behind it.
    let end = 85 + 1 + (64 << 10);
    for at in [end - HEADER - 1, end - HEADER, end - HEADER + 1, end - 1, end, end + 1, end + HEADER, end + 100_000] {
        let mut bytes = batches(&[0, 3]);
        bytes[85 + 8..85 + 12].fill(0x7F);
        bytes.resize(at, b'r');
        bytes.extend(batches(&[6, 9]));
        let seen = read_files(&FORMAT, &[(FIRST, &bytes)]);
        let spans: Vec<_> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
        assert_eq!((seen.lsns, spans), (vec![0, 6, 9], vec![(85, at as u64)]));
    }
}
