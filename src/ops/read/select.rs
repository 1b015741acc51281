//! Which records are wanted: by number, time, kind, tag and content. All conditions must hold.

use std::cell::Cell;
use std::fmt;

use super::scan::Scan;
use crate::disk::Source;
use crate::formats::{ALL, Format, Numbers};
use crate::model::units::nanos_of;
use crate::model::{Keys, Lsn, LsnRange, Record, Result, SegmentId, Time};

/// A stretch of a log: by number, by time, or by both. All conditions must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Records with an LSN in this range.
    pub lsns: Option<LsnRange>,
    /// Records written at this moment or later.
    pub since: Option<Time>,
    /// Records written at this moment or earlier.
    pub until: Option<Time>,
}

impl Scope {
    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether a record with these LSNs and this time is meant. A condition on something that the record does not have is not met.
    #[must_use]
    #[inline]
    pub fn holds(&self, lsns: Option<LsnRange>, time: Option<Time>) -> bool {
        self.lsns.is_none_or(|wanted| lsns.is_some_and(|lsns| lsns.first <= wanted.last && wanted.first <= lsns.last))
            && self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time <= until))
    }
}

/// Conditions on a record. An empty one lets everything through.
#[derive(Default)]
pub struct Selection {
    /// Its LSN, or one of them, is in this range.
    pub lsns: Option<LsnRange>,
    /// It was written at this moment or later.
    pub since: Option<Time>,
    /// It was written at this moment or earlier.
    pub until: Option<Time>,
    /// It is of one of these kinds; none means any.
    pub kinds: Vec<String>,
    /// It has one of these tags; none means any.
    pub tags: Vec<u64>,
    /// What its content must meet.
    pub content: Option<Content>,
    /// The lowest LSN of a record that met all conditions but that on its content, which is ciphertext: whether it should have been let
    /// through is unknown. 0 where it has none.
    pub unsearched: Cell<Option<Lsn>>,
    /// Records of a wanted kind were left out because they have no LSN, and some were asked for.
    pub unnumbered: Cell<bool>,
}

/// A condition on the content of a record.
pub type Content = Box<dyn Fn(&Record<'_>) -> Result<bool>>;

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("lsns", &self.lsns)
            .field("since", &self.since)
            .field("until", &self.until)
            .field("kinds", &self.kinds)
            .field("tags", &self.tags)
            .field("content", &self.content.is_some())
            .finish()
    }
}

impl Selection {
    /// Its conditions on number and time.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { lsns: self.lsns, since: self.since, until: self.until }
    }

    /// Whether the record meets all conditions but the one on its content. A condition on something that the record does not
    /// have is not met.
    #[must_use]
    #[inline]
    pub fn head(&self, record: &Record<'_>) -> bool {
        let named =
            |kind: &String| same_word(kind, record.kind) || !record.operation.is_empty() && same_word(kind, record.operation);
        if !self.scope().holds(record.lsns(), record.time) {
            if self.lsns.is_some() && record.lsns().is_none() && self.kinds.iter().any(named) {
                self.unnumbered.set(true);
            }
            return false;
        }
        if !self.kinds.is_empty() && !self.kinds.iter().any(named) {
            return false;
        }
        self.tags.is_empty() || record.tag.is_some_and(|tag| self.tags.contains(&tag))
    }

    /// Whether the content meets its condition. Ciphertext meets none: what it says is not known.
    pub fn body(&self, record: &Record<'_>) -> Result<bool> {
        match &self.content {
            None => Ok(true),
            Some(_) if record.encrypted => {
                let lsn = record.lsn.unwrap_or(Lsn(0));
                self.unsearched.set(Some(self.unsearched.get().map_or(lsn, |first| first.min(lsn))));
                Ok(false)
            }
            Some(meets) => meets(record),
        }
    }
}

/// Whether two names of kinds mean the same: `txn-begin`, `TxnBegin` and `txn_begin` do.
#[must_use]
pub fn same_word(a: &str, b: &str) -> bool {
    let mut left = a.bytes().filter(|b| !matches!(b, b'-' | b'_'));
    let mut right = b.bytes().filter(|b| !matches!(b, b'-' | b'_'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.eq_ignore_ascii_case(&y) => {}
            _ => return false,
        }
    }
}

/// An LSN as it is asked for: itself, or counted from the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This one.
    At(Lsn),
    /// The n-th from the end; 1 is the last.
    FromEnd(u64),
}

/// LSNs as they are asked for. Both ends belong to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LsnWish {
    /// The lowest; from the start of the log when absent.
    pub first: Option<Bound>,
    /// The highest; to the end of the log when absent.
    pub last: Option<Bound>,
}

impl LsnWish {
    /// Reads `A..B`, `A..`, `..B`, `N`, and the same with numbers below zero, which count from the end: `-100..`. Also `A-B` and `A to B`,
    /// as ranges are printed.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<LsnWish, String> {
        let (first, last) = match text.split_once("..") {
            None => match dashed(text) {
                Some((first, last)) => (Some(Bound::At(first)), Some(Bound::At(last))),
                None => {
                    let one = Some(bound(text)?);
                    (one, one)
                }
            },
            Some((first, last)) => {
                // `A..=B` is what Rust people type, and means what they think.
                let last = last.strip_prefix('=').unwrap_or(last);
                let part = |text: &str| if text.is_empty() { Ok(None) } else { bound(text).map(Some) };
                (part(first)?, part(last)?)
            }
        };
        let backwards = match (first, last) {
            (Some(Bound::At(a)), Some(Bound::At(b))) => a > b,
            (Some(Bound::FromEnd(a)), Some(Bound::FromEnd(b))) => a < b,
            _ => false,
        };
        if backwards {
            return Err("the first LSN lies above the last".to_owned());
        }
        Ok(LsnWish { first, last })
    }

    /// Whether it can be told only when the end of the log is known.
    #[must_use]
    pub fn counts_from_end(&self) -> bool {
        [self.first, self.last].iter().any(|bound| matches!(bound, Some(Bound::FromEnd(_))))
    }

    /// The range in a log whose last LSN is `end`; `None` when nothing can lie in it.
    #[must_use]
    pub fn resolve(&self, end: Option<Lsn>) -> Option<LsnRange> {
        let place = |bound: Bound| match bound {
            Bound::At(lsn) => Some(lsn),
            // Counted back beyond the start is the start.
            Bound::FromEnd(count) => end.map(|end| Lsn(end.0.saturating_sub(count - 1))),
        };
        let first = self.first.map_or(Some(Lsn(0)), place)?;
        let last = self.last.map_or(Some(Lsn(u64::MAX)), place)?;
        LsnRange::new(first, last)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::At(lsn) => write!(f, "{lsn}"),
            Bound::FromEnd(count) => write!(f, "-{count}"),
        }
    }
}

impl fmt::Display for LsnWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |bound: Option<Bound>| bound.map_or_else(String::new, |bound| bound.to_string());
        write!(f, "{}..{}", part(self.first), part(self.last))
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let wrong = || {
        format!(
            "`{text}` is not an LSN: write a number, a position such as 0/D13C90 where a format has them, or a negative number to count from the end"
        )
    };
    match text.trim().strip_prefix('-') {
        None => number(text.trim()).map(Bound::At).ok_or_else(wrong),
        Some(count) => match count.parse() {
            Ok(count) if count > 0 => Ok(Bound::FromEnd(count)),
            _ => Err(wrong()),
        },
    }
}

/// A range as it is printed: `5-10`, or `0/5 to 0/10`. A dash in front counts from the end, and one inside a position is part of it.
fn dashed(text: &str) -> Option<(Lsn, Lsn)> {
    let text = text.trim();
    let (first, last) = text.split_once(" to ").or_else(|| text.split_once('-').filter(|_| number(text).is_none()))?;
    Some((number(first.trim())?, number(last.trim())?))
}

/// A number, or a position as one of the formats writes them.
fn number(text: &str) -> Option<Lsn> {
    let position = |format: &&'static Format| match format.numbers {
        Numbers::Positions { read, .. } => read(text),
        Numbers::Counted | Numbers::CountedAgain | Numbers::CountedFromZero | Numbers::None => None,
    };
    text.parse().map(Lsn).ok().or_else(|| ALL.iter().find_map(position))
}

/// Reads a moment: RFC 3339, a date, a time of today, `now`, `today`, `yesterday`, or how long ago: `10min ago`, `-90s`, `2 hours`.
///
/// A date or time without an offset stands in the zone of which `east` says how many seconds it is ahead of UTC at a moment.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_moment(text: &str, now: Time, east: &dyn Fn(Time) -> i64) -> Result<Time, String> {
    const DAY: u64 = 86_400_000_000;
    let text = text.trim();
    let shift = |time: Time, seconds: i64| Time(time.0.saturating_add_signed(seconds.saturating_mul(1_000_000)));
    // The offset of the moment that is meant, and not of another one: where clocks are set, the first guess may be an hour off.
    let from_local = |local: Time| shift(local, -east(shift(local, -east(local))));
    let today = {
        let local = shift(now, east(now));
        Time(local.0 - local.0 % DAY)
    };
    match text {
        "now" => return Ok(now),
        "today" => return Ok(from_local(today)),
        "yesterday" => return Ok(from_local(Time(today.0.saturating_sub(DAY)))),
        _ => {}
    }
    let has_date = text.len() >= 10 && text.as_bytes()[4] == b'-';
    if has_date
        && text.len() > 10
        && let Some(time) = Time::parse(text)
    {
        return Ok(time);
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00") } else { text.to_owned() };
    if has_date && let Some(local) = Time::parse(&format!("{whole}Z")) {
        return Ok(from_local(local));
    }
    // A time of today.
    if text.as_bytes().get(2) == Some(&b':')
        && let Some(local) = Time::parse(&format!("1970-01-01T{text}Z"))
    {
        return Ok(from_local(Time(today.0 + local.0)));
    }
    let ago = text.strip_prefix('-').or_else(|| text.strip_suffix("ago")).unwrap_or(text).trim();
    let wrong = || {
        format!(
            "`{text}` is no time: write 2026-01-02T03:04:05Z, 2026-01-02, 03:04, today, yesterday, or how long ago, such as `10min ago`"
        )
    };
    let unit_at = ago.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = (&ago[..unit_at], ago[unit_at..].trim());
    let nanos = nanos_of(unit).ok_or_else(wrong)?;
    let count: f64 = number.parse().map_err(|_| wrong())?;
    // A conversion that does not fit stops at the largest number, which is before the epoch and so becomes it.
    Ok(Time(now.0.saturating_sub((count * nanos as f64 / 1000.0) as u64)))
}

impl<'a> Scan<'a> {
    /// Of the records that are selected, with their payloads, in a log that is not being written.
    #[must_use]
    pub const fn of(source: &'a Source, format: &'static Format, keys: &'a Keys, selection: &'a Selection) -> Scan<'a> {
        Scan { source, format, keys, selection, payloads: true, frames: false, neighbours: false, growing: false, live: false }
    }
}

/// Whether a scan has come past the last number that is wanted.
#[derive(Debug, Default)]
pub(super) struct Ascent {
    /// Where LSNs ascend: nothing after this one is wanted.
    last_wanted: Option<Lsn>,
    last_seen: Option<Lsn>,
    /// The segment of the last record, and whether numbers have jumped in it.
    run: (Option<SegmentId>, bool),
}

impl Ascent {
    pub(super) fn up_to(last_wanted: Option<Lsn>) -> Ascent {
        Ascent { last_wanted, ..Ascent::default() }
    }

    /// Whether there is a last number that is wanted.
    pub(super) fn is_bound(&self) -> bool {
        self.last_wanted.is_some_and(|last| last < Lsn(u64::MAX))
    }

    /// Records that jump ahead inside a segment may be copies in a wrong place: what is wanted can still follow them, in it or in the next
    /// one, whose name says where it belongs.
    pub(super) fn is_past(&mut self, record: &Record<'_>) -> bool {
        let follows = record.lsn.is_some() && record.lsn == self.last_seen.map(Lsn::next);
        let here = Some(record.span.place.segment);
        let jumped = self.run.0 == here && (self.run.1 || !follows && record.lsn.is_some());
        self.run = (here, jumped);
        self.last_seen = record.lsns().map(|lsns| lsns.last).or(self.last_seen);
        follows && !jumped && self.last_wanted.is_some_and(|last| record.lsn > Some(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Payload, SegmentId, Span};

    fn record(lsn: u64, last: u64) -> Record<'static> {
        Record {
            lsn: Some(Lsn(lsn)),
            last_lsn: Some(Lsn(last)),
            kind: "txn-begin",
            time: Some(Time(1000)),
            tag: Some(7),
            payload: Payload::Whole(b"alpha"),
            ..Record::at(Span::new(SegmentId(0), 0, 8))
        }
    }

    #[test]
    fn lsn_ranges_are_read_in_every_shape() {
        use Bound::{At, FromEnd};
        let table = [
            ("5", Some(At(Lsn(5))), Some(At(Lsn(5)))),
            ("5..9", Some(At(Lsn(5))), Some(At(Lsn(9)))),
            ("5..=9", Some(At(Lsn(5))), Some(At(Lsn(9)))),
            ("5-9", Some(At(Lsn(5))), Some(At(Lsn(9)))),
            ("0/5 to 0/9", Some(At(Lsn(5))), Some(At(Lsn(9)))),
            ("5..", Some(At(Lsn(5))), None),
            ("..9", None, Some(At(Lsn(9)))),
            ("-100..", Some(FromEnd(100)), None),
            ("-100..-50", Some(FromEnd(100)), Some(FromEnd(50))),
            ("-1", Some(FromEnd(1)), Some(FromEnd(1))),
            ("..", None, None),
        ];
        for (text, first, last) in table {
            let wish = LsnWish { first, last };
            assert_eq!(LsnWish::parse(text), Ok(wish), "{text}");
            assert_eq!(LsnWish::parse(&wish.to_string()), Ok(wish), "{text} is typed again as {wish}");
        }
        for wrong in ["", "x", "9..5", "-5..-9", "-0", "1...3", "--1", "9-5", "1-2-3", "-5-9", "1,2", "18446744073709551616"] {
            assert!(LsnWish::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_from_the_end_depend_on_where_it_is() {
        let resolve = |text: &str, end: Option<u64>| {
            LsnWish::parse(text).expect("it was read above").resolve(end.map(Lsn)).map(|r| (r.first.0, r.last.0))
        };
        assert_eq!(resolve("-100..", Some(250)), Some((151, u64::MAX)));
        assert_eq!(resolve("-100..", Some(20)), Some((0, u64::MAX)));
        assert_eq!(resolve("-1", Some(20)), Some((20, 20)));
        assert_eq!(resolve("-1", None), None);
        assert_eq!(resolve("10..-5", Some(20)), Some((10, 16)));
        assert_eq!(resolve("19..-5", Some(20)), None);
        assert_eq!(resolve("..", None), Some((0, u64::MAX)));
    }

    #[test]
    fn a_record_must_meet_every_condition() {
        let met = |change: &dyn Fn(&mut Selection)| {
            let mut selection = Selection {
                lsns: LsnRange::new(Lsn(5), Lsn(9)),
                since: Some(Time(1000)),
                until: Some(Time(1000)),
                kinds: vec!["TxnBegin".into(), "full".into()],
                tags: vec![1, 7],
                ..Selection::default()
            };
            change(&mut selection);
            selection.head(&record(9, 12))
        };
        assert!(met(&|_| {}));
        assert!(!met(&|s| s.lsns = LsnRange::new(Lsn(13), Lsn(20))));
        assert!(!met(&|s| s.since = Some(Time(1001))));
        assert!(!met(&|s| s.until = Some(Time(999))));
        assert!(!met(&|s| s.kinds = vec!["txn".into()]));
        assert!(!met(&|s| s.tags = vec![1]));
    }

    #[test]
    fn what_a_record_does_not_have_meets_no_condition() {
        let bare = Record { lsn: None, last_lsn: None, time: None, tag: None, ..record(1, 1) };
        assert!(Selection::default().head(&bare));
        assert!(!Selection { lsns: LsnRange::new(Lsn(0), Lsn(u64::MAX)), ..Selection::default() }.head(&bare));
        assert!(!Selection { since: Some(Time(0)), ..Selection::default() }.head(&bare));
        assert!(!Selection { until: Some(Time(u64::MAX)), ..Selection::default() }.head(&bare));
        assert!(!Selection { tags: vec![0], ..Selection::default() }.head(&bare));
        let anything = Selection { content: Some(Box::new(|_| Ok(true))), ..Selection::default() };
        assert_eq!(anything.body(&record(1, 1)).ok(), Some(true));
        assert_eq!(anything.unsearched.get(), None);
        assert_eq!(anything.body(&Record { encrypted: true, ..record(1, 1) }).ok(), Some(false));
        assert_eq!(anything.unsearched.get(), Some(Lsn(1)), "it is not told that nothing is known of it");
    }

    #[test]
    fn moments_are_dates_or_how_long_ago() {
        let now = Time::parse("2026-01-02T03:04:05Z").expect("a good time");
        let utc = |_: Time| 0;
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01 07:08", "2026-01-01T07:08:00Z"),
            ("2026-01-01T07:08:09.5+01:00", "2026-01-01T06:08:09.5Z"),
            ("02:30", "2026-01-02T02:30:00Z"),
            ("02:30:15.25", "2026-01-02T02:30:15.25Z"),
            ("today", "2026-01-02T00:00:00Z"),
            ("yesterday", "2026-01-01T00:00:00Z"),
            ("10min ago", "2026-01-02T02:54:05Z"),
            ("-10min", "2026-01-02T02:54:05Z"),
            ("10 min", "2026-01-02T02:54:05Z"),
            ("1.5 hours ago", "2026-01-02T01:34:05Z"),
            ("90s ago", "2026-01-02T03:02:35Z"),
            ("2d", "2025-12-31T03:04:05Z"),
            ("now", "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(parse_moment(text, now, &utc), Ok(Time::parse(expected).expect("a good time")), "{text}");
        }
        assert_eq!(parse_moment("99999999999999 weeks ago", now, &utc), Ok(Time(0)));
        for wrong in [
            "",
            "10",
            "min ago",
            "10 parsecs",
            "1.2.3s",
            "tomorrow",
            "-",
            "--5min",
            "-5min ago",
            "ago",
            "é",
            "25:00",
            "2026-13-01",
            "ééééé",
        ] {
            assert!(parse_moment(wrong, now, &utc).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_without_an_offset_stands_in_the_given_zone_as_it_is_then() {
        let time = |text: &str| Time::parse(text).expect("a good time");
        // One hour ahead, and two from the last Sunday of March 2026 on.
        let summer = time("2026-03-29T01:00:00Z");
        let east = |at: Time| if at < summer { 3600 } else { 7200 };
        let now = time("2026-03-29T22:30:00Z");
        for (text, expected) in [
            ("2026-03-28 12:00", "2026-03-28T11:00:00Z"),
            ("2026-03-29 01:59", "2026-03-29T00:59:00Z"),
            ("2026-03-29 03:00", "2026-03-29T01:00:00Z"),
            ("2026-03-29T12:00:00Z", "2026-03-29T12:00:00Z"),
            // It is half past midnight of the 30th there.
            ("today", "2026-03-29T22:00:00Z"),
            ("yesterday", "2026-03-28T23:00:00Z"),
            ("00:15", "2026-03-29T22:15:00Z"),
            ("-1h", "2026-03-29T21:30:00Z"),
        ] {
            assert_eq!(parse_moment(text, now, &east), Ok(time(expected)), "{text}");
        }
    }

    #[test]
    fn words_are_the_same_without_their_case_and_their_strokes_and_no_word_is_the_beginning_of_another() {
        for (a, b, same) in [
            ("txn-begin", "TxnBegin", true),
            ("txn_begin", "txn-begin", true),
            ("full", "ful", false),
            ("ful", "full", false),
            ("full", "fuel", false),
            ("full", "null", false),
            ("", "-", true),
        ] {
            assert_eq!(same_word(a, b), same, "{a} {b}");
        }
    }
}
