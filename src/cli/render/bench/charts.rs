//! The charts of a benchmark: what each of them shows. Widths, letters and lines are in `panels`.

use std::fmt::Write as _;

use walctl::bench::{Measured, PARTS, Session};

use super::axis::Axis;
use super::panels::{Align, BOTTOM, LEFT, LETTER, Panel, RIGHT, ROW};
use super::text::{label, rate, span};

/// Lines in one chart: more cannot be told apart.
const LINES: usize = 6;
/// Loads that have charts of their own.
const LOADS: usize = 6;

/// Room for the names of settings, and for figures behind what is drawn.
const NAMES: f64 = 190.0;
const VALUES: f64 = 50.0;

/// All charts for which there are figures.
pub fn all(found: &Session) -> Vec<Panel> {
    let cells = &found.outcome.measured;
    if cells.is_empty() {
        return Vec::new();
    }
    let settings = settings(cells);
    let mut panels = vec![rates(cells, &settings)];
    panels.extend(knees(cells, &settings));
    let loads = loads(cells);
    for load in &loads {
        panels.extend(latencies(load, &settings));
    }
    for load in &loads {
        panels.push(parts(load));
    }
    for load in &loads {
        panels.extend(over_time(load, &settings));
    }
    panels
}

/// The settings in their order: a setting has the same colour everywhere.
fn settings(cells: &[Measured]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in cells.iter().map(|m| label(&m.cell)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn style(settings: &[String], m: &Measured) -> usize {
    settings.iter().position(|name| *name == label(&m.cell)).unwrap_or(0) % LINES
}

/// The cells of each load, in the order in which loads were measured.
fn loads(cells: &[Measured]) -> Vec<Vec<&Measured>> {
    let mut loads: Vec<Vec<&Measured>> = Vec::new();
    for m in cells {
        match loads.iter_mut().find(|load| load[0].cell.load() == m.cell.load()) {
            Some(load) => load.push(m),
            None => loads.push(vec![m]),
        }
    }
    loads.truncate(LOADS);
    loads
}

fn told(m: &Measured) -> String {
    let f = &m.figures;
    format!(
        "{}, {}: {}/s in the median, {} to {} in {} repeats",
        m.cell.load(),
        label(&m.cell),
        rate(f.rate.median),
        rate(f.rate.min),
        rate(f.rate.max),
        f.repeats
    )
}

/// How many appends a second: the median as a dot, and the repeats as a line.
fn rates(cells: &[Measured], settings: &[String]) -> Panel {
    let mut panel = Panel::new("Durable appends a second", "dot: median of the repeats; line: smallest to largest repeat");
    let longest = settings.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = (longest as f64 * LETTER + 10.0).min(NAMES);
    let all = cells.iter().flat_map(|m| [m.figures.rate.min, m.figures.rate.median, m.figures.rate.max]);
    let axis = Axis::log(all, (left, RIGHT - VALUES));
    let top = panel.y();
    for load in loads_of_all(cells) {
        panel.words(0.0, Align::Right, "small", &load[0].cell.load());
        for m in load {
            let f = &m.figures;
            panel.words(0.0, Align::Right, "", &label(&m.cell));
            panel.back();
            panel.words(RIGHT, Align::Left, "", &rate(f.rate.median));
            let y = panel.y() - ROW - 4.0;
            let class = format!("range s{}", style(settings, m));
            panel.line((axis.place(f.rate.min), y), (axis.place(f.rate.max), y), &class);
            panel.dot((axis.place(f.rate.median), y), style(settings, m), &told(m));
        }
    }
    panel.scale_below(&axis, top, "appends a second, logarithmic", &|value| short(rate(value)));
    panel
}

fn loads_of_all(cells: &[Measured]) -> Vec<Vec<&Measured>> {
    let mut sorted: Vec<&Measured> = cells.iter().collect();
    let order: Vec<String> = cells.iter().map(|m| m.cell.load()).collect();
    sorted.sort_by_key(|m| order.iter().position(|load| *load == m.cell.load()));
    sorted.chunk_by(|a, b| a.cell.load() == b.cell.load()).map(<[&Measured]>::to_vec).collect()
}

/// How the rate grows with the number of appenders, for each size of record, and where it stops to grow.
fn knees(cells: &[Measured], settings: &[String]) -> Vec<Panel> {
    let mut families: Vec<(String, Vec<&Measured>)> = Vec::new();
    for m in cells.iter().filter(|m| m.cell.rate.is_none()) {
        let load = m.cell.load();
        let what = load.split_once(" x ").map_or(String::new(), |(_, what)| what.to_owned());
        match families.iter_mut().find(|(name, _)| *name == what) {
            Some((_, family)) => family.push(m),
            None => families.push((what, vec![m])),
        }
    }
    families.truncate(LOADS);
    families.iter().filter_map(|(what, family)| knee(what, family, settings)).collect()
}

fn knee(what: &str, family: &[&Measured], settings: &[String]) -> Option<Panel> {
    let mut counts: Vec<usize> = family.iter().map(|m| m.cell.appenders).collect();
    counts.sort_unstable();
    counts.dedup();
    if counts.len() < 2 {
        return None;
    }
    let mut panel =
        Panel::new(&format!("What more appenders bring, size {what}"), "dot: median; upright line: smallest to largest repeat");
    let (x, y) = panel.plot(Axis::log(counts.iter().map(|count| *count as f64), (LEFT, RIGHT)), |places| {
        Axis::log(family.iter().flat_map(|m| [m.figures.rate.min, m.figures.rate.max]), places)
    });
    panel.scale_left(&y, &|value| short(rate(value)));
    for count in &counts {
        panel.name_below(x.place(*count as f64), &count.to_string());
    }
    let lines: Vec<&String> =
        settings.iter().filter(|name| family.iter().any(|m| label(&m.cell) == **name)).take(LINES).collect();
    let mut knee = String::new();
    for (index, name) in lines.iter().enumerate() {
        let mut line: Vec<&&Measured> = family.iter().filter(|m| label(&m.cell) == **name).collect();
        line.sort_by_key(|m| m.cell.appenders);
        let at = |m: &Measured| (x.place(m.cell.appenders as f64), y.place(m.figures.rate.median));
        panel.path(&line.iter().map(|m| at(m)).collect::<Vec<_>>(), style(settings, line[0]), name);
        for m in &line {
            let (px, py) = at(m);
            let class = format!("range s{}", style(settings, m));
            panel.line((px, y.place(m.figures.rate.min)), (px, y.place(m.figures.rate.max)), &class);
            panel.dot((px, py), style(settings, m), &told(m));
        }
        if index == 0 {
            let bend = bend(&line);
            bend.iter().for_each(|bend| panel.upright(x.place(*bend as f64), "knee"));
            knee = match bend {
                Some(bend) => format!("dashed: beyond {bend} appenders, more bring less than a tenth more ({name})"),
                None => format!("no knee up to {} appenders ({name})", line[line.len() - 1].cell.appenders),
            };
        }
    }
    panel.axis_words("appenders, logarithmic", "appends a second, logarithmic");
    panel.note(&knee);
    panel.legend(&lines, settings);
    Some(panel)
}

/// The smallest number of appenders at which nine tenths of the most are reached, if there is one before the last.
fn bend(line: &[&&Measured]) -> Option<usize> {
    let most = line.iter().map(|m| m.figures.rate.median).fold(0.0, f64::max);
    let first = line.iter().position(|m| m.figures.rate.median * 1.1 >= most)?;
    (first + 1 < line.len()).then(|| line[first].cell.appenders)
}

/// How many appends took longer than how long.
fn latencies(load: &[&Measured], settings: &[String]) -> Option<Panel> {
    let told: Vec<&&Measured> = load.iter().filter(|m| !m.figures.distribution.is_empty()).take(LINES).collect();
    let first = told.first()?;
    let total = |m: &Measured| m.figures.distribution.iter().map(|(_, count)| *count).sum::<u64>().max(1) as f64;
    let mut panel = Panel::new(&format!("Latency, {}", first.cell.load()), "how many appends took longer, over all repeats");
    let least = told.iter().map(|m| 1.0 / total(m)).fold(0.1, f64::min).max(1e-5);
    let (x, y) = panel.plot(
        Axis::log(told.iter().flat_map(|m| m.figures.distribution.iter().map(|(upper, _)| *upper as f64)), (LEFT, RIGHT)),
        |places| Axis::log([least, 1.0].into_iter(), places),
    );
    panel.scale_left(&y, &share);
    panel.ticks_below(&x, &|value| short(span(value)));
    for m in &told {
        let all = total(m);
        let (mut over, mut line, mut hits) = (all, Vec::new(), Vec::new());
        for (upper, count) in &m.figures.distribution {
            line.push((x.place(*upper as f64), y.place(over / all)));
            over -= *count as f64;
            let at = (x.place(*upper as f64), y.place((over / all).max(least)));
            line.push(at);
            hits.push((
                at,
                format!("{}: {} took longer than {}", label(&m.cell), share(over.max(0.0) / all), span(*upper as f64)),
            ));
        }
        panel.path(&line, style(settings, m), &label(&m.cell));
        hits.iter().for_each(|(at, words)| panel.hit(*at, words));
    }
    panel.axis_words("time from the call to the acknowledgement, logarithmic", "share of the appends, logarithmic");
    let names: Vec<String> = told.iter().map(|m| label(&m.cell)).collect();
    panel.legend(&names.iter().collect::<Vec<_>>(), settings);
    Some(panel)
}

/// A round figure without zeros behind its point: `10K`, `2ms`.
fn short(figure: String) -> String {
    let Some((whole, rest)) = figure.split_once('.') else { return figure };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (fraction, unit) = rest.split_at(digits);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{whole}{unit}") } else { format!("{whole}.{fraction}{unit}") }
}

/// A share for people: `all`, `1 in 10`, `none`.
fn share(part: f64) -> String {
    match part {
        p if p <= 0.0 => "none".into(),
        p if p >= 0.9995 => "all".into(),
        p if p > 0.3 => format!("{:.0} %", p * 100.0),
        p => format!("1 in {}", short(rate(1.0 / p))),
    }
}

/// Where the time of an append goes: bars of one load share a scale.
fn parts(load: &[&Measured]) -> Panel {
    let mut panel = Panel::new(&format!("Where the time goes, {}", load[0].cell.load()), "mean time of an append in each part");
    let total = |m: &Measured| m.figures.parts.iter().map(|part| part.median).sum::<f64>();
    let axis = Axis::from_zero(load.iter().map(|m| total(m)).fold(1.0, f64::max), (8.0, RIGHT));
    let top = panel.y();
    for m in load {
        panel.words(8.0, Align::Right, "", &label(&m.cell));
        panel.back();
        panel.words(RIGHT, Align::Left, "", &span(total(m)));
        let mut from = 0.0;
        for (index, (part, name)) in m.figures.parts.iter().zip(PARTS).enumerate() {
            let (left, right) = (axis.place(from), axis.place(from + part.median));
            panel.bar((left, right), index, &format!("{name}: {} of {}", span(part.median), span(total(m))));
            from += part.median;
        }
        panel.skip(ROW);
    }
    panel.scale_below(&axis, top, "mean time from the call to the acknowledgement", &|value| short(span(value)));
    panel.legend_of_parts(&PARTS);
    panel
}

/// The rate in the course of each repeat, of the first setting and of the quickest other.
fn over_time(load: &[&Measured], settings: &[String]) -> Option<Panel> {
    let noted: Vec<&&Measured> = load.iter().filter(|m| !m.figures.over_time.is_empty()).collect();
    let (first, others) = noted.split_first()?;
    let quickest = others.iter().max_by(|a, b| a.figures.rate.median.total_cmp(&b.figures.rate.median));
    let told: Vec<&&Measured> = std::iter::once(first).chain(quickest).copied().collect();
    let how = "repeats one after the other; the first setting and the quickest other";
    let mut panel = Panel::new(&format!("Rate over time, {}", first.cell.load()), how);
    let repeats = told.iter().map(|m| m.figures.over_time.len()).max()?;
    let values = told.iter().flat_map(|m| m.figures.over_time.iter().flatten().copied());
    let most = values.fold(1.0, f64::max);
    let (x, y) = panel.plot(Axis::from_zero(repeats as f64, (LEFT, RIGHT)), |places| Axis::from_zero(most, places));
    panel.scale_left(&y, &|value| short(rate(value)));
    for repeat in 0..repeats {
        panel.name_below(x.place(repeat as f64 + 0.5), &(repeat + 1).to_string());
        panel.upright(x.place(repeat as f64), "grid");
    }
    for m in &told {
        for (repeat, slices) in m.figures.over_time.iter().enumerate() {
            let at = |slice: usize| x.place(repeat as f64 + slice as f64 / slices.len().max(1) as f64);
            let steps = slices.iter().enumerate().flat_map(|(slice, value)| [(at(slice), *value), (at(slice + 1), *value)]);
            let line: Vec<(f64, f64)> = steps.map(|(px, value)| (px, y.place(value))).collect();
            let words = format!(
                "{}, repeat {}: {}/s at least, {}/s at most",
                label(&m.cell),
                repeat + 1,
                rate(least(slices)),
                rate(peak(slices))
            );
            panel.path(&line, style(settings, m), &words);
        }
    }
    panel.axis_words("repeat", "appends a second");
    let names: Vec<String> = told.iter().map(|m| label(&m.cell)).collect();
    panel.legend(&names.iter().collect::<Vec<_>>(), settings);
    Some(panel)
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

fn peak(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// In the first bytes of every file of charts: by it walctl knows its own.
pub const MARK: &str = "<svg data-of=\"walctl bench\"";

/// The charts below each other, as a file of their own.
pub fn svg(found: &Session) -> String {
    let panels = all(found);
    let height: f64 = panels.iter().map(|panel| panel.height() + BOTTOM).sum::<f64>().max(BOTTOM);
    let (wide, style) = (super::panels::WIDTH, concat!(include_str!("../html.css"), include_str!("charts.css")));
    let mut text = format!(
        "<svg data-of=\"walctl bench\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {height:.0}\" width=\"{:.0}\" height=\"{:.0}\">\n\
         <style>\n{style}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        wide * 1.5,
        height * 1.5
    );
    let mut y = 0.0;
    for panel in &panels {
        let _ = write!(text, "<g transform=\"translate(0 {y:.0})\" class=\"chart\">\n{}</g>\n", panel.body());
        y += panel.height() + BOTTOM;
    }
    text.push_str("</svg>\n");
    text
}

/// The charts beside and below each other, as a part of a page.
pub fn html(found: &Session) -> String {
    let mut text = String::from("<div class=\"charts\">\n");
    for panel in all(found) {
        let _ = write!(
            text,
            "<svg class=\"chart\" viewBox=\"0 0 {} {:.0}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            super::panels::WIDTH,
            panel.height(),
            panel.title(),
            panel.body()
        );
    }
    text + "</div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_figures_and_shares_are_short() {
        assert_eq!(
            ["10.0K", "2.00ms", "1.50ms", "720", "0ns"].map(|text| short(text.into())),
            ["10K", "2ms", "1.5ms", "720", "0ns"]
        );
        assert_eq!([1.0, 0.5, 0.1, 1e-4, 0.0].map(share), ["all", "50 %", "1 in 10", "1 in 10K", "none"]);
    }
}
