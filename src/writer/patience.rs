//! How long a leader waits for company, decided from numbers alone: the clock, the lock and the sleeping belong to the leader.

use std::time::{Duration, Instant};

/// A timer comes some 50 us late: a leader asks to be woken earlier by this much.
const TIMER_LATE: Duration = Duration::from_micros(60);
/// What is shorter than this is not slept through.
const SHORTEST_NAP: Duration = Duration::from_micros(100);
/// A pause longer than this is not what writing and syncing usually take.
const LONGEST_PACE: u64 = 1_000_000_000;

/// What a write and a sync take on the average, after one more that took this long; in nanoseconds.
pub(super) fn new_pace(pace: u64, took: Duration) -> u64 {
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_PACE);
    pace - pace / 8 + took / 8
}

/// How long a leader whose window ends in `left` sleeps before it looks again. `None`: it gives way to others and looks at once.
pub(super) fn nap(left: Duration) -> Option<Duration> {
    (left > SHORTEST_NAP).then(|| left - TIMER_LATE)
}

/// A leader that waits for the callers that were served last.
#[derive(Debug)]
pub(super) struct Patience {
    crowd: usize,
    /// Callers that were here at the last look.
    had: usize,
    led: Instant,
    /// When a caller came or went last.
    last: Instant,
    /// Without a caller for this long, none is expected.
    gap: Duration,
    /// It waits no longer than this altogether.
    most: Duration,
}

impl Patience {
    /// For a leader that leads since `led` and has `had` of `crowd` callers, where a write and a sync take `pace` nanoseconds.
    pub fn new(crowd: usize, had: usize, led: Instant, pace: u64) -> Patience {
        let pace = Duration::from_nanos(pace);
        let gap = (pace / 4).clamp(Duration::from_micros(5), Duration::from_micros(250));
        let most = (pace * 3 / 2).clamp(Duration::from_micros(20), Duration::from_millis(2));
        Patience { crowd, had, led, last: led, gap, most }
    }

    /// Until the callers that were served last are back, or no caller came for a while, or it takes too long altogether.
    #[inline]
    pub fn ends(&mut self, here: usize, now: Instant) -> bool {
        if here != self.had {
            (self.last, self.had) = (now, here);
        }
        here >= self.crowd || now - self.led > self.most || now - self.last > self.gap
    }
}

/// The thread that served tasks expects them back at once, as long as they came back before.
#[derive(Debug, Default)]
pub(super) struct Hope {
    /// So many times in a row nobody came.
    vain: u32,
    /// So many groups are served before it hopes again.
    resigned: u32,
}

impl Hope {
    /// So long it looks for them.
    pub const LENGTH: Duration = Duration::from_micros(20);

    /// Whether it looks this time.
    pub fn is_left(&mut self) -> bool {
        self.resigned = self.resigned.saturating_sub(1);
        self.resigned == 0
    }

    /// Each time that was in vain, it waits twice as long before it hopes again.
    pub fn was_right(&mut self, came: bool) {
        self.vain = if came { 0 } else { (self.vain + 1).min(8) };
        self.resigned = if came { 0 } else { 1 << self.vain };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hope_in_vain_comes_back_ever_later_and_one_that_is_fulfilled_stays() {
        let (mut hope, mut looked) = (Hope::default(), Vec::new());
        for group in 0..600 {
            if hope.is_left() {
                looked.push(group);
                hope.was_right(false);
            }
        }
        assert_eq!(looked, [0, 2, 6, 14, 30, 62, 126, 254, 510]);
        hope.was_right(true);
        assert!((0..100).all(|_| hope.is_left()));
    }

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn the_pace_goes_an_eighth_of_the_way_to_what_was_measured_and_one_long_pause_counts_as_a_second() {
        for (pace, took, expected) in [
            (80_000, us(80), 80_000),
            (80_000, us(0), 70_000),
            (80_000, us(160), 90_000),
            (0, us(8), 1_000),
            (8_000, Duration::from_secs(1), 125_007_000),
            (8_000, Duration::from_secs(2), 125_007_000),
            (8_000, Duration::MAX, 125_007_000),
        ] {
            assert_eq!(new_pace(pace, took), expected, "{pace} and {took:?}");
        }
    }

    #[test]
    fn a_leader_sleeps_to_just_before_the_end_of_its_window_and_not_through_moments() {
        for (left, expected) in [(us(0), None), (us(100), None), (us(101), Some(us(41))), (us(5_000), Some(us(4_940)))] {
            assert_eq!(nap(left), expected, "{left:?}");
        }
    }

    /// When a leader that began at 0 stops waiting: how many callers were seen, and at which microseconds.
    fn last_look(crowd: usize, had: usize, pace: Duration, looks: &[(u64, usize)]) -> Option<u64> {
        let led = Instant::now();
        let mut patience = Patience::new(crowd, had, led, u64::try_from(pace.as_nanos()).expect("short"));
        looks.iter().find(|(at, here)| patience.ends(*here, led + us(*at))).map(|look| look.0)
    }

    #[test]
    fn a_leader_waits_until_its_crowd_is_back() {
        for (crowd, looks, expected) in [
            (3, vec![(1, 1), (2, 2), (3, 3), (4, 3)], Some(3)),
            (3, vec![(1, 1), (2, 4)], Some(2)),
            (4, vec![(1, 1), (2, 2), (3, 3), (4, 3)], None),
        ] {
            assert_eq!(last_look(crowd, 1, us(100), &looks), expected, "{crowd}: {looks:?}");
        }
    }

    #[test]
    fn a_leader_expects_nobody_after_a_quarter_of_the_pace_without_a_caller() {
        // The pace, and the longest pause for which it waits.
        for (pace, gap) in [(100, 25), (200, 50), (1, 5), (19, 5), (24, 6), (1_000, 250), (9_000, 250)] {
            assert_eq!(last_look(9, 1, us(pace), &[(gap.min(20), 1), (gap, 1)]), None, "{pace}");
            assert_eq!(last_look(9, 1, us(pace), &[(gap + 1, 1)]), Some(gap + 1), "{pace}");
        }
        // Each one that comes, or is taken away by a failure, begins the pause anew.
        assert_eq!(last_look(9, 1, us(100), &[(20, 2), (45, 2), (46, 2)]), Some(46));
        assert_eq!(last_look(9, 3, us(100), &[(20, 0), (45, 0), (46, 0)]), Some(46));
    }

    #[test]
    fn a_leader_waits_one_and_a_half_times_the_pace_however_many_come() {
        for (pace, most) in [(100, 150), (200, 300), (1, 20), (14, 21), (1_000, 1_500), (2_000, 2_000), (9_000, 2_000)] {
            // A caller each microsecond.
            let looks: Vec<(u64, usize)> = (1..=most + 1).map(|at| (at, usize::try_from(at).expect("small") + 1)).collect();
            assert_eq!(last_look(usize::MAX, 1, us(pace), &looks), Some(most + 1), "{pace}");
        }
    }
}
