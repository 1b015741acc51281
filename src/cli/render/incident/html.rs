//! The report as one page that needs nothing else: no script, no font, no picture, no network.

use std::fmt::Write as _;

use walctl::model::Verdict;
use walctl::model::units::{count, show_duration};

use super::{DamageIncident, Incident, LogIncident, MARK, drawing, grade};
use crate::cli::render::html::{self, escape, facts, items};

/// The page.
pub fn page(incident: &Incident) -> String {
    let mut text = html::begin(MARK, &title(incident), "");
    let _ = writeln!(
        text,
        "<p class=\"dim\">Made at {} by <code>{}</code>, which took {} and ended with {}.</p>",
        incident.made,
        escape(&incident.command),
        show_duration(incident.took),
        incident.exit.code()
    );
    let mut number = 0;
    for log in &incident.logs {
        self::log(&mut text, log, &mut number);
    }
    if !incident.failed.is_empty() {
        text += "<h2>Not looked at</h2>\n";
        items(&mut text, &incident.failed);
    }
    if !incident.clean.is_empty() {
        text += "<h2>All is well in</h2>\n";
        items(&mut text, &incident.clean);
        if incident.more_clean > 0 {
            let _ = writeln!(text, "<p>and {} more</p>", incident.more_clean);
        }
    }
    text += "<h2>Made with</h2>\n";
    facts(&mut text, &incident.host);
    text += html::END;
    text
}

/// What the report is about, in a line.
pub fn title(incident: &Incident) -> String {
    match &incident.logs[..] {
        [log] => format!("{}: {}", log.path, log.verdict_name),
        [] => format!("{} checked, all is well", count(incident.clean.len() as u64 + incident.more_clean, "log")),
        logs => format!("{} of {} are not clean", logs.len(), count(total(incident), "log")),
    }
}

fn total(incident: &Incident) -> u64 {
    (incident.logs.len() + incident.clean.len() + incident.failed.len()) as u64 + incident.more_clean
}

fn log(text: &mut String, log: &LogIncident, number: &mut usize) {
    let unchecked = log.verdict == Verdict::Clean && log.verdict_name != Verdict::Clean.name();
    let class = grade((!unchecked).then_some(log.verdict));
    let _ = writeln!(
        text,
        "<section>\n<div class=\"verdict {class}\"><p><strong>{}</strong>: {}</p>\n<p>{}</p>\n<p class=\"dim\">{}</p></div>",
        log.verdict_name,
        escape(&log.meaning),
        escape(&log.promise),
        escape(&log.path)
    );
    text.push_str("<h2>What to do</h2>\n");
    if log.next.is_empty() {
        text.push_str("<p>Nothing.</p>\n");
    }
    for next in &log.next {
        let _ = writeln!(text, "<pre>{}</pre>", escape(next));
    }
    let _ = writeln!(text, "<p>If nothing is done: {}</p>", escape(&log.will));
    text.push_str("<h2>The log</h2>\n");
    facts(text, &log.facts);
    text.push_str(&drawing::draw(&log.map));
    if !log.damage.is_empty() {
        text.push_str("<h2>Damage</h2>\n");
    }
    for damage in &log.damage {
        *number += 1;
        self::damage(text, damage, *number);
    }
    if log.redacted && !log.damage.is_empty() {
        text.push_str("<p class=\"dim\">Bytes that may be content are shown as xx; --show-payloads shows them.</p>\n");
    }
    if !log.listed.is_empty() || log.unlisted > 0 {
        let _ = writeln!(text, "<h3>Further damage</h3>\n<pre>{}</pre>", escape_lines(&log.listed));
    }
    if log.unlisted > 0 {
        let _ = writeln!(text, "<p>and {} more; walctl verify --json lists all</p>", count(log.unlisted, "piece"));
    }
    if !log.notes.is_empty() {
        text.push_str("<h2>Worth knowing</h2>\n");
        items(text, &log.notes);
    }
    files(text, log);
    text.push_str("</section>\n");
}

fn damage(text: &mut String, damage: &DamageIncident, number: usize) {
    let _ = writeln!(
        text,
        "<div class=\"damage\" id=\"damage-{number}\">\n<h3>{number}. <span class=\"word {}\">{}</span>: {}</h3>\n<p><code>{}</code></p>\n<p>{}</p>",
        grade(Some(damage.verdict)),
        damage.verdict.name(),
        escape(damage.kind),
        escape(&damage.place),
        escape(damage.words)
    );
    facts(text, &damage.facts);
    if !damage.hex.is_empty() {
        text.push_str("<pre>");
        for line in &damage.hex {
            let line = escape(line);
            let _ = if line.starts_with("&gt;") { writeln!(text, "<b>{line}</b>") } else { writeln!(text, "{line}") };
        }
        text.push_str("</pre>\n");
    }
    let _ = writeln!(text, "<p>Next:</p>\n<pre>{}</pre>\n</div>", escape(&damage.next));
}

fn files(text: &mut String, log: &LogIncident) {
    if log.files.is_empty() {
        return;
    }
    text.push_str("<h2>Files</h2>\n<ul class=\"files\">\n");
    for file in &log.files {
        let _ = writeln!(
            text,
            "<li><code>{}</code>, {} bytes, changed at {}<br><span class=\"dim\">{}; SHA-256</span> <code>{}</code></li>",
            escape(&file.name),
            escape(&file.bytes),
            escape(&file.modified),
            escape(&file.stat),
            escape(&file.hash)
        );
    }
    text.push_str("</ul>\n");
    if log.more_files > 0 {
        let _ = writeln!(text, "<p>and {} in which nothing is wrong</p>", count(log.more_files as u64, "more file"));
    }
}

fn escape_lines(lines: &[String]) -> String {
    lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join("\n")
}
