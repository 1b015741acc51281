//! Which records share a group, and which numbers they may ask for.

use std::time::Instant;

use super::queue::Queue;
use crate::model::{Lsn, Result};
use crate::native::{FRAME_HEADER, FrameHeader, HEADER_BYTES, MORE};
use crate::writer::frames::Prepared;
use crate::writer::{Draft, Settings};

fn queue() -> Queue {
    Queue::new(Lsn(1), true, (HEADER_BYTES, 0), 1)
}

fn push(queue: &mut Queue, drafts: &[Draft<'_>], options: &Settings) -> Result<Vec<u32>> {
    let prepared: Vec<Prepared<'_>> = drafts.iter().map(|d| Prepared::new(*d, options).expect("it is short")).collect();
    let mut places = Vec::new();
    queue.push(&prepared, true, Instant::now(), options, |ticket| places.push(ticket.part.index))?;
    Ok(places)
}

fn groups(queue: &mut Queue) -> Vec<(usize, bool)> {
    std::iter::from_fn(|| queue.take()).map(|group| (group.frames.records, group.frames.rotate)).collect()
}

#[test]
fn a_group_is_full_by_what_is_pending_and_a_batch_is_never_split() {
    let options = Settings { group_records: 3, ..Settings::default() };
    let mut queue = queue();
    for _ in 0..4 {
        push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    }
    push(&mut queue, &[Draft::of(b"y"); 5], &options).expect("nothing is pinned");
    push(&mut queue, &[Draft::of(b"z")], &options).expect("nothing is pinned");
    assert_eq!(groups(&mut queue), [(3, false), (1, false), (5, false), (1, false)]);
    assert_eq!(queue.next(), Lsn(11));
}

#[test]
fn a_segment_gets_exactly_as_many_records_as_it_may_hold() {
    let options = Settings { segment_records: Some(10), ..Settings::default() };
    let mut queue = queue();
    for _ in 0..3 {
        push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    }
    assert_eq!(groups(&mut queue), [(3, false)]);
    for _ in 0..22 {
        push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    }
    assert_eq!(groups(&mut queue), [(7, false), (10, true), (5, true)]);
}

#[test]
fn a_pinned_number_must_be_the_next_one_unless_there_is_no_record_yet() {
    let options = Settings::default();
    let pin = |lsn| Draft { lsn: Some(Lsn(lsn)), ..Draft::of(b"x") };
    let mut queue = queue();
    assert_eq!(push(&mut queue, &[pin(500), pin(501)], &options).expect("nothing can be missing"), [0, 1]);
    assert!(push(&mut queue, &[pin(501)], &options).expect_err("it is taken").to_string().contains("502 is due"));
    let gap = push(&mut queue, &[pin(510)], &options).expect_err("it leaves a gap").to_string();
    assert!(gap.contains("502-509 would be missing"), "{gap}");
    push(&mut queue, &[Draft::of(b"y"), pin(503)], &options).expect("it is due");
    assert_eq!(queue.next(), Lsn(504));
    let group = queue.take().expect("a group").frames;
    assert_eq!((group.pinned, group.frames), (Some(Lsn(500)), 4));
}

#[test]
fn a_group_asks_for_a_number_only_where_one_of_its_records_does_and_for_that_of_its_first_frame() {
    let pin = |lsn| Draft { lsn: Some(Lsn(lsn)), ..Draft::of(b"x") };
    let (free, long) = (Draft::of(b"y"), Draft::of(b"longer than a frame"));
    let options = Settings { frame_limit: 8, ..Settings::default() };
    for (what, pushes, expected) in [
        ("no record does", vec![vec![free], vec![long]], None),
        ("the first", vec![vec![pin(8)], vec![free]], Some(8)),
        ("the second", vec![vec![free], vec![pin(9)]], Some(8)),
        ("one behind a record of three frames", vec![vec![long], vec![pin(11)]], Some(8)),
        ("one within a batch", vec![vec![free], vec![free, long, pin(13), free]], Some(8)),
        ("two", vec![vec![free, pin(9)], vec![pin(10)], vec![free]], Some(8)),
    ] {
        // Seven records are in the log.
        let mut queue = Queue::new(Lsn(8), false, (HEADER_BYTES, 0), 1);
        for drafts in &pushes {
            push(&mut queue, drafts, &options).expect("each asks for the one that is due");
        }
        assert_eq!(queue.take().expect("a group").frames.pinned, expected.map(Lsn), "{what}");
    }
}

#[test]
fn only_in_a_batch_does_a_frame_say_that_more_follows_and_the_last_one_never() {
    let (short, long) = (Draft::of(b"y"), Draft::of(b"longer than a frame"));
    let options = Settings { frame_limit: 8, ..Settings::default() };
    for (what, drafts, expected) in [
        ("a record alone", vec![short], vec![false]),
        ("a record of three frames alone", vec![long], vec![false; 3]),
        ("a batch of two", vec![short; 2], vec![true, false]),
        ("a batch of four", vec![short; 4], vec![true, true, true, false]),
        ("a batch that begins with a long record", vec![long, short], vec![true, true, true, false]),
        ("a batch that ends with a long record", vec![short, long], vec![true, true, true, false]),
    ] {
        let mut queue = queue();
        push(&mut queue, &drafts, &options).expect("nothing is pinned");
        let group = queue.take().expect("a group").frames;
        let (bytes, mut at, mut more) = (group.bytes.bytes(), 0, Vec::new());
        while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk()).and_then(FrameHeader::parse) {
            more.push(header.flags & MORE != 0);
            at += (FRAME_HEADER + header.length as usize).next_multiple_of(8);
        }
        assert_eq!(more, expected, "{what}");
    }
}

#[test]
fn a_group_that_failed_gives_its_numbers_back() {
    let options = Settings { group_records: 1, ..Settings::default() };
    let mut queue = queue();
    push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    push(&mut queue, &[Draft::of(b"y")], &options).expect("nothing is pinned");
    let first = queue.take().expect("a group");
    let bytes = first.frames.bytes.len();
    queue.over(first, bytes, true);
    assert_eq!((queue.next(), queue.bytes, queue.crowd), (Lsn(2), bytes, 2));
}

/// What one record of one byte takes.
fn one() -> u64 {
    Prepared::new(Draft::of(b"x"), &Settings::default()).expect("it is short").bytes() as u64
}

fn push_each(queue: &mut Queue, records: usize, options: &Settings) {
    (0..records).for_each(|_| drop(push(queue, &[Draft::of(b"x")], options).expect("nothing is pinned")));
}

#[test]
fn a_segment_is_filled_to_its_last_byte_and_its_last_record_and_no_further() {
    let bytes = |records: u64, more: i64| {
        let length = HEADER_BYTES + records * one();
        Settings { segment_bytes: length.checked_add_signed(more).expect("small"), ..Settings::default() }
    };
    let records = |most| Settings { segment_records: Some(most), ..Settings::default() };
    for (what, options, expected) in [
        ("just so long", bytes(4, 0), vec![(4, false), (4, true), (1, true)]),
        ("a byte short", bytes(4, -1), vec![(3, false), (3, true), (3, true)]),
        ("a byte over", bytes(4, 1), vec![(4, false), (4, true), (1, true)]),
        ("shorter than a record", bytes(0, 1), vec![(1, false); 1].into_iter().chain(vec![(1, true); 8]).collect()),
        ("so many records", records(4), vec![(4, false), (4, true), (1, true)]),
        ("one record", records(1), vec![(1, false); 1].into_iter().chain(vec![(1, true); 8]).collect()),
        (
            "both, and bytes end first",
            Settings { segment_records: Some(5), ..bytes(4, 0) },
            vec![(4, false), (4, true), (1, true)],
        ),
        (
            "both, and records end first",
            Settings { segment_records: Some(3), ..bytes(4, 0) },
            vec![(3, false), (3, true), (3, true)],
        ),
    ] {
        let mut queue = queue();
        push_each(&mut queue, 9, &options);
        assert_eq!(groups(&mut queue), expected, "{what}");
    }
}

#[test]
fn a_group_is_filled_to_its_last_byte_and_its_last_record_and_no_further() {
    let bytes = |records: usize, more: isize| Settings {
        group_bytes: (records * usize::try_from(one()).expect("small")).checked_add_signed(more).expect("small"),
        ..Settings::default()
    };
    for (what, options, expected) in [
        ("just so long", bytes(4, 0), vec![4, 4, 1]),
        ("a byte short", bytes(4, -1), vec![3, 3, 3]),
        ("shorter than a record", bytes(0, 1), vec![1; 9]),
        ("so many records", Settings { group_records: 4, ..Settings::default() }, vec![4, 4, 1]),
        ("one record", Settings { group_records: 1, ..Settings::default() }, vec![1; 9]),
        ("both, and records end first", Settings { group_records: 3, ..bytes(4, 0) }, vec![3, 3, 3]),
    ] {
        let mut queue = queue();
        push_each(&mut queue, 9, &options);
        let records: Vec<usize> = groups(&mut queue).into_iter().map(|group| group.0).collect();
        assert_eq!(records, expected, "{what}");
    }
    let mut queue = queue();
    let options = Settings { group_records: 4, ..Settings::default() };
    push_each(&mut queue, 2, &options);
    push(&mut queue, &[Draft::of(b"y"); 2], &options).expect("nothing is pinned");
    push(&mut queue, &[Draft::of(b"y"); 3], &options).expect("nothing is pinned");
    push(&mut queue, &[Draft::of(b"y"); 2], &options).expect("nothing is pinned");
    assert_eq!(groups(&mut queue), [(4, false), (3, false), (2, false)], "a batch goes where all of it has room");
}

#[test]
fn what_groups_are_padded_with_counts_where_a_segment_ends() {
    // Each group is filled up to a block: behind two of them and a third record nothing more fits. By themselves 21 records would.
    let options = Settings { segment_bytes: HEADER_BYTES + 1024, group_records: 1, ..Settings::default() };
    let mut padded = Queue::new(Lsn(1), true, (HEADER_BYTES, 0), 512);
    push_each(&mut padded, 5, &options);
    assert_eq!(groups(&mut padded), [(1, false), (1, false), (1, false), (1, true), (1, false)]);
    let mut plain = queue();
    push_each(&mut plain, 5, &options);
    assert_eq!(groups(&mut plain), [(1, false); 5]);
}

#[test]
fn behind_an_exchanged_segment_what_is_queued_is_counted_again() {
    let options = Settings { segment_records: Some(4), group_records: 2, ..Settings::default() };
    let mut queue = queue();
    push_each(&mut queue, 3, &options);
    // Another segment is active now: three records come into it, and one more fits.
    queue.segment_is((HEADER_BYTES, 0));
    push_each(&mut queue, 2, &options);
    assert_eq!(groups(&mut queue), [(2, false), (2, false), (1, true)]);
    // The same by bytes, with a rotation among what is queued: only what follows it counts.
    let options = Settings { segment_bytes: HEADER_BYTES + 3 * one(), group_records: 2, ..Settings::default() };
    let mut queue = self::queue();
    push_each(&mut queue, 4, &options);
    queue.segment_is((HEADER_BYTES + one(), 1));
    push_each(&mut queue, 3, &options);
    assert_eq!(groups(&mut queue), [(2, false), (1, false), (2, true), (1, false), (1, true)]);
    let mut queue = self::queue();
    queue.segment_is((HEADER_BYTES + 2 * one(), 2));
    push_each(&mut queue, 2, &options);
    assert_eq!(groups(&mut queue), [(1, false), (1, true)]);
}

#[test]
fn what_is_queued_is_counted_until_its_group_is_over() {
    let options = Settings { group_records: 2, ..Settings::default() };
    let one = usize::try_from(one()).expect("small");
    let mut queue = queue();
    assert!(queue.is_empty() && queue.oldest().is_none() && queue.take().is_none() && !queue.has_full_group());
    push_each(&mut queue, 1, &options);
    assert!(!queue.is_empty() && !queue.has_full_group(), "it is begun and not full");
    push_each(&mut queue, 2, &options);
    assert!(queue.has_full_group());
    assert_eq!((queue.bytes, queue.callers, queue.oldest().map(|group| group.callers)), (3 * one, 3, Some(2)));
    let first = queue.take().expect("a group");
    assert_eq!((queue.bytes, queue.callers, queue.is_empty()), (3 * one, 1, false), "its bytes are still on their way");
    queue.over(first, 2 * one, false);
    assert_eq!((queue.bytes, queue.callers, queue.crowd), (one, 1, 3), "those that were served, and those that wait");
    assert_eq!(queue.next(), Lsn(4), "what was written keeps its numbers");
    let second = queue.take().expect("a group");
    assert_eq!((queue.callers, queue.is_empty()), (0, true));
    queue.over(second, one, true);
    assert_eq!((queue.bytes, queue.crowd, queue.next()), (0, 1, Lsn(3)), "what left no trace gives its number back");
}

#[test]
fn whoever_wants_everything_written_hurries_what_is_there_and_nothing_that_comes_later() {
    let options = Settings { group_records: 2, ..Settings::default() };
    let mut queue = queue();
    assert!(queue.hurry_newest().is_none() && !queue.is_hurried(), "there is nothing to wait for");
    push_each(&mut queue, 3, &options);
    assert!(!queue.is_hurried());
    let newest = queue.hurry_newest().expect("something is queued");
    assert!(queue.is_hurried(), "the oldest is wanted, for the newest comes behind it");
    let first = queue.take().expect("a group");
    assert!(queue.is_hurried() && !std::sync::Arc::ptr_eq(&first.completion, &newest));
    queue.over(first, 0, false);
    let second = queue.take().expect("a group");
    assert!(std::sync::Arc::ptr_eq(&second.completion, &newest));
    assert!(queue.hurry_newest().is_some_and(|writing| std::sync::Arc::ptr_eq(&writing, &newest)), "it is being written");
    push_each(&mut queue, 1, &options);
    assert!(!queue.is_hurried(), "it came later");
    queue.over(second, 0, false);
    assert!(queue.orphan().is_none(), "nothing is being written");
}

#[test]
fn when_all_fails_each_group_that_waits_is_told_and_the_one_being_written_is_left_to_its_leader() {
    let options = Settings { group_records: 2, ..Settings::default() };
    let mut queue = queue();
    push_each(&mut queue, 5, &options);
    let writing = queue.take().expect("a group");
    let told = queue.drain();
    assert_eq!((told.len(), queue.bytes, queue.callers, queue.is_empty()), (2, 0, 0, true));
    assert!(told.iter().all(|group| !std::sync::Arc::ptr_eq(group, &writing.completion)));
    assert!(queue.orphan().is_some_and(|orphan| std::sync::Arc::ptr_eq(&orphan, &writing.completion)));
}

#[test]
fn numbers_end_at_the_last_one_and_a_record_of_many_frames_needs_room_for_all() {
    let options = Settings::default();
    let pin = |lsn| Draft { lsn: Some(lsn), ..Draft::of(b"x") };
    let long = vec![0; crate::native::FRAME_LIMIT + 1];
    for (pinned, drafts, fits) in
        [(Lsn::LAST, 1, true), (Lsn::LAST, 2, false), (Lsn(Lsn::LAST.0 - 1), 2, true), (Lsn(Lsn::LAST.0 - 1), 3, false)]
    {
        let mut queue = queue();
        let drafts: Vec<Draft<'_>> = (0..drafts).map(|n| if n == 0 { pin(pinned) } else { Draft::of(b"x") }).collect();
        assert_eq!(push(&mut queue, &drafts, &options).is_ok(), fits, "{pinned}");
        assert_eq!(queue.is_empty(), !fits, "what is refused leaves nothing behind");
    }
    for (pinned, fits) in [(Lsn(Lsn::LAST.0 - 1), true), (Lsn::LAST, false)] {
        let mut queue = queue();
        let draft = Draft { lsn: Some(pinned), ..Draft::of(&long) };
        assert_eq!(push(&mut queue, &[draft], &options).is_ok(), fits, "two frames from {pinned} on");
    }
}

#[test]
fn tasks_are_company_until_their_group_is_taken_and_a_part_of_the_crowd_when_it_is_over() {
    let options = Settings::default();
    let mut queue = queue();
    push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    let callers = queue.company();
    queue.expect_task();
    queue.expect_task();
    assert_eq!(queue.company(), callers + 2);
    let group = queue.take().expect("a record waits");
    assert_eq!((queue.company(), group.tasks), (0, 2));
    queue.over(group, 0, false);
    assert_eq!(queue.crowd, callers + 2);
}

#[test]
fn the_room_of_a_group_that_is_over_is_used_again() {
    let options = Settings::default();
    let mut queue = queue();
    let large = [1; 100_000];
    push(&mut queue, &[Draft::of(&large)], &options).expect("nothing is pinned");
    let group = queue.take().expect("a record waits");
    let room = group.frames.bytes.bytes().as_ptr();
    queue.over(group, 0, false);
    for _ in 0..2 {
        push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
        let small = queue.take().expect("a record waits");
        if small.frames.bytes.bytes().as_ptr() == room {
            return;
        }
    }
    panic!("the room lies about, and new room is made for each group");
}
