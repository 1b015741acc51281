//! What a record holds, as far as its walk needs it: what it is, how many things, and from when to when.

use crate::model::Time;

/// The types of records, by their first byte.
pub const KINDS: &[&str] = &[
    "series",
    "samples",
    "tombstones",
    "exemplars",
    "mmap_markers",
    "metadata",
    "histogram_samples",
    "float_histogram_samples",
    "custom_bucket_histogram_samples",
    "custom_bucket_float_histogram_samples",
    "samples_with_start",
    "histogram_samples_with_start",
    "float_histogram_samples_with_start",
    "unknown",
];

/// The name of a type.
#[must_use]
pub fn kind_of(number: u8) -> &'static str {
    usize::from(number).checked_sub(1).and_then(|index| KINDS.get(index)).copied().unwrap_or("unknown")
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    /// A number in seven bits a byte.
    pub fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7F);
            if index == 9 && low > 1 {
                return None;
            }
            value |= low << (7 * index);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The same with a sign, in zig-zag.
    pub fn varint(&mut self) -> Option<i64> {
        let value = self.uvarint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count of things that take at least `least` bytes each.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.uvarint()?).ok()?;
        (count <= self.0.len() / least.max(1)).then_some(count)
    }

    /// A text with its length in front.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uvarint()?).ok()?;
        self.take(length)
    }
}

/// What a record holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many series, samples or the like.
    pub items: u64,
    /// The earliest time of a sample, in milliseconds since 1970.
    pub first: Option<i64>,
    /// The latest one.
    pub last: Option<i64>,
}

impl Extent {
    fn add(&mut self, time: Option<i64>) {
        self.items += 1;
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// The latest time as that of the record.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        Some(Time(u64::try_from(self.last?).ok()?.checked_mul(1000)?))
    }
}

/// One histogram, in its outlines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistogramOutline {
    /// How many observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// How fine its buckets are.
    pub schema: i64,
    /// How many buckets are stored.
    pub buckets: usize,
}

/// One thing that a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Logged<'a> {
    /// A series gets a number.
    Series(u64, Vec<(&'a [u8], &'a [u8])>),
    /// A value.
    Sample(u64, i64, f64),
    /// Samples of a series are deleted, from one time to another.
    Tombstone(u64, i64, i64),
    /// A value with labels of its own.
    Exemplar(u64, i64, f64, Vec<(&'a [u8], &'a [u8])>),
    /// The chunk of a series that holds what came before.
    Marker(u64, u64),
    /// What a series is.
    Metadata(u64, u8, Vec<(&'a [u8], &'a [u8])>),
    /// A histogram.
    Histogram(u64, i64, HistogramOutline),
}

fn labels<'a>(bytes: &mut Bytes<'a>) -> Option<Vec<(&'a [u8], &'a [u8])>> {
    let count = bytes.count(2)?;
    (0..count).map(|_| Some((bytes.text()?, bytes.text()?))).collect()
}

/// Reads a record to its last byte, and hands over what it holds. `None` when it is not what its type says; `Some(false)` when
/// walctl does not know its type.
pub fn each<'a>(record: &'a [u8], take: &mut dyn FnMut(Logged<'a>)) -> Option<bool> {
    let (kind, rest) = record.split_first()?;
    let mut bytes = Bytes(rest);
    match kind {
        1 => {
            while !bytes.0.is_empty() {
                take(Logged::Series(bytes.u64()?, labels(&mut bytes)?));
            }
        }
        3 => {
            while !bytes.0.is_empty() {
                take(Logged::Tombstone(bytes.u64()?, bytes.varint()?, bytes.varint()?));
            }
        }
        5 => {
            while !bytes.0.is_empty() {
                take(Logged::Marker(bytes.u64()?, bytes.u64()?));
            }
        }
        6 => {
            while !bytes.0.is_empty() {
                take(Logged::Metadata(bytes.uvarint()?, bytes.byte()?, labels(&mut bytes)?));
            }
        }
        2 | 4 | 7..=10 => based(*kind, &mut bytes, take)?,
        11..=13 => started(*kind, &mut bytes, take)?,
        _ => return Some(false),
    }
    Some(true)
}

/// Samples, exemplars and histograms whose numbers and times are differences to one base.
fn based<'a>(kind: u8, bytes: &mut Bytes<'a>, take: &mut dyn FnMut(Logged<'a>)) -> Option<()> {
    if bytes.0.is_empty() {
        return Some(());
    }
    let (base, time) = (bytes.u64()?, bytes.u64()? as i64);
    while !bytes.0.is_empty() {
        let series = base.wrapping_add(bytes.varint()? as u64);
        let at = time.wrapping_add(bytes.varint()?);
        take(match kind {
            2 => Logged::Sample(series, at, f64::from_bits(bytes.u64()?)),
            4 => Logged::Exemplar(series, at, f64::from_bits(bytes.u64()?), labels(bytes)?),
            _ => Logged::Histogram(series, at, histogram(bytes, matches!(kind, 8 | 10))?),
        });
    }
    Some(())
}

/// The same of newer versions: numbers are differences to the one before, and each says when its counter began.
fn started<'a>(kind: u8, bytes: &mut Bytes<'a>, take: &mut dyn FnMut(Logged<'a>)) -> Option<()> {
    let (mut series, mut first, mut start) = (0i64, None, 0i64);
    while !bytes.0.is_empty() {
        series = series.wrapping_add(bytes.varint()?);
        let (at, begun) = (bytes.varint()?, first);
        let at = at.wrapping_add(begun.map_or(0, |(time, _)| time));
        match begun {
            None => {
                start = bytes.varint()?;
                first = Some((at, start));
            }
            Some((_, base)) => match bytes.byte()? {
                0 => start = 0,
                1 => {}
                _ => start = base.wrapping_add(bytes.varint()?),
            },
        }
        take(match kind {
            11 => Logged::Sample(series as u64, at, f64::from_bits(bytes.u64()?)),
            _ => Logged::Histogram(series as u64, at, histogram(bytes, kind == 13)?),
        });
    }
    let _ = start;
    Some(())
}

fn histogram(bytes: &mut Bytes<'_>, float: bool) -> Option<HistogramOutline> {
    const CUSTOM: i64 = -53;
    bytes.byte()?;
    let schema = bytes.varint()?;
    bytes.u64()?;
    let number = |bytes: &mut Bytes<'_>| match float {
        true => bytes.u64().map(f64::from_bits),
        false => bytes.uvarint().map(|count| count as f64),
    };
    number(bytes)?;
    let count = number(bytes)?;
    let sum = f64::from_bits(bytes.u64()?);
    for _ in 0..2 {
        for _ in 0..bytes.count(2)? {
            bytes.varint()?;
            bytes.uvarint()?;
        }
    }
    let mut buckets = 0;
    for _ in 0..2 {
        let here = bytes.count(if float { 8 } else { 1 })?;
        buckets += here;
        for _ in 0..here {
            if float {
                bytes.u64()?;
            } else {
                bytes.varint()?;
            }
        }
    }
    if schema == CUSTOM {
        let bounds = bytes.count(8)?;
        bytes.take(bounds * 8)?;
    }
    Some(HistogramOutline { count, sum, schema, buckets })
}

/// How many things a record holds, and from when to when. `None` when it is not what its type says.
#[must_use]
pub fn extent(record: &[u8]) -> Option<Extent> {
    let mut extent = Extent::default();
    each(record, &mut |item| {
        extent.add(match item {
            Logged::Sample(_, time, _) | Logged::Exemplar(_, time, ..) | Logged::Histogram(_, time, _) => Some(time),
            Logged::Series(..) | Logged::Tombstone(..) | Logged::Marker(..) | Logged::Metadata(..) => None,
        });
    })?;
    Some(extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_differences_to_one_base_and_must_be_consumed_to_the_last_byte() {
        let mut record = vec![2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 100];
        record.extend([0, 0]);
        record.extend(1.5f64.to_be_bytes());
        record.extend([1, 20]);
        record.extend(2.5f64.to_be_bytes());
        let mut seen = Vec::new();
        assert_eq!(each(&record, &mut |item| seen.push(item)), Some(true));
        assert_eq!(seen, [Logged::Sample(7, 100, 1.5), Logged::Sample(6, 110, 2.5)]);
        assert_eq!(extent(&record), Some(Extent { items: 2, first: Some(100), last: Some(110) }));
        for cut in 1..record.len() {
            let whole = [1, 17, 27].contains(&cut);
            assert_eq!(extent(&record[..cut]).is_some(), whole, "{cut}");
        }
        assert_eq!(each(&[99, 1, 2], &mut |_| ()), Some(false));
    }

    #[test]
    fn samples_with_start_times_count_from_the_one_before() {
        // Number 5 at 100, started at 90; number 6 at 110, started as before; number 8 at 120, started 4 later.
        let mut record = vec![11, 10, 0xC8, 1, 0xB4, 1];
        record.extend(1f64.to_be_bytes());
        record.extend([2, 20, 1]);
        record.extend(2f64.to_be_bytes());
        record.extend([4, 40, 2, 8]);
        record.extend(3f64.to_be_bytes());
        let mut seen = Vec::new();
        assert_eq!(each(&record, &mut |item| seen.push(item)), Some(true));
        assert_eq!(seen, [Logged::Sample(5, 100, 1.0), Logged::Sample(6, 110, 2.0), Logged::Sample(8, 120, 3.0)]);
    }

    #[test]
    fn a_count_that_the_bytes_cannot_hold_is_refused() {
        assert_eq!(extent(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), None);
        assert_eq!(extent(&[]), None);
    }
}
