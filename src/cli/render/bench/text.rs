//! A benchmark for people: the disk, the figures with bars, where the time goes, and what to set.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use walctl::bench::{BenchPlace, Cell, CrashPlan, CrashVerdict, Measured, PARTS, Probe, Room, SyncWay};
use walctl::writer::Settings;

use super::answer::{first_word, target_words};
use crate::cli::hint::show;
use crate::cli::render::out::{Ink, Out};
use crate::cli::render::table::Table;
use walctl::bench::Session;

/// Progress in steps, with the time that is left.
#[derive(Debug)]
pub struct Steps {
    begun: Instant,
    bar: Option<Mutex<ProgressBar>>,
}

impl Steps {
    /// A bar on a terminal, and nothing elsewhere.
    pub fn new(out: &Out, doing: String) -> Steps {
        let wanted = io::stderr().is_terminal() && !out.quiet();
        let bar = wanted.then(|| {
            let style =
                ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len}, {eta} left").expect("the template is ours");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
            bar.set_style(style.progress_chars("=> "));
            bar.set_message(crate::cli::render::escape::line(&doing));
            Mutex::new(bar)
        });
        Steps { begun: Instant::now(), bar }
    }

    /// How many more steps there will be.
    pub fn expect(&self, steps: u64) {
        self.with(|bar| bar.inc_length(steps));
    }

    /// How many are done.
    pub fn advance(&self, steps: u64) {
        if self.begun.elapsed() > Duration::from_secs(1) || steps > 0 {
            self.with(|bar| bar.inc(steps));
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.with(ProgressBar::finish_and_clear);
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &self.bar
            && let Ok(bar) = bar.lock()
        {
            act(&bar);
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Nanoseconds, short: `812ns`, `45us`, `3.9ms`, `2.1s`.
pub fn span(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0}ns"),
        n if n < 1e4 => format!("{:.1}us", n / 1e3),
        n if n < 1e6 => format!("{:.0}us", n / 1e3),
        n if n < 1e7 => format!("{:.2}ms", n / 1e6),
        n if n < 1e9 => format!("{:.1}ms", n / 1e6),
        n => format!("{:.1}s", n / 1e9),
    }
}

/// A number a second, short: `812`, `45.1K`, `1.26M`.
pub fn rate(value: f64) -> String {
    match value {
        v if v < 10_000.0 => format!("{v:.0}"),
        v if v < 1e6 => format!("{:.1}K", v / 1e3),
        v => format!("{:.2}M", v / 1e6),
    }
}

/// In what a cell differs from the defaults.
pub fn label(cell: &Cell) -> String {
    let default = Settings::default();
    let mut words = Vec::new();
    if cell.sync != default.sync {
        words.push(cell.sync.to_string());
    }
    if cell.direct {
        words.push("direct".into());
    }
    if cell.buffered {
        words.push("buffered".into());
    }
    if cell.window != default.window {
        words.push(format!("window {}", cell.window));
    }
    if cell.preallocate != default.preallocate {
        words.push(format!("prealloc {}", cell.preallocate));
    }
    if words.is_empty() { "default".into() } else { words.join(" ") }
}

/// What a closed loop reaches of what the disk allows.
pub fn share(found: &Session, measured: &Measured) -> Option<f64> {
    walctl::bench::share(measured, &found.outcome.measured, [&found.probe, &found.after])
}

fn bar(value: f64, most: f64, width: usize) -> String {
    let filled = if most > 0.0 { (value / most * width as f64).round() as usize } else { 0 };
    "#".repeat(filled.min(width))
}

/// Everything that a run found. `brief` leaves out what a newcomer does not need, so that it fits a screen.
pub fn found(out: &mut Out, found: &Session, brief: bool) -> io::Result<()> {
    first(out, found)?;
    place(out, &found.place)?;
    disk(out, found, found.outcome.measured.is_empty() && found.targets.is_empty())?;
    trust(out, found)?;
    if !found.outcome.measured.is_empty() {
        writeln!(out)?;
        table(out, found, brief)?;
        if !brief {
            writeln!(out)?;
            details(out, found)?;
            writeln!(out)?;
            parts(out, found)?;
        }
    }
    for note in &found.outcome.notes {
        writeln!(out, "note: {note}")?;
    }
    for target in &found.targets {
        writeln!(out, "{}", target_words(target))?;
        for step in &target.steps {
            let verdict = if step.kept { "kept" } else { "missed" };
            writeln!(
                out,
                "  {:>8}/s wanted, {:>8}/s reached, {:>8}  {verdict}",
                rate(step.rate),
                rate(step.reached),
                span(step.latency)
            )?;
        }
    }
    if found.outcome.interrupted {
        writeln!(out, "interrupted after {} whole rounds: this is what there is", found.outcome.rounds)?;
    }
    advice(out, found)
}

/// The figures to quote, or why there are none, before all else.
fn first(out: &mut Out, found: &Session) -> io::Result<()> {
    let Some(first) = first_word(found) else { return Ok(()) };
    let ink = match first.class {
        "bad" => Ink::Bad,
        "torn" => Ink::Warn,
        _ => Ink::Strong,
    };
    let mut head = first.verdict.to_owned();
    if first.class == "bad" || first.class == "torn" {
        head = head.to_uppercase();
    }
    for words in &first.words {
        let line = wrapped(out, &format!("{head}: {words}"), "  ");
        let line = out.paint(ink, line);
        writeln!(out, "{line}")?;
        head = "      and".to_owned();
    }
    if let Some(next) = &first.next {
        let line = wrapped(out, &format!("next: {next}"), "  ");
        writeln!(out, "{line}")?;
    }
    writeln!(out)
}

fn place(out: &mut Out, place: &BenchPlace) -> io::Result<()> {
    let device = if place.device.is_empty() {
        "no device".to_owned()
    } else {
        format!("{} {}", place.device, place.model).trim().to_owned()
    };
    let cache = if place.write_cache.is_empty() { String::new() } else { format!(", {} cache", place.write_cache) };
    let text = format!(
        "{}: {} on {device}{cache}, {} processors, Linux {}",
        show(&place.dir),
        place.filesystem,
        place.cpus,
        place.kernel
    );
    writeln!(out, "{}", crate::cli::render::escape::line(&text))
}

fn disk(out: &mut Out, found: &Session, whole: bool) -> io::Result<()> {
    let probe = &found.probe;
    let median = |room, way| probe.cost(room, way, 4096).map(|cost| cost.median.median);
    if let Some((first, more)) = disk_words(found).split_first() {
        let words = wrapped(out, &format!("disk: {first}"), "  ");
        writeln!(out, "{words}")?;
        for more in more {
            let words = wrapped(out, more, "  ");
            writeln!(out, "{words}")?;
        }
    }
    if !whole {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(out, &["4 KiB into", ">fdatasync", ">fsync", ">direct+fdatasync", ">O_DSYNC", ">direct+O_DSYNC"]);
    for room in Room::ALL {
        let cells = SyncWay::DURABLE.map(|way| median(room, way).map_or("-".into(), span));
        table.row(std::iter::once(room.name().to_owned()).chain(cells));
    }
    table.write(out)?;
    let sizes: Vec<String> = [(4096, "4 KiB"), (64 << 10, "64 KiB"), (1 << 20, "1 MiB")]
        .iter()
        .filter_map(|(bytes, name)| {
            Some(format!("{name} {}", span(probe.cost(Room::Zero, SyncWay::Fdatasync, *bytes)?.median.median)))
        })
        .collect();
    writeln!(out, "\nfdatasync by size: {}", sizes.join(", "))?;
    if let Some(none) = median(Room::Zero, SyncWay::None) {
        writeln!(out, "without a sync: {}", span(none))?;
    }
    for refused in &probe.refused {
        writeln!(out, "note: {}", crate::cli::render::escape::line(refused))?;
    }
    Ok(())
}

/// What a durable write took, and whether the disk stayed as it was measured, a line each.
pub fn disk_words(found: &Session) -> Vec<String> {
    let Some((cost, row)) = found.probe.cost(Room::Zero, SyncWay::Fdatasync, 4096).zip(found.in_a_row()) else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "a durable write takes {} (p99 {}), {}",
        span(cost.median.median),
        span(cost.p99 as f64),
        if row.is_the_same() {
            format!("at most {} a second in a row", rate(row.best))
        } else {
            format!("{} a second in a row; the most that was seen is {}", rate(row.alone), rate(row.best))
        }
    )];
    lines.extend(drift(found));
    lines
}

fn drift(found: &Session) -> Vec<String> {
    let mut lines = Vec::new();
    let durable = found.outcome.measured.iter().filter(|m| m.cell.sync.promises() && m.cell.rate.is_none());
    let busy = durable.map(|m| 1e9 / m.figures.syncs.median.max(1e-9)).min_by(f64::total_cmp);
    let alone = [&found.probe, &found.after].into_iter().filter_map(Probe::sync).min();
    if let (Some(busy), Some(alone)) = (busy, alone)
        && busy * 2.0 < alone.as_nanos() as f64
    {
        lines.push(format!(
            "but: while many append one comes every {}, as on machines that are slow to wake when they have nothing else to do; one \
             appender alone pays for it",
            span(busy)
        ));
    }
    if let (Some(before), Some(after)) = (found.probe.sync(), found.after.sync()) {
        let (a, b) = (before.as_nanos() as f64, after.as_nanos() as f64);
        if a > b * 1.5 || b > a * 1.5 {
            lines.push(format!("drift: afterwards a durable write took {}: believe only what was measured in turns", span(b)));
        }
    }
    lines
}

/// Text in lines that fit, the second and later ones indented.
fn wrapped(out: &Out, text: &str, indent: &str) -> String {
    let width = out.width().unwrap_or(usize::MAX);
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        if length > 0 && length + 1 + word.len() > width {
            lines.push('\n');
            lines.push_str(indent);
            length = indent.len();
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += word.len();
    }
    lines
}

fn trust(out: &mut Out, found: &Session) -> io::Result<()> {
    let grave = found.is_distrusted();
    for doubt in &found.doubts {
        let (ink, head) = if doubt.grave { (Ink::Bad, "WARNING") } else { (Ink::Warn, "note") };
        let text = crate::cli::render::escape::line(&format!("{head}: {} ({})", doubt.words, doubt.name));
        let text = out.paint(ink, text);
        writeln!(out, "{text}")?;
    }
    if found.probe.costs.is_empty() {
        return Ok(());
    }
    let verdict = if grave {
        out.paint(Ink::Bad, "trust: do not; an acknowledgement here does not survive a power failure")
    } else {
        out.paint(Ink::Good, "trust: nothing speaks against this disk; only cutting the power proves it")
    };
    writeln!(out, "{verdict}")
}

fn table(out: &mut Out, found: &Session, brief: bool) -> io::Result<()> {
    let all = &found.outcome.measured;
    let most = all.iter().map(|m| m.figures.rate.median).fold(0.0, f64::max);
    let sizes = all.iter().any(|m| m.cell.payloads.name() != all[0].cell.payloads.name());
    let loads = sizes || all.iter().any(|m| m.cell.inflight > 1 || m.cell.rate.is_some());
    let first = |m: &Measured| if loads { m.cell.load() } else { m.cell.appenders.to_string() };
    let wide = |text: &dyn Fn(&Measured) -> String, least: usize| all.iter().map(|m| text(m).len()).fold(least, usize::max);
    // Written by hand and not with a table of words: a cell that wraps takes the eye off its row.
    let (left, middle) = (wide(&first, 3), wide(&|m| label(&m.cell), 7));
    let bars = out.width().unwrap_or(80).saturating_sub(left + middle + 59).clamp(4, 40);
    writeln!(
        out,
        "{:>left$}  {:<middle$}  appends/s    +-      p50      p99  per sync  of disk",
        if loads { "load" } else { "by" },
        "setting"
    )?;
    for m in all {
        let f = &m.figures;
        let at = |name: &str| f.percentile(name).map_or(String::new(), |s| span(s.median));
        let half = f.rate.width() * 50.0;
        let line = format!(
            "{:>left$}  {:<middle$}  {:>9}  {:>4}  {:>7}  {:>7}  {:>8}  {:>7}  {}",
            first(m),
            label(&m.cell),
            rate(f.rate.median),
            if half >= 100.0 { ">99%".to_owned() } else { format!("{half:.0}%") },
            at("p50"),
            at("p99"),
            format!("{:.1}", f.amortization.median),
            share(found, m).map_or("-".into(), |share| format!("{:.0}%", share * 100.0)),
            bar(f.rate.median, most, bars),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    if brief {
        writeln!(out, "by: threads, 128 bytes at a time; of disk: share of what its syncs would allow")?;
    }
    let noisy = all.iter().filter(|m| m.figures.noise().is_some());
    if brief {
        let worst = noisy.max_by(|a, b| a.figures.rate.width().total_cmp(&b.figures.rate.width()));
        if let Some((m, noise)) = worst.and_then(|m| Some((m, m.figures.noise()?))) {
            let words = wrapped(out, &format!("{} {}: {noise}", m.cell.load(), label(&m.cell)), "  ");
            writeln!(out, "{words}")?;
        }
    } else {
        for m in noisy {
            writeln!(out, "{} {}: {}", m.cell.load(), label(&m.cell), m.figures.noise().unwrap_or_default())?;
        }
    }
    Ok(())
}

/// What the first table has no room for, and how large groups were.
fn details(out: &mut Out, found: &Session) -> io::Result<()> {
    let all = &found.outcome.measured;
    let name = |m: &Measured| format!("{} {}", m.cell.load(), label(&m.cell));
    let left = all.iter().map(|m| name(m).len()).max().unwrap_or(0);
    writeln!(out, "{:<left$}    MB/s  syncs/s      p90    p99.9      max  cpu/app  device x", "")?;
    for m in all {
        let f = &m.figures;
        let at = |name: &str| f.percentile(name).map_or(String::new(), |s| span(s.median));
        writeln!(
            out,
            "{:<left$}  {:>6.1}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>8}",
            name(m),
            f.bytes.median / 1e6,
            rate(f.syncs.median),
            at("p90"),
            at("p99.9"),
            at("max"),
            span(f.cpu.median),
            f.amplification.map_or("-".into(), |a| format!("{:.1}", a.median)),
        )?;
    }
    writeln!(out, "device x: bytes that the device wrote, for each byte of payload; other programs that write to it count too")?;
    writeln!(out, "\nrecords a group: share of groups")?;
    for m in all {
        writeln!(out, "{:<left$}  {}", name(m), sizes_of(&m.figures.groups))?;
    }
    Ok(())
}

/// Group sizes in steps of powers of two, with their shares: `1: 3%, 32-63: 97%`.
fn sizes_of(groups: &[u64]) -> String {
    let all: u64 = groups.iter().sum();
    let (mut words, mut from) = (Vec::new(), 1);
    while from < groups.len() {
        let to = (from * 2).min(groups.len());
        let share = groups[from..to].iter().sum::<u64>() as f64 / all.max(1) as f64;
        let range = if from == 1 { "1".to_owned() } else { format!("{from}-{}", from * 2 - 1) };
        if share >= 0.005 {
            words.push(format!("{range}: {:.0}%", share * 100.0));
        }
        from *= 2;
    }
    words.join(", ")
}

/// One bar a cell, cut into the parts of a mean latency.
fn parts(out: &mut Out, found: &Session) -> io::Result<()> {
    const LETTERS: [char; 5] = ['q', 'w', 'W', 's', 'k'];
    const WIDTH: f64 = 40.0;
    let legend: Vec<String> = LETTERS.iter().zip(PARTS).map(|(letter, part)| format!("{letter} {part}")).collect();
    writeln!(out, "where the time of an append goes (mean): {}", legend.join(", "))?;
    let total = |m: &Measured| m.figures.parts.iter().map(|part| part.median).sum::<f64>();
    for m in &found.outcome.measured {
        // Bars of one load share a scale: other loads have other latencies.
        let most = found.outcome.measured.iter().filter(|o| o.cell.load() == m.cell.load()).map(total).fold(1.0, f64::max);
        let drawn: String = LETTERS
            .iter()
            .zip(&m.figures.parts)
            .map(|(letter, part)| letter.to_string().repeat((part.median / most * WIDTH).round() as usize))
            .collect();
        writeln!(out, "{:<18.18} {:<18.18} {drawn} {}", m.cell.load(), label(&m.cell), span(total(m)))?;
    }
    Ok(())
}

fn advice(out: &mut Out, found: &Session) -> io::Result<()> {
    let Some(advice) = found.advice.as_ref().filter(|_| !found.outcome.measured.is_empty()) else { return Ok(()) };
    writeln!(out)?;
    let headline = out.paint(Ink::Strong, wrapped(out, &advice.headline, ""));
    writeln!(out, "{headline}")?;
    for reason in &advice.reasons {
        let reason = wrapped(out, &format!("- {reason}"), "  ");
        writeln!(out, "{reason}")?;
    }
    if advice.flags.is_empty() {
        return Ok(());
    }
    writeln!(out, "paste: walctl append DIR {}", advice.flags)
}

/// The one sentence of a crash test.
pub fn crash(out: &mut Out, place: &BenchPlace, plan: &CrashPlan, verdict: &CrashVerdict) -> io::Result<()> {
    for finding in &verdict.findings {
        writeln!(out, "{finding}")?;
    }
    let how = if plan.image.is_some() { "the filesystem was shut down without its journal" } else { "the appender was killed" };
    let flags = if plan.flags.is_empty() { "the default settings".to_owned() } else { format!("`{}`", plan.flags.join(" ")) };
    let different = if verdict.different > 0 { format!(", and {} came back changed", verdict.different) } else { String::new() };
    let text = format!(
        "{} on {}, {flags}: lost {} of {} acknowledged records in {} crashes{different} ({how})",
        place.filesystem,
        if place.device.is_empty() { "no device" } else { &place.device },
        grouped(verdict.lost),
        grouped(verdict.acknowledged),
        verdict.crashes,
    );
    let ink = if verdict.is_kept() { Ink::Good } else { Ink::Bad };
    let text = out.paint(ink, text);
    writeln!(out, "{text}")
}

/// 1,203,441.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [span(812.0), span(4510.0), span(128_400.0), span(3.9e6), span(2.1e9)],
            ["812ns", "4.5us", "128us", "3.90ms", "2.1s"]
        );
        assert_eq!([rate(812.0), rate(45_100.0), rate(1.26e6)], ["812", "45.1K", "1.26M"]);
        assert_eq!([grouped(0), grouped(999), grouped(1_203_441)], ["0", "999", "1,203,441"]);
        assert_eq!(bar(5.0, 10.0, 8), "####");
        assert_eq!(bar(5.0, 0.0, 8), "");
        assert_eq!(sizes_of(&[0, 1, 0, 1, 0, 0, 2]), "1: 25%, 2-3: 25%, 4-7: 50%");
        assert_eq!(sizes_of(&[]), "");
    }
}
