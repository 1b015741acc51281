//! How wide text is on a terminal, and sentences that are longer than a line of it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns safe text takes: two for a character of Chinese, Japanese or Korean and for most emoji.
pub fn columns(safe: &str) -> usize {
    safe.width()
}

/// How many columns one character takes.
pub fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Breaks a line at blanks so that it fits; what follows stands two columns further to the right. Words stay whole, so that names can be
/// pasted, and a line that is to be typed stays one line.
pub fn wrap(line: &str, width: usize) -> String {
    let begins = line.len() - line.trim_start_matches(' ').len();
    if visible(line) <= width || line[begins..].starts_with("next: walctl ") {
        return line.to_owned();
    }
    let indent = " ".repeat(begins + 2);
    let mut out = line[..begins].to_owned();
    let mut used = begins;
    let mut fresh = true;
    for word in line[begins..].split(' ') {
        let long = visible(word);
        if !fresh && used + 1 + long > width {
            out.push('\n');
            out.push_str(&indent);
            (used, fresh) = (indent.len(), true);
        }
        if !fresh {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += long;
        fresh = false;
    }
    out
}

/// How many columns text takes that has colours in it.
fn visible(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let first = parts.next().map_or(0, columns);
    first + parts.map(|part| columns(part.split_once('m').map_or(part, |(_, shown)| shown))).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_at_blanks_and_nothing_of_it_is_lost() {
        let line = "  it was acknowledged: later records are there, and they were written after it";
        for width in 20..90 {
            let wrapped = wrap(line, width);
            assert!(wrapped.lines().all(|line| columns(line) <= width), "{width}: {wrapped}");
            let again: Vec<&str> = wrapped.split_whitespace().collect();
            assert_eq!(again, line.split_whitespace().collect::<Vec<_>>());
            assert!(wrapped.lines().skip(1).all(|line| line.starts_with("    ")));
        }
        assert_eq!(wrap(line, 78), line);
    }

    #[test]
    fn names_and_commands_stay_whole_and_colours_take_no_room() {
        let name = "/a/very/long/name/of/a/segment/that/is/longer/than/the/line.wal: torn";
        assert_eq!(wrap(name, 30), "/a/very/long/name/of/a/segment/that/is/longer/than/the/line.wal:\n  torn");
        let next = "  next: walctl repair /a/very/long/name --salvage /a/very/long/name-salvaged";
        assert_eq!(wrap(next, 30), next);
        assert_eq!(wrap("\x1b[1mone two\x1b[0m", 7), "\x1b[1mone two\x1b[0m");
        assert_eq!(wrap("\x1b[1mone two\x1b[0m", 6), "\x1b[1mone\n  two\x1b[0m");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!((columns("日本"), columns("é"), columns("🎉"), columns("ab")), (4, 1, 2, 2));
        assert_eq!(wrap("日本 日本", 8), "日本\n  日本");
    }
}
