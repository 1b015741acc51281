//! Which records share a group, and which numbers they may ask for.

use std::time::Instant;

use super::queue::Queue;
use crate::model::{Lsn, Result};
use crate::native::HEADER_BYTES;
use crate::writer::frames::Prepared;
use crate::writer::{Draft, Options};

fn queue() -> Queue {
    Queue::new(Lsn(1), true, (HEADER_BYTES, 0), 1)
}

fn push(queue: &mut Queue, drafts: &[Draft<'_>], options: &Options) -> Result<Vec<u32>> {
    let prepared: Vec<Prepared<'_>> = drafts.iter().map(|d| Prepared::new(*d, options).expect("it is short")).collect();
    let mut places = Vec::new();
    queue.push(&prepared, true, Instant::now(), options, |ticket| places.push(ticket.index))?;
    Ok(places)
}

fn groups(queue: &mut Queue) -> Vec<(usize, bool)> {
    std::iter::from_fn(|| queue.take()).map(|group| (group.frames.records, group.frames.rotate)).collect()
}

#[test]
fn a_group_is_full_by_what_is_pending_and_a_batch_is_never_split() {
    let options = Options { group_records: 3, ..Options::default() };
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
    let options = Options { segment_records: Some(10), ..Options::default() };
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
    let options = Options::default();
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
fn a_group_that_failed_gives_its_numbers_back() {
    let options = Options { group_records: 1, ..Options::default() };
    let mut queue = queue();
    push(&mut queue, &[Draft::of(b"x")], &options).expect("nothing is pinned");
    push(&mut queue, &[Draft::of(b"y")], &options).expect("nothing is pinned");
    let first = queue.take().expect("a group");
    let bytes = first.frames.bytes.len();
    queue.over(first, bytes, true);
    assert_eq!((queue.next(), queue.bytes, queue.crowd), (Lsn(2), bytes, 2));
}
