//! What to set: a pure function from figures to a recommendation with its evidence.
//!
//! A setting beats the default only when the medians say so and no repeat says otherwise; so a noisy disk gets no advice that the
//! next run would take back.

use super::figures::{Figures, Spread};
use super::plan::{Cell, Measured};
use super::probe::{Probe, Room, Way};

/// What to set and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// One sentence.
    pub headline: String,
    /// The flags to paste behind `walctl append DIR`; empty when the defaults are best.
    pub flags: String,
    /// The evidence, one sentence each.
    pub reasons: Vec<String>,
}

/// A gain below this is not worth a flag.
const WORTH: f64 = 1.10;
/// A loss beyond this at another load must be told.
const HARM: f64 = 0.95;

/// What the figures recommend.
#[must_use]
pub fn advise(measured: &[Measured], probe: &Probe) -> Advice {
    let mut advice = Advice::default();
    let promising: Vec<&Measured> = measured.iter().filter(|m| m.cell.sync.promises()).collect();
    let Some(base) = baseline(&promising) else {
        advice.headline = "nothing durable was measured: there is nothing to advise".into();
        return advice;
    };
    let mut others: Vec<String> = promising.iter().map(|m| m.cell.flags()).filter(|flags| *flags != base).collect();
    others.sort();
    others.dedup();
    let best = others.iter().filter_map(|flags| rival(&promising, &base, flags)).max_by(|a, b| a.gain.total_cmp(&b.gain));
    let named =
        if promising.iter().any(|m| m.cell.is_default() && m.cell.flags() == base) { "the defaults" } else { base.as_str() };
    match best {
        Some(rival) => {
            advice.headline = format!(
                "use `{}`: {:.2} x the appends of {named} at {}, p99 {} instead of {}",
                rival.flags,
                rival.gain,
                appenders(&rival.cell),
                span(rival.p99),
                span(rival.base_p99)
            );
            advice.flags.clone_from(&rival.flags);
            for (cell, ratio) in &rival.harms {
                advice.reasons.push(format!("at {} it is {ratio:.2} x: stay with {named} there", appenders(cell)));
            }
        }
        None if others.is_empty() => {
            advice.headline = "only one setting was measured: nothing to compare".into();
        }
        None => {
            advice.headline = format!("nothing beats {named}: set nothing");
            if named != "the defaults" {
                advice.headline = format!("nothing that was measured beats `{named}`");
                advice.flags.clone_from(&base);
            }
            let closest =
                others.iter().filter_map(|flags| comparison(&promising, &base, flags)).max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some(closest) = closest {
                let why = match closest.1 {
                    ratio if ratio < WORTH => "too little to set anything for",
                    _ => "but repeats disagree, or its p99 is worse: no reason to set anything",
                };
                let (cell, ratio) = closest;
                advice.reasons.push(format!("closest: `{}` with {ratio:.2} x at {}, {why}", cell.flags(), appenders(&cell)));
            }
        }
    }
    advice.reasons.extend(cohorts(&promising));
    advice.reasons.extend(room(probe));
    advice
}

/// The settings that others must beat: the defaults when they were measured, else the first.
fn baseline(measured: &[&Measured]) -> Option<String> {
    measured.iter().find(|m| m.cell.is_default()).or(measured.first()).map(|m| m.cell.flags())
}

struct Rival {
    flags: String,
    cell: Cell,
    gain: f64,
    p99: f64,
    base_p99: f64,
    harms: Vec<(Cell, f64)>,
}

fn pairs<'a>(measured: &[&'a Measured], base: &str, flags: &str) -> Vec<(&'a Measured, &'a Measured)> {
    let find = |load: &str| measured.iter().find(|m| m.cell.flags() == base && m.cell.load() == load);
    let mine = measured.iter().filter(|m| m.cell.flags() == flags);
    mine.filter_map(|m| Some((*m, *find(&m.cell.load())?))).collect()
}

/// The load at which these settings do best against the base, and how well.
fn comparison(measured: &[&Measured], base: &str, flags: &str) -> Option<(Cell, f64)> {
    pairs(measured, base, flags)
        .into_iter()
        .map(|(m, b)| (m.cell.clone(), m.figures.rate.median / b.figures.rate.median.max(1e-9)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// These settings, if they beat the base somewhere beyond doubt and are not bought with worse tails there.
fn rival(measured: &[&Measured], base: &str, flags: &str) -> Option<Rival> {
    let p99 = |figures: &Figures| figures.percentile("p99").map_or(0.0, |s| s.median);
    let mut best: Option<Rival> = None;
    let mut harms = Vec::new();
    for (mine, other) in pairs(measured, base, flags) {
        let gain = mine.figures.rate.median / other.figures.rate.median.max(1e-9);
        if gain < HARM && other.figures.rate.is_above(&mine.figures.rate) {
            harms.push((mine.cell.clone(), gain));
        }
        let sure = mine.figures.rate.is_above(&other.figures.rate) && mine.figures.repeats > 1 && other.figures.repeats > 1;
        let tails = p99(&mine.figures) <= p99(&other.figures) * 1.25;
        if gain >= WORTH && sure && tails && best.as_ref().is_none_or(|b| gain > b.gain) {
            best = Some(Rival {
                flags: flags.to_owned(),
                cell: mine.cell.clone(),
                gain,
                p99: p99(&mine.figures),
                base_p99: p99(&other.figures),
                harms: Vec::new(),
            });
        }
    }
    best.map(|best| Rival { harms, ..best })
}

/// Whether appenders have split into two cohorts that take turns: groups hold about half of them, and hardly one holds all.
#[must_use]
pub fn is_split(appenders: usize, amortization: f64, groups: &[u64]) -> bool {
    let share = amortization / appenders as f64;
    let all: u64 = groups.iter().sum();
    let near_all: u64 = groups.iter().skip((appenders * 4).div_ceil(5)).sum();
    appenders >= 4 && (0.35..=0.65).contains(&share) && all > 0 && near_all * 5 < all
}

fn cohorts(measured: &[&Measured]) -> Option<String> {
    let plain = |m: &&&Measured| m.cell.inflight <= 1 && m.cell.rate.is_none();
    let split =
        measured.iter().filter(plain).filter(|m| is_split(m.cell.appenders, m.figures.amortization.median, &m.figures.groups));
    let m = split.max_by_key(|m| m.cell.appenders)?;
    let mut words = format!(
        "with `--window {}`, {} appenders split into two cohorts that take turns: {:.1} appends a sync, about half of them",
        m.cell.window, m.cell.appenders, m.figures.amortization.median
    );
    let merges = |o: &&&Measured| {
        plain(o) && o.cell.load() == m.cell.load() && o.figures.amortization.median >= m.cell.appenders as f64 * 0.75
    };
    // What needs no flag is named before what needs one.
    if let Some(whole) = measured.iter().filter(merges).min_by_key(|o| !o.cell.is_default()) {
        words.push_str(&format!("; `--window {}` merges them: {:.1}", whole.cell.window, whole.figures.amortization.median));
    }
    Some(words)
}

/// What written room is worth on this disk.
fn room(probe: &Probe) -> Option<String> {
    let of = |room| probe.cost(room, Way::Fdatasync, 4096).map(|c| c.median);
    let (extend, zero) = (of(Room::Extend)?, of(Room::Zero)?);
    let times = |a: &Spread, b: &Spread| a.median / b.median.max(1.0);
    if extend.is_above(&zero) && times(&extend, &zero) >= WORTH {
        return Some(format!(
            "`--preallocate zero` (the default) is right here: a sync takes {} in written blocks and {} at the end of a growing file",
            span(zero.median),
            span(extend.median)
        ));
    }
    zero.is_above(&extend).then(|| {
        format!(
            "growing files sync no slower here ({} against {}): try `--preallocate none`",
            span(extend.median),
            span(zero.median)
        )
    })
}

fn appenders(cell: &Cell) -> String {
    if cell.appenders == 1 { "1 appender".into() } else { format!("{} appenders", cell.appenders) }
}

/// Nanoseconds for people.
fn span(nanos: f64) -> String {
    match nanos {
        n if n < 1e6 => format!("{:.0} us", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ops::bench::figures::Run;
    use crate::ops::bench::payloads::Payloads;
    use crate::writer::{Preallocate, SyncMode, Window};

    fn measured(
        appenders: usize,
        window: Window,
        rates: &[u64],
        p99_us: u64,
        per_sync: u64,
        groups: &[(usize, u64)],
    ) -> Measured {
        let cell = Cell {
            appenders,
            payloads: Payloads::fixed(128),
            sync: SyncMode::Fdatasync,
            window,
            preallocate: Preallocate::Zero,
            direct: false,
            buffered: false,
            inflight: 1,
            rate: None,
        };
        let runs: Vec<Run> = rates
            .iter()
            .map(|rate| {
                let mut run = Run { seconds: 1.0, acked: *rate, records: *rate, syncs: rate / per_sync, ..Run::default() };
                run.groups = vec![0; 100];
                groups.iter().for_each(|(size, count)| run.groups[*size] = *count);
                run.latency.add(Duration::from_micros(p99_us), [Duration::ZERO; 5]);
                run
            })
            .collect();
        Measured { cell, figures: Figures::of(&runs).expect("there are runs") }
    }

    fn fixed(us: u64) -> Window {
        Window::Fixed(Duration::from_micros(us))
    }

    #[test]
    fn the_advice_follows_the_figures() {
        let auto = |rates: &[u64]| measured(64, Window::Auto, rates, 900, 60, &[(60, 10)]);
        let other = |rates: &[u64], p99| measured(64, fixed(50), rates, p99, 60, &[(60, 10)]);
        let table: [(&str, Vec<Measured>, &str); 6] = [
            (
                "a clear gain",
                vec![auto(&[100, 101, 102]), other(&[126, 127, 128], 800)],
                "--sync fdatasync --window 50us --preallocate zero",
            ),
            ("a small gain", vec![auto(&[100, 101, 102]), other(&[106, 107, 108], 800)], ""),
            ("repeats that disagree", vec![auto(&[100, 101, 130]), other(&[126, 127, 128], 800)], ""),
            ("bought with tails", vec![auto(&[100, 101, 102]), other(&[126, 127, 128], 5000)], ""),
            ("one repeat", vec![auto(&[100]), other(&[150], 800)], ""),
            ("alone", vec![auto(&[100, 101])], ""),
        ];
        for (what, cells, flags) in table {
            let advice = advise(&cells, &Probe::default());
            assert_eq!(advice.flags, flags, "{what}: {advice:?}");
            assert_eq!(advice.headline.starts_with("nothing beats the defaults"), flags.is_empty() && cells.len() > 1, "{what}");
        }
        assert!(advise(&[], &Probe::default()).headline.contains("nothing durable"));
    }

    #[test]
    fn a_gain_that_harms_elsewhere_says_where() {
        let cells = [
            measured(1, Window::Auto, &[100, 101], 100, 1, &[(1, 9)]),
            measured(1, fixed(50), &[60, 61], 100, 1, &[(1, 9)]),
            measured(64, Window::Auto, &[1000, 1010], 900, 32, &[(32, 9)]),
            measured(64, fixed(50), &[1300, 1310], 900, 62, &[(62, 9)]),
        ];
        let advice = advise(&cells, &Probe::default());
        assert!(advice.headline.contains("1.30 x") && advice.headline.contains("64 appenders"), "{advice:?}");
        assert!(advice.reasons.iter().any(|r| r.contains("at 1 appender it is 0.60 x")), "{advice:?}");
        // 1300 appends in 20 syncs and 1310 in 21: 65.0 and 62.4, between them 63.7.
        assert!(advice.reasons.iter().any(|r| r.contains("two cohorts") && r.contains("merges them: 63.7")), "{advice:?}");
    }

    #[test]
    fn modes_that_promise_nothing_are_never_advised() {
        let mut fast = measured(64, Window::Auto, &[9000, 9001], 1, 60, &[(60, 1)]);
        fast.cell.sync = SyncMode::None;
        let advice = advise(&[measured(64, Window::Auto, &[100, 101], 900, 60, &[(60, 1)]), fast], &Probe::default());
        assert_eq!(advice.flags, "");
        assert!(!advice.headline.contains("none"), "{advice:?}");
    }

    #[test]
    fn a_split_is_half_groups_and_hardly_a_whole_one() {
        let groups = |pairs: &[(usize, u64)]| {
            let mut groups = vec![0; 70];
            pairs.iter().for_each(|(size, count)| groups[*size] = *count);
            groups
        };
        assert!(is_split(64, 32.0, &groups(&[(31, 50), (33, 50)])));
        assert!(is_split(16, 8.0, &groups(&[(5, 50), (11, 50)])));
        assert!(!is_split(64, 60.0, &groups(&[(60, 100)])));
        assert!(!is_split(64, 32.0, &groups(&[(1, 50), (63, 50)])), "one alone and all others is no split into halves");
        assert!(!is_split(2, 1.0, &groups(&[(1, 100)])));
        assert!(!is_split(64, 32.0, &[]));
    }
}
