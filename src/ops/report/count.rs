//! Adding up what segments hold: tallies where a format counts by itself, else its records.

use std::collections::BTreeMap;

use crate::formats::{BUCKETS, Tally, bucket};
use crate::model::{Lsn, LsnRange, Record, Time};

/// Tags are counted one by one up to this many over all segments.
const TAGS_KEPT: usize = 100_000;
/// Kinds of records are counted up to this many.
const KINDS_KEPT: usize = 1000;
/// Transactions that are open are listed up to this many.
const OPEN_KEPT: usize = 10_000;
/// The longest pauses that are kept.
const PAUSES_KEPT: usize = 3;
/// Places on the way through a log are kept up to this many; then each second one goes.
const POINTS_KEPT: usize = 8192;

/// How many, and how many bytes of payload as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, count: u64, bytes: u64) {
        self.count += count;
        self.bytes += bytes;
    }
}

/// A time in which nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteGap {
    /// How long, in microseconds.
    pub micros: u64,
    /// The LSN of the record after it.
    pub lsn: Lsn,
    /// How many records the group has that ended it, when that was looked up.
    pub group: Option<u64>,
}

/// Numbers counted in powers of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets(pub [u64; BUCKETS]);

impl Default for Buckets {
    fn default() -> Self {
        Buckets([0; BUCKETS])
    }
}

impl Buckets {
    fn add(&mut self, from: &[u64; BUCKETS]) {
        self.0.iter_mut().zip(from).for_each(|(a, b)| *a += b);
    }

    /// The number below which a part of all lies, from 0 to 1: an upper bound, as exact as a bucket is.
    #[must_use]
    pub fn at(&self, part: f64) -> u64 {
        let total: u64 = self.0.iter().sum();
        let wanted = (total as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.0.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return bucket_end(index);
            }
        }
        0
    }
}

/// What segments hold, added up.
#[derive(Clone, Debug, Default)]
pub struct LogCounts {
    /// Records: whole ones, however many fragments they have.
    pub records: u64,
    /// Data frames; records where a format has no frames of its own.
    pub frames: u64,
    /// Frames and their stored payload bytes by kind.
    pub kinds: BTreeMap<String, Amount>,
    /// Frames and their stored payload bytes by tag.
    pub tags: BTreeMap<u64, Amount>,
    /// Not every tag was counted by itself.
    pub more_tags: bool,
    /// Stored payload bytes.
    pub stored_bytes: u64,
    /// The same before compression and encryption, as far as is known.
    pub plain_bytes: u64,
    /// Batches.
    pub batches: u64,
    /// Pad frames and the bytes that they take.
    pub pads: Amount,
    /// Clean shutdowns.
    pub closes: u64,
    /// Groups that one sync made durable; 0 where a format does not tell.
    pub groups: u64,
    /// Frames by stored size, in powers of two.
    pub sizes: Buckets,
    /// Groups by their number of frames, in powers of two.
    pub group_sizes: Buckets,
    /// From the first to the last LSN.
    pub lsns: Option<LsnRange>,
    /// The earliest and the latest time.
    pub times: Option<(Time, Time)>,
    /// The longest pauses, longest first.
    pub pauses: Vec<WriteGap>,
    /// The newest checkpoint: its own LSN, and up to which LSN state is safe elsewhere.
    pub checkpoint: Option<(Lsn, Lsn)>,
    /// Transactions that are open: tag, and the index of the segment in which they began.
    pub open: Vec<(u64, usize)>,
    /// There are more of them than are listed, or it is not known which of them ended.
    pub more_open: bool,
    /// Records and time on the way through the log: how many records there are up to a moment.
    pub points: Vec<(u64, u64)>,
    first_time: u64,
    first_lsn: Option<Lsn>,
    last_time: u64,
    /// How many records there were when one of another system last left a point.
    pointed: Option<u64>,
}

impl LogCounts {
    /// Adds what a segment was counted to hold.
    pub fn add(&mut self, tally: &Tally, index: usize) {
        for (kind, frames, bytes) in tally.by_kind() {
            if frames > 0 {
                self.kinds.entry(kind.to_owned()).or_default().add(frames, bytes);
            }
            self.frames += frames;
            self.stored_bytes += bytes;
        }
        for tag in &tally.tags {
            self.tag(tag.tag, tag.frames, tag.bytes);
        }
        self.more_tags |= tally.more_tags;
        self.plain_bytes += tally.plain_bytes;
        self.batches += tally.batches;
        self.pads.add(tally.pads, tally.pad_bytes);
        self.closes += tally.closes;
        self.groups += tally.groups;
        self.sizes.add(&tally.sizes);
        self.group_sizes.add(&tally.group_sizes);
        if tally.checkpoint_lsn > 0 {
            self.checkpoint = Some((Lsn(tally.checkpoint_lsn), Lsn(tally.checkpoint)));
        }
        self.open.retain(|(tag, _)| !tally.ended.contains(tag));
        self.open.extend(tally.open.iter().map(|tag| (*tag, index)));
        self.more_open |= tally.more_transactions || self.open.len() > OPEN_KEPT;
        self.open.truncate(OPEN_KEPT);
        if tally.last_lsn > 0 {
            self.span(tally);
        }
        self.records += tally.records;
    }

    /// LSNs and times of a segment that holds something.
    fn span(&mut self, tally: &Tally) {
        let (first, last) = (Lsn(tally.first_lsn), Lsn(tally.last_lsn));
        let low = self.lsns.map_or(first, |l| l.first.min(first));
        self.lsns = LsnRange::new(low, self.lsns.map_or(last, |l| l.last.max(last)));
        if tally.max_time == 0 {
            // It is not known when any of them was written.
            return;
        }
        let (min, max) = (Time(tally.min_time), Time(tally.max_time));
        self.times = Some(self.times.map_or((min, max), |(a, b)| (a.min(min), b.max(max))));
        if self.last_time > 0 {
            self.pause(tally.first_time.saturating_sub(self.last_time), first);
        }
        self.pause(tally.pause, Lsn(tally.pause_lsn));
        self.last_time = tally.last_time;
        let base = self.records;
        // Fragments make LSNs outnumber records; along the way the difference is spread evenly.
        let share = tally.records as f64 / (tally.last_lsn - tally.first_lsn + 1) as f64;
        self.point(tally.first_time, base);
        for entry in &tally.index {
            let done = entry.lsn.saturating_sub(tally.first_lsn) as f64 * share;
            self.point(entry.max_time, base + done as u64);
        }
        self.point(tally.max_time, base + tally.records);
    }

    fn point(&mut self, time: u64, records: u64) {
        if self.points.len() >= POINTS_KEPT {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.points.push((time, records));
    }

    fn pause(&mut self, micros: u64, lsn: Lsn) {
        if micros == 0 {
            return;
        }
        self.pauses.push(WriteGap { micros, lsn, group: None });
        self.pauses.sort_by(|a, b| b.cmp(a));
        self.pauses.truncate(PAUSES_KEPT);
    }

    fn tag(&mut self, tag: u64, count: u64, bytes: u64) {
        if self.tags.len() >= TAGS_KEPT && !self.tags.contains_key(&tag) {
            self.more_tags = true;
            return;
        }
        self.tags.entry(tag).or_default().add(count, bytes);
    }

    /// Adds what was counted record by record of what follows.
    pub fn append(&mut self, later: LogCounts) {
        let before = self.records;
        for (kind, amount) in later.kinds {
            if self.kinds.len() < KINDS_KEPT || self.kinds.contains_key(&kind) {
                self.kinds.entry(kind).or_default().add(amount.count, amount.bytes);
            }
        }
        later.tags.into_iter().for_each(|(tag, amount)| self.tag(tag, amount.count, amount.bytes));
        self.more_tags |= later.more_tags;
        self.records += later.records;
        self.frames += later.frames;
        self.stored_bytes += later.stored_bytes;
        self.plain_bytes += later.plain_bytes;
        self.sizes.add(&later.sizes.0);
        // Where records have no numbers, a pause is before the record with this number in the log.
        let numbered = later.lsns.is_some();
        self.lsns = union(self.lsns.map(|l| (l.first, l.last)), later.lsns.map(|l| (l.first, l.last)))
            .and_then(|(first, last)| LsnRange::new(first, last));
        self.times = union(self.times, later.times);
        if self.last_time > 0 && later.first_time > 0 {
            let first = later.first_lsn.unwrap_or(Lsn(before + 1));
            self.pause(later.first_time.saturating_sub(self.last_time), first);
        }
        for pause in later.pauses {
            let lsn = if numbered { pause.lsn } else { Lsn(before + pause.lsn.0) };
            self.pause(pause.micros, lsn);
        }
        later.points.into_iter().for_each(|(time, records)| self.point(time, before + records));
        if later.last_time > 0 {
            self.last_time = later.last_time;
        }
    }

    /// Adds a record of another system.
    pub fn record(&mut self, record: &Record<'_>) {
        let length = record.payload.length();
        self.records += 1;
        self.frames += 1;
        self.stored_bytes += length;
        self.plain_bytes += length;
        self.sizes.0[bucket(length)] += 1;
        if let Some(amount) = self.kinds.get_mut(record.kind) {
            amount.add(1, length);
        } else if self.kinds.len() < KINDS_KEPT {
            self.kinds.entry(record.kind.to_owned()).or_default().add(1, length);
        }
        if let Some(tag) = record.tag {
            self.tag(tag, 1, length);
        }
        if let Some(lsns) = record.lsns() {
            let low = self.lsns.map_or(lsns.first, |l| l.first.min(lsns.first));
            self.lsns = LsnRange::new(low, self.lsns.map_or(lsns.last, |l| l.last.max(lsns.last)));
        }
        if let Some(time) = record.time {
            self.times = Some(self.times.map_or((time, time), |(a, b)| (a.min(time), b.max(time))));
            if self.last_time > 0 {
                self.pause(time.0.saturating_sub(self.last_time), record.lsn.unwrap_or(Lsn(self.records)));
            } else {
                (self.first_time, self.first_lsn) = (time.0, record.lsn);
            }
            self.last_time = time.0;
            // Not each record need have a time.
            if self.pointed.is_none_or(|pointed| self.records >= pointed + 64) {
                self.pointed = Some(self.records);
                self.point(time.0, self.records - 1);
            }
        }
    }

    /// Records in equal parts of the time from the first to the last one.
    #[must_use]
    pub fn rates(&self, parts: usize) -> Vec<u64> {
        let Some((first, last)) = self.times.filter(|(a, b)| b > a && parts > 0) else { return Vec::new() };
        let mut points = self.points.clone();
        // The last record that was counted one by one need not have left a point.
        if points.iter().all(|(_, records)| *records < self.records) {
            points.push((last.0, self.records));
        }
        points.sort_unstable();
        let width = (last.0 - first.0) as f64 / parts as f64;
        let mut rates = vec![0.0; parts];
        for pair in points.windows(2) {
            let [(from, before), (to, after)] = [pair[0], pair[1]];
            let count = after.saturating_sub(before) as f64;
            let part = |time: u64| ((time.saturating_sub(first.0)) as f64 / width) as usize;
            let (low, high) = (part(from).min(parts - 1), part(to).min(parts - 1));
            // Between two places that are known the records are spread evenly.
            for rate in &mut rates[low..=high] {
                *rate += count / (high - low + 1) as f64;
            }
        }
        // Rounded so that the sum stays right.
        let mut sum = 0.0;
        let step = |rate: f64| {
            let before = f64::round(sum);
            sum += rate;
            (sum.round() - before) as u64
        };
        rates.into_iter().map(step).collect()
    }
}

/// From the lower beginning to the higher end.
fn union<T: Ord>(one: Option<(T, T)>, other: Option<(T, T)>) -> Option<(T, T)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

/// The greatest number of a power-of-two bucket.
#[must_use]
pub fn bucket_end(index: usize) -> u64 {
    if index == 0 { 0 } else { (1u64 << index.min(63)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Payload, SegmentId, Span};

    #[test]
    fn quantiles_are_upper_bounds_from_buckets() {
        let mut sizes = Buckets::default();
        sizes.0[bucket(5)] = 90;
        sizes.0[bucket(1000)] = 10;
        assert_eq!((sizes.at(0.5), sizes.at(0.9), sizes.at(0.91), sizes.at(1.0)), (7, 7, 1023, 1023));
        assert_eq!(Buckets::default().at(0.5), 0);
    }

    #[test]
    fn rates_add_up_and_show_where_nothing_was_written() {
        let counts = LogCounts {
            times: Some((Time(0), Time(1000))),
            points: vec![(0, 0), (100, 50), (900, 50), (1000, 100)],
            ..LogCounts::default()
        };
        let rates = counts.rates(10);
        assert_eq!(rates.iter().sum::<u64>(), 100);
        assert!(rates[2..8].iter().all(|r| *r == 0), "{rates:?}");
    }

    #[test]
    fn records_of_several_frames_are_spread_over_the_numbers_of_a_segment() {
        let mut counts = LogCounts::default();
        let entry = |lsn, max_time| crate::native::IndexEntry { lsn, max_time, offset: 0 };
        let mut tally = Tally::default();
        (tally.records, tally.first_lsn, tally.last_lsn) = (50, 1001, 1100);
        (tally.first_time, tally.last_time, tally.min_time, tally.max_time) = (10, 30, 10, 30);
        tally.index = vec![entry(1001, 10), entry(1041, 20), entry(1081, 25)];
        counts.add(&tally, 0);
        assert_eq!(counts.points, [(10, 0), (10, 0), (20, 20), (25, 40), (30, 50)]);
    }

    #[test]
    fn the_rates_of_another_systems_log_count_each_of_its_records_however_few() {
        let mut counts = LogCounts::default();
        for number in 0..70u64 {
            counts.record(&Record {
                lsn: Some(Lsn(number + 1)),
                kind: "event",
                time: Some(Time(1000 + number * 10)),
                payload: Payload::Whole(b"x"),
                ..Record::at(Span::new(SegmentId(0), number, number + 1))
            });
            let rates = counts.rates(8);
            assert!(number == 0 || rates.iter().sum::<u64>() == number + 1, "{rates:?} of {number}");
        }
    }

    #[test]
    fn what_was_counted_segment_by_segment_adds_up_to_what_is_counted_in_one_go() {
        let record = |number: u64, numbered: bool| Record {
            lsn: numbered.then_some(Lsn(number)),
            kind: if number.is_multiple_of(3) { "put" } else { "delete" },
            time: (!number.is_multiple_of(7)).then_some(Time(1_000_000 + number * number * 10)),
            tag: Some(number % 4),
            payload: Payload::Whole(&b"0123456789"[..(number % 10) as usize]),
            ..Record::at(Span::new(SegmentId(0), number, number + 1))
        };
        for numbered in [true, false] {
            let (mut whole, mut sum) = (LogCounts::default(), LogCounts::default());
            (1..=200).for_each(|number| whole.record(&record(number, numbered)));
            for part in [1..=1, 2..=64, 65..=130, 131..=200] {
                let mut counts = LogCounts::default();
                part.for_each(|number| counts.record(&record(number, numbered)));
                sum.append(counts);
            }
            assert_eq!(
                (&whole.kinds, &whole.tags, &whole.pauses, whole.times, whole.lsns, &whole.sizes),
                (&sum.kinds, &sum.tags, &sum.pauses, sum.times, sum.lsns, &sum.sizes),
            );
            assert_eq!((whole.records, whole.frames, whole.stored_bytes), (sum.records, sum.frames, sum.stored_bytes));
            assert_eq!(sum.rates(8).iter().sum::<u64>(), 200);
        }
    }

    #[test]
    fn a_rate_is_known_where_only_few_records_bear_a_time() {
        let mut counts = LogCounts::default();
        for number in 0..100u64 {
            let time = (number % 9 == 5).then_some(Time(1000 + number));
            counts.record(&Record { time, ..Record::at(Span::new(SegmentId(0), number, number + 1)) });
        }
        assert!(counts.rates(8).iter().sum::<u64>() >= 90, "{:?}", counts.rates(8));
    }

    #[test]
    fn a_transaction_that_ends_in_a_later_segment_is_not_open() {
        let mut counts = LogCounts::default();
        let (mut first, mut second) = (Tally::default(), Tally::default());
        first.open = vec![7, 8];
        (second.ended, second.open) = (vec![7], vec![9]);
        counts.add(&first, 0);
        counts.add(&second, 1);
        assert_eq!(counts.open, [(8, 0), (9, 1)]);
    }

    #[test]
    fn a_pause_is_what_lies_between_two_records_and_not_before_the_first() {
        use crate::model::{Payload, Place, Record, SegmentId, Span};
        let mut counts = LogCounts::default();
        for (lsn, time) in [(1, 5_000_000), (2, 9_000_000), (3, 9_000_000), (4, 8_000_000), (5, 20_000_000)] {
            counts.record(&Record {
                lsn: Some(Lsn(lsn)),
                kind: "full",
                time: Some(Time(time)),
                tag: Some(lsn % 2),
                payload: Payload::Whole(b"12345"),
                ..Record::at(Span { place: Place { segment: SegmentId(0), offset: lsn }, length: 10 })
            });
        }
        let pauses: Vec<(u64, u64)> = counts.pauses.iter().map(|pause| (pause.lsn.0, pause.micros)).collect();
        assert_eq!(pauses, [(5, 12_000_000), (2, 4_000_000)]);
        assert_eq!((counts.times, counts.lsns), (Some((Time(5_000_000), Time(20_000_000))), LsnRange::new(Lsn(1), Lsn(5))));
        assert_eq!((counts.frames, counts.plain_bytes), (5, 25));
    }
}
