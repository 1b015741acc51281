//! What moves in a list: the line that one stands on, and the part that is shown.

use std::collections::VecDeque;

use walctl::ops::read::Spot;

use super::conditions::Conditions;
use super::talk::{Ask, RecordRow};

/// A list all of whose lines are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// The line that one stands on.
    pub cursor: usize,
    /// The first line that is shown.
    pub top: usize,
}

impl Roll {
    /// Goes some lines on or back, no further than the list goes.
    pub fn go(&mut self, by: i64, length: usize) {
        let last = i64::try_from(length.saturating_sub(1)).unwrap_or(i64::MAX);
        let at = i64::try_from(self.cursor).unwrap_or(i64::MAX).saturating_add(by).clamp(0, last);
        self.cursor = usize::try_from(at).unwrap_or(0);
    }

    /// Shows a part in which the line stands that one stands on.
    pub fn fit(&mut self, height: usize, length: usize) {
        self.cursor = self.cursor.min(length.saturating_sub(1));
        self.top = fitted(self.top, self.cursor, height, length);
    }
}

/// The first line of a part of this height that holds the cursor, and no more of the end than there is.
fn fitted(top: usize, cursor: usize, height: usize, length: usize) -> usize {
    let height = height.max(1);
    let lowest = (cursor + 1).saturating_sub(height);
    top.min(length.saturating_sub(height)).clamp(lowest, cursor)
}

/// How many rows are kept at most. Those furthest from the cursor go first; they can be read again.
pub const MOST_ROWS: usize = 4000;

/// Records: a part of the log is there, and more comes when it is needed.
#[derive(Debug, Default)]
pub struct RecordsPane {
    /// Those that are there, without a gap.
    pub rows: VecDeque<RecordRow>,
    /// Where one stands.
    pub roll: Roll,
    /// Nothing stands before them.
    pub start: bool,
    /// Nothing stands behind them.
    pub end: bool,
    /// Steps that wait for rows.
    owed: i64,
    /// They were asked for.
    pub asked: bool,
    /// More could not be had: nothing is asked for until the next key.
    pub stuck: bool,
    /// New ones are shown as they come.
    pub follow: bool,
    /// Columns that are left out on the left.
    pub left: usize,
    /// Only these are shown.
    pub conditions: Option<Conditions>,
}

impl RecordsPane {
    /// The record that one stands on.
    pub fn here(&self) -> Option<&RecordRow> {
        self.rows.get(self.roll.cursor)
    }

    /// The spot that one stands on.
    pub fn spot(&self) -> Option<Spot> {
        self.here().map(|row| row.spot.clone())
    }

    /// Goes some rows on or back. Steps over the edge of what is there wait until more has come.
    pub fn go(&mut self, by: i64) {
        let length = self.rows.len();
        let to = i64::try_from(self.roll.cursor).unwrap_or(i64::MAX).saturating_add(by).saturating_add(self.owed);
        self.owed = 0;
        let last = i64::try_from(length).unwrap_or(i64::MAX).saturating_sub(1).max(0);
        self.roll.cursor = usize::try_from(to.clamp(0, last)).unwrap_or(0);
        if to < 0 && !self.start {
            self.owed = to;
        } else if to > last && !self.end {
            self.owed = to - last;
        }
        // Held keys must not be worked off for minutes.
        self.owed = self.owed.clamp(-1000, 1000);
    }

    /// What to ask for so that the cursor can go on, if anything: before it comes to the edge.
    pub fn wanted(&self, height: usize) -> Option<Ask> {
        if self.stuck {
            return None;
        }
        let near = height.max(8);
        let (first, last) = (self.rows.front()?, self.rows.back()?);
        if !self.start && (self.owed < 0 || self.owed == 0 && self.roll.cursor < near) {
            return Some(Ask::Before(first.spot.clone()));
        }
        if !self.end && (self.owed > 0 || self.rows.len() - self.roll.cursor <= near) {
            return Some(Ask::Behind(last.spot.clone()));
        }
        None
    }

    /// Whether one waits for rows that are not there.
    #[cfg(test)]
    pub fn waits(&self) -> bool {
        self.owed != 0
    }

    /// Steps that wait are not taken: nothing came.
    pub fn stay(&mut self) {
        self.owed = 0;
        self.stuck = true;
    }

    /// Other rows in place of these.
    pub fn replace(&mut self, rows: Vec<RecordRow>, at: usize, start: bool, end: bool, height: usize) {
        self.rows = rows.into();
        (self.start, self.end, self.owed, self.asked) = (start, end, 0, true);
        self.roll.cursor = at.min(self.rows.len().saturating_sub(1));
        // In the middle, where there is something before it.
        self.roll.top = self.roll.cursor.saturating_sub(height / 2);
        self.roll.fit(height, self.rows.len());
    }

    /// Rows behind those that are there.
    pub fn behind(&mut self, rows: Vec<RecordRow>, end: bool) {
        self.rows.extend(rows);
        self.end = end;
        let over = self.rows.len().saturating_sub(MOST_ROWS).min(self.roll.cursor);
        self.drop_front(over);
        self.go(0);
    }

    /// Rows before those that are there.
    pub fn before(&mut self, rows: Vec<RecordRow>, start: bool) {
        let came = rows.len();
        rows.into_iter().rev().for_each(|row| self.rows.push_front(row));
        self.start = start;
        self.roll.cursor += came;
        self.roll.top += came;
        self.go(0);
        if self.rows.len() > MOST_ROWS && self.roll.cursor < MOST_ROWS {
            self.rows.truncate(MOST_ROWS);
            self.end = false;
        }
    }

    /// New rows at the end, while the log is followed. One stands on the last.
    pub fn grown(&mut self, rows: Vec<RecordRow>, skipped: bool) {
        if skipped {
            self.rows.clear();
            self.start = false;
        }
        self.rows.extend(rows);
        let over = self.rows.len().saturating_sub(MOST_ROWS);
        self.drop_front(over);
        self.end = true;
        self.owed = 0;
        self.roll.cursor = self.rows.len().saturating_sub(1);
    }

    fn drop_front(&mut self, over: usize) {
        if over > 0 {
            self.rows.drain(..over);
            self.roll.cursor = self.roll.cursor.saturating_sub(over);
            self.roll.top = self.roll.top.saturating_sub(over);
            self.start = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(range: std::ops::Range<u64>) -> Vec<RecordRow> {
        let row = |at: u64| {
            let spot = Spot { record: true, ..Spot::at("1.wal", at) };
            RecordRow { spot, lsn: at.to_string(), time: None, kind: "full".into(), tag: None, bytes: 5, text: String::new() }
        };
        range.map(row).collect()
    }

    #[test]
    fn a_list_ends_at_its_ends_and_shows_the_line_that_one_stands_on() {
        let mut roll = Roll::default();
        for (by, at) in [(-5, 0), (3, 3), (i64::MAX, 9), (i64::MIN, 0), (9, 9)] {
            roll.go(by, 10);
            assert_eq!(roll.cursor, at, "{by}");
            for height in 0..15 {
                roll.fit(height, 10);
                assert!(roll.top <= roll.cursor && roll.cursor < roll.top + height.max(1), "{roll:?} {height}");
            }
        }
        roll.go(5, 0);
        roll.fit(3, 0);
        assert_eq!(roll, Roll::default());
    }

    #[test]
    fn steps_over_the_edge_wait_for_rows_and_are_gone_then() {
        let mut pane = RecordsPane::default();
        pane.replace(rows(100..110), 5, false, false, 4);
        pane.go(20);
        assert!(pane.waits() && pane.roll.cursor == 9);
        assert!(matches!(pane.wanted(4), Some(Ask::Behind(spot)) if spot.offset == 109));
        pane.behind(rows(110..120), false);
        assert!(pane.waits() && pane.roll.cursor == 19);
        pane.behind(rows(120..130), false);
        assert_eq!((pane.waits(), pane.roll.cursor), (false, 25));
        pane.go(-30);
        assert!(matches!(pane.wanted(4), Some(Ask::Before(spot)) if spot.offset == 100));
        pane.before(rows(90..100), true);
        assert_eq!((pane.waits(), pane.here().map(|row| row.spot.offset)), (false, Some(95)));
        pane.go(-30);
        assert_eq!((pane.waits(), pane.roll.cursor, pane.wanted(0).is_some()), (false, 0, false));
    }

    #[test]
    fn what_is_kept_stays_bounded_in_either_direction_and_one_stands_where_one_stood() {
        let mut pane = RecordsPane::default();
        pane.replace(rows(100_000..100_100), 0, false, false, 20);
        for step in 0..100 {
            pane.go(1000);
            pane.behind(rows(100_100 + step * 100..100_200 + step * 100), false);
            assert!(pane.rows.len() <= MOST_ROWS);
        }
        assert!(!pane.start && pane.rows.iter().zip(pane.rows.iter().skip(1)).all(|(a, b)| a.spot.offset + 1 == b.spot.offset));
        pane.go(-1);
        let mut first = pane.rows[0].spot.offset;
        for _ in 0..100 {
            pane.go(-2000);
            pane.before(rows(first - 100..first), false);
            first -= 100;
            assert!(pane.rows.len() <= MOST_ROWS && pane.rows[0].spot.offset == first);
        }
        assert!(!pane.end && pane.rows.iter().zip(pane.rows.iter().skip(1)).all(|(a, b)| a.spot.offset + 1 == b.spot.offset));
        for at in 0..100 {
            pane.grown(rows(at * 100..at * 100 + 100), at == 0);
            assert!(pane.rows.len() <= MOST_ROWS && pane.roll.cursor + 1 == pane.rows.len());
        }
    }
}
