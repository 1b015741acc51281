//! A benchmark as one page that needs nothing else.

use std::fmt::Write as _;

use walctl::bench::{Session, Steadiness};
use walctl::model::units::{count, show_duration};

use super::answer::{first_word, target_words};
use super::charts;
use super::text::{disk_words, label, rate, share, span};
use crate::cli::hint::show;
use crate::cli::render::html::{self, Fact, escape, facts, items};

/// By it walctl knows its own page.
pub const MARK: &str = "<!-- walctl bench -->";
const STYLE: &str = include_str!("charts.css");

/// One page with everything in it.
pub fn page(found: &Session) -> String {
    let mut text = html::begin(MARK, &format!("walctl bench: {}", found.place.dir.display()), STYLE);
    first(&mut text, found);
    for doubt in &found.doubts {
        let (class, head) = if doubt.grave { (" class=\"word bad\"", "Warning: ") } else { ("", "Note: ") };
        let _ = writeln!(text, "<p{class}>{head}{} ({})</p>", escape(&doubt.words), escape(&doubt.name));
    }
    for note in found.outcome.notes.iter().chain(&found.probe.refused) {
        let _ = writeln!(text, "<p>Note: {}</p>", escape(note));
    }
    advice(&mut text, found);
    if !found.outcome.measured.is_empty() {
        figures(&mut text, found);
        let _ = write!(
            text,
            "<h2>Charts</h2>\n<p class=\"dim\">Hold the pointer over what is drawn to see its figures.</p>\n{}",
            charts::html(found)
        );
    }
    targets(&mut text, found);
    disk(&mut text, found);
    text.push_str("<h2>Measured with</h2>\n");
    facts(&mut text, &made(found));
    text + html::END
}

fn first(text: &mut String, found: &Session) {
    let Some(first) = first_word(found) else { return };
    let _ = writeln!(text, "<div class=\"verdict {}\"><p><strong>{}</strong></p>", first.class, escape(first.verdict));
    for words in &first.words {
        let _ = writeln!(text, "<p>{}</p>", escape(words));
    }
    if let Some(next) = &first.next {
        let _ = writeln!(text, "<p>Next: {}</p>", escape(next));
    }
    text.push_str("</div>\n");
}

fn advice(text: &mut String, found: &Session) {
    let Some(advice) = found.advice.as_ref().filter(|_| !found.outcome.measured.is_empty()) else { return };
    let _ = writeln!(text, "<h2>What to set</h2>\n<p><strong>{}</strong></p>", escape(&advice.headline));
    items(text, &advice.reasons);
    if !advice.flags.is_empty() {
        let _ = writeln!(text, "<pre>walctl append DIR {}</pre>", escape(&advice.flags));
    }
}

fn head(text: &mut String, columns: &[&str]) {
    text.push_str("<div class=\"scroll\">\n<table>\n<tr>");
    for column in columns {
        let _ = write!(text, "<th>{column}</th>");
    }
    text.push_str("</tr>\n");
}

fn row(text: &mut String, class: &str, cells: &[String]) {
    let _ = write!(text, "<tr{class}>");
    for cell in cells {
        let _ = write!(text, "<td>{}</td>", escape(cell));
    }
    text.push_str("</tr>\n");
}

const TABLE_END: &str = "</table>\n</div>\n";

fn figures(text: &mut String, found: &Session) {
    text.push_str("<h2>Figures</h2>\n");
    head(
        text,
        &["load", "setting", "appends/s", "smallest", "largest", "p50", "p90", "p99", "p99.9", "max", "acks/sync", "of disk"],
    );
    let quoted: Vec<String> = found.quotable().iter().map(|m| m.cell.key()).collect();
    for m in &found.outcome.measured {
        let f = &m.figures;
        let mut cells = vec![m.cell.load(), label(&m.cell), rate(f.rate.median), rate(f.rate.min), rate(f.rate.max)];
        cells.extend(f.latency.iter().map(|latency| span(latency.median)));
        cells.push(format!("{:.1}", f.amortization.median));
        cells.push(share(found, m).map_or("-".into(), |share| format!("{:.0}%", share * 100.0)));
        row(text, if quoted.contains(&m.cell.key()) { " class=\"quoted\"" } else { "" }, &cells);
    }
    text.push_str(TABLE_END);
    text.push_str(
        "<p class=\"dim\">Medians over the repeats, but for the smallest and the largest repeat. of disk: share of what its syncs would allow.</p>\n",
    );
    let noisy: Vec<String> = found
        .outcome
        .measured
        .iter()
        .filter_map(|m| Some(format!("{} {}: {}", m.cell.load(), label(&m.cell), m.figures.noise()?)))
        .collect();
    if !noisy.is_empty() {
        items(text, &noisy);
    }
}

fn targets(text: &mut String, found: &Session) {
    for target in &found.targets {
        let words = target_words(target);
        let _ = writeln!(text, "<h2>The highest rate that keeps the latency</h2>\n<p>{}</p>", escape(&words));
        head(text, &["wanted", "", "reached", "latency"]);
        for step in &target.steps {
            let kept = if step.kept { "kept" } else { "missed" };
            row(
                text,
                "",
                &[format!("{}/s", rate(step.rate)), kept.into(), format!("{}/s", rate(step.reached)), span(step.latency)],
            );
        }
        text.push_str(TABLE_END);
    }
}

fn disk(text: &mut String, found: &Session) {
    if found.probe.costs.is_empty() {
        return;
    }
    text.push_str("<h2>The disk by itself</h2>\n");
    let _ = writeln!(text, "<p>{}</p>", escape(&disk_words(found).join("; ")));
    head(text, &["written into", "made durable by", "bytes", "median", "quickest pass", "slowest pass", "p99", "writes"]);
    for cost in &found.probe.costs {
        let ns = &cost.median;
        let cells = [span(ns.median), span(ns.min), span(ns.max), span(cost.p99 as f64), cost.writes.to_string()];
        let names = [cost.room.name().to_owned(), cost.way.name().to_owned(), cost.bytes.to_string()];
        row(text, "", &names.into_iter().chain(cells).collect::<Vec<_>>());
    }
    text.push_str(TABLE_END);
}

fn made(found: &Session) -> Vec<Fact> {
    let place = &found.place;
    let known = |text: &str| if text.is_empty() { "not noted".to_owned() } else { text.to_owned() };
    let trust = if found.is_distrusted() {
        "do not: an acknowledgement here does not survive a power failure"
    } else {
        "nothing speaks against this disk; only cutting the power proves it"
    };
    let noise = match found.steadiness() {
        Steadiness::Unknown => "nothing was repeated",
        Steadiness::Steady => "repeats agree",
        Steadiness::Noisy => "repeats of some settings differ",
        Steadiness::TooNoisy => "too noisy: repeats of most settings differ by more than half",
    };
    let spins = match place.spins {
        Some(true) => ", which says that it spins",
        Some(false) => ", which says that it does not spin",
        None => "",
    };
    let device = if place.device.is_empty() {
        "no device".to_owned()
    } else {
        format!("{}{spins}", format!("{} {}", place.device, place.model).trim())
    };
    vec![
        ("when", found.made.map_or("not noted".to_owned(), |made| made.to_string())),
        ("walctl", known(&found.version)),
        ("command", known(&found.command)),
        ("took", show_duration(found.took)),
        ("folder", show(&place.dir)),
        ("disk", device),
        ("write cache", known(&place.write_cache)),
        ("filesystem", format!("{} of {} at {}", known(&place.filesystem), known(&place.source), known(&place.mount_point))),
        ("options", place.options.join(",")),
        ("trust", trust.to_owned()),
        ("noise", noise.to_owned()),
        ("rounds", count(found.outcome.rounds as u64, "whole round")),
        ("machine", format!("{}, Linux {}", count(place.cpus as u64, "processor"), place.kernel)),
    ]
}
