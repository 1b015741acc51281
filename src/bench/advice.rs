//! What to set: a pure function from figures to a recommendation with its evidence.
//!
//! A setting beats the default only when the medians say so and no repeat says otherwise; so a noisy disk gets no advice that the
//! next run would take back.

use super::answer::Steadiness;
use super::figures::{Figures, PARTS, Spread};
use super::plan::Measured;
use super::probe::{Probe, Room, SyncWay};
use super::setting::Cell;
use crate::writer::Settings;

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
/// With this many comparisons, one looks significant by chance only once in this many runs.
const SELDOM: f64 = 20.0;
/// Busy with writes and syncs for this share of the time, the disk is the limit.
const DISK_BUSY: f64 = 0.7;
/// Busy for no more than this, it is not.
const DISK_IDLE: f64 = 0.3;
/// So many times the median is a mean that only few very slow ones explain.
const BURSTS: f64 = 2.5;

/// What the figures recommend. `probe` is the disk by itself.
#[must_use]
pub fn advise(measured: &[Measured], probe: &Probe) -> Advice {
    let mut advice = Advice::default();
    let promising: Vec<&Measured> = measured.iter().filter(|m| m.cell.sync.promises()).collect();
    let Some(base) = baseline(&promising) else {
        advice.headline = "nothing durable was measured: there is nothing to advise".into();
        return advice;
    };
    let rivals = rivals(&promising, base);
    let named = if base.is_default() { "the defaults".to_owned() } else { format!("`{}`", base.changes()) };
    let noisy = Steadiness::of(measured) == Steadiness::TooNoisy;
    match rivals.iter().filter(|r| !noisy && r.win().is_some()).max_by(|a, b| a.rank().total_cmp(&b.rank())) {
        Some(rival) => recommend(&mut advice, rival, &named),
        None if noisy => advice.headline = "too noisy to say what to set: measure again when nothing else is busy here".into(),
        None if rivals.is_empty() => advice.headline = "only one setting was measured: nothing to compare".into(),
        None => {
            advice.headline = match closest(&rivals) {
                // What looked better each time is not called worse, nor is it advised.
                Some((_, best)) if best.is_promising() => {
                    format!("nothing surely beats {named}: set nothing yet, and measure with more repeats")
                }
                _ => format!("nothing beats {named}: set nothing"),
            };
            if !base.is_default() {
                advice.headline = format!("nothing that was measured beats {named}");
                advice.flags = base.changes();
            }
            advice.reasons.extend(closest(&rivals).map(|(rival, best)| why_not(rival, best)));
            advice.reasons.extend(worst(&rivals));
        }
    }
    advice.reasons.extend(cohorts(&promising, base, &advice.flags));
    advice.reasons.extend(limit(&promising));
    advice.reasons.extend(bursts(&promising));
    advice.reasons.extend(room(&promising, probe));
    advice
}

/// The cell whose settings others must beat: the defaults when they were measured, else the first.
fn baseline<'a>(measured: &[&'a Measured]) -> Option<&'a Cell> {
    measured.iter().find(|m| m.cell.is_default()).or(measured.first()).map(|m| &m.cell)
}

/// Settings against the base, at each load at which both were measured.
struct Rival {
    changes: String,
    loads: Vec<Versus>,
}

struct Versus {
    cell: Cell,
    gain: f64,
    p99: f64,
    base_p99: f64,
    /// Each repeat lies on the same side of each of the base's.
    apart: bool,
    /// They lie so, and there were enough repeats for that not to be luck.
    sure: bool,
}

impl Versus {
    fn wins(&self) -> bool {
        self.gain >= WORTH && self.sure && self.has_no_worse_tail()
    }

    /// It would win if there had been enough repeats to be sure.
    fn is_promising(&self) -> bool {
        self.gain >= WORTH && self.apart && !self.sure && self.has_no_worse_tail()
    }

    fn has_no_worse_tail(&self) -> bool {
        self.p99 <= self.base_p99 * 1.25
    }

    fn harms(&self) -> bool {
        self.gain < HARM && (self.apart || self.gain < 2.0 - WORTH)
    }
}

impl Rival {
    /// Where it wins most.
    fn win(&self) -> Option<&Versus> {
        self.loads.iter().filter(|v| v.wins()).max_by(|a, b| a.gain.total_cmp(&b.gain))
    }

    /// Higher for what is better over all loads. What is not sure counts only when it speaks against it, and what harms nowhere comes
    /// before what does.
    fn rank(&self) -> f64 {
        let over_all: f64 = self.loads.iter().map(|v| if v.wins() { v.gain.ln() } else { v.gain.ln().min(0.0) }).sum();
        if self.loads.iter().any(Versus::harms) { over_all - 1000.0 } else { over_all }
    }
}

fn rivals(measured: &[&Measured], base: &Cell) -> Vec<Rival> {
    let find = |load: &str| measured.iter().find(|m| m.cell.flags() == base.flags() && m.cell.load() == load);
    let pairs: Vec<(&Measured, &Measured)> =
        measured.iter().filter(|m| m.cell.flags() != base.flags()).filter_map(|m| Some((*m, *find(&m.cell.load())?))).collect();
    let mut rivals: Vec<Rival> = Vec::new();
    for (mine, other) in &pairs {
        let p99 = |figures: &Figures| figures.percentile("p99").map_or(0.0, |s| s.median);
        let (rate, base_rate) = (&mine.figures.rate, &other.figures.rate);
        let apart = rate.is_above(base_rate) || base_rate.is_above(rate);
        let versus = Versus {
            cell: mine.cell.clone(),
            gain: rate.median / base_rate.median.max(1e-9),
            p99: p99(&mine.figures),
            base_p99: p99(&other.figures),
            apart,
            sure: apart && is_enough(mine.figures.repeats.min(other.figures.repeats), pairs.len()),
        };
        let changes = mine.cell.changes();
        match rivals.iter_mut().find(|r| r.changes == changes) {
            Some(rival) => rival.loads.push(versus),
            None => rivals.push(Rival { changes, loads: vec![versus] }),
        }
    }
    rivals
}

/// Whether so many repeats lie all on one side seldom enough, when it is looked for in so many places: n against n that do not differ
/// do so once in (2n over n).
fn is_enough(repeats: usize, comparisons: usize) -> bool {
    let chances: f64 = (1..=repeats).map(|k| (repeats + k) as f64 / k as f64).product();
    chances >= SELDOM * comparisons as f64
}

fn recommend(advice: &mut Advice, rival: &Rival, named: &str) {
    let Some(win) = rival.win() else { return };
    let harms: Vec<&Versus> = rival.loads.iter().filter(|v| v.harms()).collect();
    let least = rival.loads.iter().filter(|v| v.wins()).map(|v| v.cell.appenders).min().unwrap_or(0);
    let below = !harms.is_empty() && harms.iter().all(|v| v.cell.appenders < least);
    advice.flags.clone_from(&rival.changes);
    advice.headline = format!(
        "{}use `{}`: {:.2} x the appends of {named} at {}, p99 {} instead of {}",
        if below { format!("from {} on ", appenders(least)) } else { String::new() },
        rival.changes,
        win.gain,
        appenders(win.cell.appenders),
        span(win.p99),
        span(win.base_p99)
    );
    for harm in &harms {
        let unsure = if harm.apart { "" } else { ", though repeats disagree" };
        let stay =
            if below { format!("stay with {named} below {}", appenders(least)) } else { format!("stay with {named} there") };
        advice.reasons.push(format!("at {} it is {:.2} x{unsure}: {stay}", appenders(harm.cell.appenders), harm.gain));
    }
    let others: Vec<String> = rival
        .loads
        .iter()
        .filter(|v| !v.harms() && v.cell.load() != win.cell.load())
        .map(|v| {
            format!("{:.2} x at {}{}", v.gain, appenders(v.cell.appenders), if v.wins() { "" } else { " (no clear difference)" })
        })
        .collect();
    if !others.is_empty() {
        advice.reasons.push(format!("elsewhere it is {}", others.join(", ")));
    }
}

/// What came nearest to beating the base.
fn closest(rivals: &[Rival]) -> Option<(&Rival, &Versus)> {
    let all = rivals.iter().flat_map(|r| r.loads.iter().map(move |v| (r, v)));
    all.max_by(|a, b| a.1.gain.total_cmp(&b.1.gain))
}

/// Why it is not advised.
fn why_not(rival: &Rival, best: &Versus) -> String {
    let why = match best {
        v if v.gain < WORTH => "too little to set anything for",
        v if v.apart && !v.sure => {
            "but so few repeats of so many settings look like that by luck: it takes more repeats to be sure"
        }
        v if !v.apart => "but repeats disagree: no reason to set anything",
        _ => "but its p99 is worse: no reason to set anything",
    };
    format!("closest: `{}` with {:.2} x at {}, {why}", rival.changes, best.gain, appenders(best.cell.appenders))
}

/// What one had better not set.
fn worst(rivals: &[Rival]) -> Option<String> {
    let all = rivals.iter().flat_map(|r| r.loads.iter().map(move |v| (r, v)));
    let (rival, worst) = all.filter(|(_, v)| v.apart && v.gain < 2.0 - WORTH).min_by(|a, b| a.1.gain.total_cmp(&b.1.gain))?;
    Some(format!("worst: `{}` with {:.2} x at {}", rival.changes, worst.gain, appenders(worst.cell.appenders)))
}

/// What stands in the way of more, where most appenders append.
fn limit(measured: &[&Measured]) -> Option<String> {
    let usual = measured.iter().filter(|m| m.cell.is_default() && m.cell.appenders > 1 && m.cell.rate.is_none());
    let most = usual.max_by_key(|m| m.cell.appenders)?;
    let part = |name: &str| PARTS.iter().position(|p| *p == name).map_or(0.0, |at| most.figures.parts[at].median);
    let busy = most.figures.syncs.median * (part("write") + part("sync")) / 1e9;
    let who = appenders(most.cell.appenders);
    if busy >= DISK_BUSY {
        return Some(format!("the disk is the limit: with {who} it writes and syncs {:.0} % of the time", busy.min(1.0) * 100.0));
    }
    (busy <= DISK_IDLE).then(|| {
        format!(
            "the disk is not the limit: with {who} it writes and syncs {:.0} % of the time; the processors are the limit",
            busy * 100.0
        )
    })
}

/// Whether a few appends take so long that they are most of the time, where the fewest appenders append.
fn bursts(measured: &[&Measured]) -> Option<String> {
    let usual = measured.iter().filter(|m| m.cell.is_default() && m.cell.rate.is_none() && m.cell.inflight <= 1);
    let fewest = usual.min_by_key(|m| m.cell.appenders)?;
    let mean: f64 = fewest.figures.parts.iter().map(|part| part.median).sum();
    let median = fewest.figures.percentile("p50")?.median;
    (mean >= median * BURSTS).then(|| {
        format!(
            "a few appends are very slow: with {} half of them take {} at most, and the mean is {}; a disk that others use too looks so, \
             and one with a budget of writes a second (a cloud's volume, a cgroup)",
            appenders(fewest.cell.appenders),
            span(median),
            span(mean)
        )
    })
}

/// Whether appenders have split into two cohorts that take turns: groups hold half of them in the mean, so that each waits for two
/// syncs. The cohorts need not be equal: often one appender leads alone, and all others go with the next sync.
#[must_use]
pub fn is_split(appenders: usize, amortization: f64, groups: &[u64]) -> bool {
    let share = amortization / appenders as f64;
    appenders >= 4 && (0.35..=0.65).contains(&share) && groups.iter().any(|count| *count > 0)
}

fn cohorts(measured: &[&Measured], base: &Cell, advised: &str) -> Option<String> {
    let plain = |m: &&&Measured| m.cell.inflight <= 1 && m.cell.rate.is_none();
    let split =
        measured.iter().filter(plain).filter(|m| is_split(m.cell.appenders, m.figures.amortization.median, &m.figures.groups));
    let m = split.max_by_key(|m| m.cell.appenders)?;
    let mut words = format!(
        "with `--window {}`, {} appenders split into two cohorts that take turns: {:.1} appends a sync, half of them in the mean",
        m.cell.window, m.cell.appenders, m.figures.amortization.median
    );
    let merges = |o: &&&Measured| {
        plain(o) && o.cell.load() == m.cell.load() && o.figures.amortization.median >= m.cell.appenders as f64 * 0.75
    };
    // What needs no flag is named before what needs one.
    if let Some(whole) = measured.iter().filter(merges).min_by_key(|o| !o.cell.is_default()) {
        words.push_str(&format!("; `--window {}` merges them: {:.1}", whole.cell.window, whole.figures.amortization.median));
        // A flag that is named here and not advised must not be taken for advice.
        if whole.cell.flags() != base.flags() && whole.cell.changes() != advised {
            words.push_str(", which is no clear gain");
        }
    }
    Some(words)
}

/// What written room is worth on this disk, where no cell has shown it.
fn room(measured: &[&Measured], probe: &Probe) -> Option<String> {
    let default = Settings::default().preallocate;
    if measured.iter().any(|m| m.cell.preallocate != default) {
        return None;
    }
    let of = |room| probe.cost(room, SyncWay::Fdatasync, 4096).map(|c| c.median);
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
            "growing files sync no slower here than written blocks ({} against {}); whether that matters to a log is not measured: walctl \
             bench DIR --preallocate {default},none measures it",
            span(extend.median),
            span(zero.median)
        )
    })
}

fn appenders(count: usize) -> String {
    if count == 1 { "1 appender".into() } else { format!("{count} appenders") }
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
    use crate::bench::figures::Run;
    use crate::bench::payloads::Payloads;
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
        let table: [(&str, Vec<Measured>, &str); 7] = [
            ("a clear gain", vec![auto(&[100, 101, 102]), other(&[126, 127, 128], 800)], "--window 50us"),
            ("a small gain", vec![auto(&[100, 101, 102]), other(&[106, 107, 108], 800)], ""),
            ("repeats that disagree", vec![auto(&[100, 101, 130]), other(&[126, 127, 128], 800)], ""),
            ("bought with tails", vec![auto(&[100, 101, 102]), other(&[126, 127, 128], 5000)], ""),
            ("one repeat", vec![auto(&[100]), other(&[150], 800)], ""),
            ("two repeats, which lie so by luck", vec![auto(&[100, 101]), other(&[150, 151], 800)], ""),
            ("alone", vec![auto(&[100, 101])], ""),
        ];
        for (what, cells, flags) in table {
            let advice = advise(&cells, &Probe::default());
            assert_eq!(advice.flags, flags, "{what}: {advice:?}");
            assert_eq!(advice.headline.starts_with("nothing "), flags.is_empty() && cells.len() > 1, "{what}");
        }
        let unsure = advise(&[auto(&[100, 101]), other(&[150, 151], 800)], &Probe::default());
        assert_eq!(unsure.headline, "nothing surely beats the defaults: set nothing yet, and measure with more repeats");
        let slow = advise(&[auto(&[100, 101]), other(&[150, 151], 5000)], &Probe::default());
        assert_eq!(slow.headline, "nothing beats the defaults: set nothing", "slow tails are no promise");
        let noisy = advise(&[auto(&[100, 101, 300]), other(&[1000, 1001, 3000], 800)], &Probe::default());
        assert!(noisy.headline.starts_with("too noisy") && noisy.flags.is_empty(), "{noisy:?}");
        assert!(advise(&[], &Probe::default()).headline.contains("nothing durable"));
    }

    #[test]
    fn a_gain_that_harms_elsewhere_says_where() {
        let cells = [
            measured(1, Window::Auto, &[100, 100, 101, 101], 100, 1, &[(1, 9)]),
            measured(1, fixed(50), &[60, 60, 61, 61], 100, 1, &[(1, 9)]),
            measured(64, Window::Auto, &[1000, 1000, 1010, 1010], 900, 32, &[(32, 9)]),
            measured(64, fixed(50), &[1300, 1300, 1310, 1310], 900, 62, &[(62, 9)]),
        ];
        let advice = advise(&cells, &Probe::default());
        assert!(advice.headline.contains("1.30 x") && advice.headline.contains("64 appenders"), "{advice:?}");
        assert!(advice.headline.starts_with("from 64 appenders on use `--window 50us`"), "{advice:?}");
        let harm = "at 1 appender it is 0.60 x: stay with the defaults below 64 appenders";
        assert!(advice.reasons.iter().any(|r| r == harm), "{advice:?}");
        // 1300 appends in 20 syncs and 1310 in 21: 65.0 and 62.4, between them 63.7.
        assert!(advice.reasons.iter().any(|r| r.contains("two cohorts") && r.contains("merges them: 63.7")), "{advice:?}");
    }

    #[test]
    fn what_harms_nowhere_is_advised_before_what_wins_more_somewhere() {
        let direct = |mut m: Measured| {
            (m.cell.sync, m.cell.direct) = (SyncMode::Dsync, true);
            m
        };
        let five = |rate: u64| [rate, rate + 1, rate + 2, rate + 3, rate + 4];
        let auto = |appenders, rate| measured(appenders, Window::Auto, &five(rate), 900, 1, &[(1, 9)]);
        let cells = [
            auto(1, 1000),
            measured(1, fixed(5), &five(530), 900, 1, &[(1, 9)]),
            direct(auto(1, 1340)),
            auto(16, 2000),
            measured(16, fixed(5), &five(2680), 900, 1, &[(1, 9)]),
            direct(auto(16, 2480)),
        ];
        let advice = advise(&cells, &Probe::default());
        assert_eq!(advice.flags, "--sync dsync --direct", "{advice:?}");
        assert!(advice.headline.contains("1.34 x the appends of the defaults at 1 appender"), "{advice:?}");
        assert!(advice.reasons.iter().any(|r| r == "elsewhere it is 1.24 x at 16 appenders"), "{advice:?}");
    }

    #[test]
    fn the_more_is_compared_the_more_repeats_it_takes_to_be_sure() {
        assert!(is_enough(3, 1) && !is_enough(3, 2) && is_enough(5, 12) && !is_enough(5, 13) && !is_enough(2, 1));
        let rival = |us| measured(64, fixed(us), &[150, 151, 152], 800, 60, &[(60, 10)]);
        let base = measured(64, Window::Auto, &[100, 101, 102], 900, 60, &[(60, 10)]);
        let advice = advise(&[base, rival(50), rival(60)], &Probe::default());
        assert!(advice.flags.is_empty() && advice.reasons[0].contains("by luck: it takes more repeats"), "{advice:?}");
    }

    #[test]
    fn what_is_worst_is_told_where_nothing_is_better() {
        let base = measured(1, Window::Auto, &[100, 101, 102], 900, 1, &[(1, 10)]);
        let advice = advise(&[base, measured(1, fixed(9000), &[40, 41, 42], 900, 1, &[(1, 10)])], &Probe::default());
        assert!(advice.reasons.iter().any(|r| r == "worst: `--window 9ms` with 0.41 x at 1 appender"), "{advice:?}");
    }

    #[test]
    fn what_the_time_goes_into_says_whether_the_disk_is_the_limit_and_whether_it_comes_in_bursts() {
        let told = |sync_us: u64, p50_us: u64| {
            let cell = measured(16, Window::Auto, &[100], 1, 10, &[(10, 1)]).cell;
            let mut run =
                Run { seconds: 1.0, acked: 100, records: 1600, syncs: 100, bytes: 1, groups: vec![0, 1], ..Run::default() };
            for index in 0..100 {
                // A hundred syncs in a second, so 10 ms each fill it.
                let whole = if index < 60 { p50_us } else { sync_us * 2 };
                let sync = Duration::from_micros(sync_us);
                run.latency
                    .add(Duration::from_micros(whole), [Duration::ZERO, Duration::ZERO, Duration::ZERO, sync, Duration::ZERO]);
            }
            advise(&[Measured { cell, figures: Figures::of(&[run]).expect("a run") }], &Probe::default()).reasons.join("; ")
        };
        assert!(
            told(9000, 9000).contains("the disk is the limit: with 16 appenders it writes and syncs 90 %"),
            "{}",
            told(9000, 9000)
        );
        assert!(told(1000, 1000).contains("the disk is not the limit"), "{}", told(1000, 1000));
        assert_eq!(told(5000, 5000), "");
        assert!(told(9000, 300).contains("with a budget of writes a second"), "{}", told(9000, 300));
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
    fn a_split_is_groups_of_half_in_the_mean() {
        let groups = |pairs: &[(usize, u64)]| {
            let mut groups = vec![0; 70];
            pairs.iter().for_each(|(size, count)| groups[*size] = *count);
            groups
        };
        assert!(is_split(64, 32.0, &groups(&[(31, 50), (33, 50)])));
        assert!(is_split(16, 8.0, &groups(&[(5, 50), (11, 50)])));
        assert!(!is_split(64, 60.0, &groups(&[(60, 100)])));
        assert!(is_split(64, 32.0, &groups(&[(1, 50), (63, 50)])), "one alone and all others take turns too");
        assert!(!is_split(2, 1.0, &groups(&[(1, 100)])));
        assert!(!is_split(64, 32.0, &[]));
    }

    #[test]
    fn what_comes_nearest_is_told_with_the_reason_that_it_is_not_advised() {
        let base = || measured(64, Window::Auto, &[100, 101, 102], 900, 60, &[(60, 10)]);
        for (what, rates, p99, why) in [
            ("small", &[104, 105, 106][..], 800, "too little to set anything for"),
            ("too few repeats", &[150, 151][..], 800, "but so few repeats of so many settings look like that by luck"),
            ("repeats that cross", &[101, 126, 128][..], 800, "but repeats disagree: no reason to set anything"),
            ("slow tails", &[126, 127, 128][..], 5000, "but its p99 is worse: no reason to set anything"),
        ] {
            let advice = advise(&[base(), measured(64, fixed(50), rates, p99, 60, &[(60, 10)])], &Probe::default());
            assert!(
                advice.reasons[0].starts_with("closest: `--window 50us` with ") && advice.reasons[0].contains(why),
                "{what}: {advice:?}"
            );
        }
    }

    #[test]
    fn only_what_is_clearly_worse_is_warned_of() {
        let base = || measured(1, Window::Auto, &[100, 101, 102], 900, 1, &[(1, 10)]);
        for (rates, warned) in
            [(&[85, 86, 87][..], true), (&[94, 95, 96][..], false), (&[60, 80, 101][..], false), (&[120, 121, 122][..], false)]
        {
            let advice = advise(&[base(), measured(1, fixed(9000), rates, 5000, 1, &[(1, 10)])], &Probe::default());
            assert_eq!(advice.reasons.iter().any(|reason| reason.starts_with("worst: ")), warned, "{rates:?}: {advice:?}");
        }
    }
}
