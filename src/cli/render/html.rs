//! Pages that need nothing else: no script, no font, no picture, no network. Light or dark as the reader's system is, and readable on a phone.

use std::fmt::Write as _;

/// Colours, letters and boxes of every page.
pub const STYLE: &str = include_str!("html.css");
/// Nothing may be loaded or run, whatever stands in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A label and its value.
pub type Fact = (&'static str, String);

/// The beginning of a page up to its heading. `mark` is a comment by which walctl knows its own page; `style` is added to that of all pages.
pub fn begin(mark: &str, title: &str, style: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n{mark}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
}

/// The end of a page.
pub const END: &str = "</body>\n</html>\n";

/// Labels and values.
pub fn facts(text: &mut String, facts: &[Fact]) {
    text.push_str("<dl>\n");
    for (label, value) in facts {
        let _ = writeln!(text, "<dt>{label}</dt><dd>{}</dd>", escape(value));
    }
    text.push_str("</dl>\n");
}

/// A list.
pub fn items(text: &mut String, lines: &[String]) {
    text.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(text, "<li>{}</li>", escape(line));
    }
    text.push_str("</ul>\n");
}

/// Text that no browser takes for markup, in a value or between tags.
pub fn escape(text: &str) -> String {
    let safe = super::escape::line(text);
    safe.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escape("<b a=\"x\" b='y'>&\x1b\n"), "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\\x1b\\n");
    }
}
