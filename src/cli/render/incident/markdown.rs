//! The report as Markdown, for tickets and chats.

use std::fmt::Write as _;

use walctl::model::units::{count, show_duration};

use super::{DamageIncident, Fact, Incident, LogIncident, MARK, drawing, html};
use crate::cli::render::escape;

/// The page.
pub fn page(incident: &Incident) -> String {
    let mut text = format!("{MARK}\n# {}\n\n", plain(&html::title(incident)));
    let _ = writeln!(
        text,
        "Made at {} by `walctl`, which took {} and ended with {}:\n",
        incident.made,
        show_duration(incident.took),
        incident.exit.code()
    );
    block(&mut text, &[incident.command.as_str()]);
    let mut number = 0;
    for log in &incident.logs {
        self::log(&mut text, log, &mut number);
    }
    if !incident.failed.is_empty() {
        text += "## Not looked at\n\n";
        items(&mut text, &incident.failed);
    }
    if !incident.clean.is_empty() {
        text += "## All is well in\n\n";
        items(&mut text, &incident.clean);
        if incident.more_clean > 0 {
            let _ = writeln!(text, "and {} more\n", incident.more_clean);
        }
    }
    text += "## Made with\n\n";
    facts(&mut text, &incident.host);
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn log(text: &mut String, log: &LogIncident, number: &mut usize) {
    let _ =
        writeln!(text, "**{}**: {}\n\n{}\n\n{}\n", log.verdict_name, plain(&log.meaning), plain(&log.promise), plain(&log.path));
    text.push_str("## What to do\n\n");
    if log.next.is_empty() {
        text.push_str("Nothing.\n\n");
    }
    block(text, &log.next.iter().map(String::as_str).collect::<Vec<_>>());
    let _ = writeln!(text, "If nothing is done: {}\n\n## The log\n", plain(&log.will));
    facts(text, &log.facts);
    let drawn = drawing::characters(&log.map);
    block(text, &drawn.iter().map(String::as_str).collect::<Vec<_>>());
    if !log.damage.is_empty() {
        text.push_str("## Damage\n\n");
    }
    for damage in &log.damage {
        *number += 1;
        self::damage(text, damage, *number);
    }
    if log.redacted && !log.damage.is_empty() {
        text.push_str("Bytes that may be content are shown as xx; --show-payloads shows them.\n\n");
    }
    if !log.listed.is_empty() {
        text.push_str("### Further damage\n\n");
        block(text, &log.listed.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if log.unlisted > 0 {
        let _ = writeln!(text, "and {} more; walctl verify --json lists all\n", count(log.unlisted, "piece"));
    }
    if !log.notes.is_empty() {
        text.push_str("## Worth knowing\n\n");
        items(text, &log.notes);
    }
    if !log.files.is_empty() {
        text.push_str("## Files\n\n| file | bytes | changed | mode, owner, inode, links | SHA-256 |\n|---|---|---|---|---|\n");
        for file in &log.files {
            let cells = [&file.name, &file.bytes, &file.modified, &file.stat, &file.hash].map(|cell| plain(cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text.push('\n');
        if log.more_files > 0 {
            let _ = writeln!(text, "and {} in which nothing is wrong\n", count(log.more_files as u64, "more file"));
        }
    }
}

fn damage(text: &mut String, damage: &DamageIncident, number: usize) {
    let _ = writeln!(text, "### {number}. {}: {}\n", damage.verdict.name(), plain(damage.kind));
    block(text, &[damage.place.as_str()]);
    let _ = writeln!(text, "{}\n", plain(damage.words));
    facts(text, &damage.facts);
    block(text, &damage.hex.iter().map(String::as_str).collect::<Vec<_>>());
    text.push_str("Next:\n\n");
    block(text, &[damage.next.as_str()]);
}

fn facts(text: &mut String, facts: &[Fact]) {
    for (label, value) in facts {
        let _ = writeln!(text, "- {label}: {}", plain(value));
    }
    text.push('\n');
}

fn items(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "- {}", plain(line));
    }
    text.push('\n');
}

/// Lines as they are. They are indented rather than fenced, for no line can end that.
fn block(text: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(text, "    {}", escape::line(line));
    }
    if !lines.is_empty() {
        text.push('\n');
    }
}

/// Text that no renderer takes for markup, and no chat for a link or a name.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in escape::line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    // An address would become a link.
    out.replace("://", ":&#47;&#47;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(plain("a|b `c` <img> [x](http://y) @all\n"), r"a\|b \`c\` &lt;img&gt; \[x\](http:&#47;&#47;y) &#64;all\\n");
        let mut text = String::new();
        block(&mut text, &["```", "x\ny"]);
        assert_eq!(text, "    ```\n    x\\ny\n\n");
    }
}
