//! Charts of a benchmark as SVG, and a page around them that needs nothing else.

use std::fmt::Write as _;

use walctl::bench::{Measured, PARTS};

use super::text::{label, rate, span};
use walctl::bench::Session;

const COLOURS: [&str; 5] = ["#c7c7c7", "#f2b134", "#4f9d69", "#3366aa", "#a05195"];
const ROW: usize = 22;
const LEFT: usize = 290;
const WIDE: f64 = 420.0;

/// The charts alone.
pub fn svg(found: &Session) -> String {
    let rows = found.outcome.measured.len();
    let height = (rows * 2 + 6) * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 {height}\" width=\"820\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut y = ROW;
    head(&mut text, y, "acknowledged appends a second; thin line: smallest to largest repeat");
    let all = &found.outcome.measured;
    let most = all.iter().map(|m| m.figures.rate.max).fold(1.0, f64::max);
    for m in all {
        y += ROW;
        name(&mut text, y, m);
        let (wide, from, to) =
            (m.figures.rate.median / most * WIDE, m.figures.rate.min / most * WIDE, m.figures.rate.max / most * WIDE);
        let (top, middle) = (y - 12, y - 5);
        let (from, to) = (LEFT as f64 + from, LEFT as f64 + to);
        let _ = writeln!(text, "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{wide:.1}\" height=\"14\" fill=\"#3366aa\"/>");
        let _ = writeln!(text, "<line x1=\"{from:.1}\" y1=\"{middle}\" x2=\"{to:.1}\" y2=\"{middle}\" stroke=\"black\"/>");
        let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{y}\">{}</text>", to + 6.0, rate(m.figures.rate.median));
    }
    y += 2 * ROW;
    head(&mut text, y, "where the time of an append goes (mean; bars of one load share a scale)");
    y += ROW;
    for (index, (part, colour)) in PARTS.iter().zip(COLOURS).enumerate() {
        let x = LEFT + index * 80;
        let _ = writeln!(text, "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>", y - 11);
        let _ = writeln!(text, "<text x=\"{}\" y=\"{y}\">{part}</text>", x + 16);
    }
    let total = |m: &Measured| m.figures.parts.iter().map(|part| part.median).sum::<f64>();
    for m in all {
        y += ROW;
        name(&mut text, y, m);
        let most = all.iter().filter(|o| o.cell.load() == m.cell.load()).map(total).fold(1.0, f64::max);
        let mut x = LEFT as f64;
        for (part, colour) in m.figures.parts.iter().zip(COLOURS) {
            let wide = part.median / most * WIDE;
            let _ = writeln!(text, "<rect x=\"{x:.1}\" y=\"{}\" width=\"{wide:.1}\" height=\"14\" fill=\"{colour}\"/>", y - 12);
            x += wide;
        }
        let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{y}\">{}</text>", x + 6.0, span(total(m)));
    }
    text.push_str("</svg>\n");
    text
}

fn head(text: &mut String, y: usize, words: &str) {
    let _ = writeln!(text, "<text x=\"8\" y=\"{y}\" font-weight=\"bold\">{}</text>", escape(words));
}

fn name(text: &mut String, y: usize, m: &Measured) {
    let words = format!("{} {}", m.cell.load(), label(&m.cell));
    let _ = writeln!(text, "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>", LEFT - 8, escape(&words));
}

/// One page with everything in it.
pub fn html(found: &Session) -> String {
    let place = &found.place;
    let mut text = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>walctl bench</title>\n<style>body{font-family:\
         sans-serif;max-width:860px;margin:2em auto}table{border-collapse:collapse}td,th{padding:2px 10px;text-align:right;\
         border-bottom:1px solid #ddd}td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}.bad{color:#b00;font-weight:bold}\
         code{background:#eee;padding:2px 4px}</style></head><body>\n<h1>walctl bench</h1>\n",
    );
    let _ = writeln!(
        text,
        "<p>{} on {} {}, {} cache, {} processors, Linux {}</p>",
        escape(&place.filesystem),
        escape(&place.device),
        escape(&place.model),
        escape(&place.write_cache),
        place.cpus,
        escape(&place.kernel)
    );
    for doubt in &found.doubts {
        let class = if doubt.grave { " class=\"bad\"" } else { "" };
        let _ = writeln!(text, "<p{class}>{}</p>", escape(&doubt.words));
    }
    if let Some(advice) = &found.advice {
        let _ = writeln!(text, "<h2>What to set</h2>\n<p>{}</p>\n<ul>", escape(&advice.headline));
        for reason in &advice.reasons {
            let _ = writeln!(text, "<li>{}</li>", escape(reason));
        }
        let _ = writeln!(text, "</ul>\n<p><code>walctl append DIR {}</code></p>", escape(&advice.flags));
    }
    text.push_str("<h2>Figures</h2>\n<table><tr><th>load</th><th>setting</th><th>appends/s</th><th>min</th><th>max</th><th>p50</th><th>p99</th><th>p99.9</th><th>acks/sync</th></tr>\n");
    for m in &found.outcome.measured {
        let f = &m.figures;
        let at = |name: &str| f.percentile(name).map_or(String::new(), |s| span(s.median));
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td></tr>",
            escape(&m.cell.load()),
            escape(&label(&m.cell)),
            rate(f.rate.median),
            rate(f.rate.min),
            rate(f.rate.max),
            at("p50"),
            at("p99"),
            at("p99.9"),
            f.amortization.median
        );
    }
    text.push_str("</table>\n<h2>Charts</h2>\n");
    text.push_str(&svg(found));
    text.push_str(
        "<h2>The disk by itself</h2>\n<table><tr><th>room</th><th>way</th><th>bytes</th><th>median</th><th>p99</th></tr>\n",
    );
    for cost in &found.probe.costs {
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            cost.room.name(),
            cost.way.name(),
            cost.bytes,
            span(cost.median.median),
            span(cost.p99 as f64)
        );
    }
    text.push_str("</table>\n</body></html>\n");
    text
}

fn escape(text: &str) -> String {
    let safe = crate::cli::render::escape::line(text);
    safe.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escape("<b a=\"x\">&\x1b"), "&lt;b a=&quot;x&quot;&gt;&amp;\\x1b");
    }
}
