//! The only way in which bytes from a log, and names from a disk, become text on a terminal.
//!
//! What is printable stays as it is. All else is escaped as in a Rust string: `\n`, `\x1b`, `\u{202e}`. A backslash is doubled, so
//! that the text leads back to the bytes and nothing in a log can pass for an escape that we made.

use std::fmt::Write as _;

use super::wrap;

/// Bytes as one line of safe text.
pub fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    push(&mut out, bytes);
    out
}

/// The same, no wider than `limit` columns; three dots say that something was left out, and never stand inside an escape.
pub fn short(bytes: &[u8], limit: usize) -> String {
    // Each shown character comes from four bytes at most: nothing after these can be needed.
    let enough = &bytes[..bytes.len().min(limit.saturating_add(1).saturating_mul(4))];
    let (mut out, mut shown, mut cut) = (String::new(), 0, 0);
    let mut unit = String::new();
    for chunk in enough.utf8_chunks() {
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        let valid = chunk.valid().chars().map(|c| {
            unit.clear();
            push_char(&mut unit, c, true);
            unit.clone()
        });
        for piece in valid.chain(invalid) {
            shown += wrap::columns(&piece);
            out.push_str(&piece);
            if shown + 3 <= limit {
                cut = out.len();
            }
            if shown > limit {
                out.truncate(cut);
                out.push_str("...");
                return out;
            }
        }
    }
    out
}

/// Text that is safe already, no wider than `limit` columns.
pub fn short_line(safe: &str, limit: usize) -> String {
    if wrap::columns(safe) <= limit {
        return safe.to_owned();
    }
    let mut room = limit.saturating_sub(3);
    let fits = |c: &char| {
        let wide = wrap::columns_of(*c);
        let fits = wide <= room;
        room = if fits { room - wide } else { 0 };
        fits
    };
    safe.chars().take_while(fits).chain("...".chars()).collect()
}

/// Text of ours that may contain names from a disk: control characters are escaped, backslashes are left alone.
pub fn line(ours: &str) -> String {
    if ours.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return ours.to_owned();
    }
    let mut out = String::with_capacity(ours.len());
    for c in ours.chars() {
        push_char(&mut out, c, false);
    }
    out
}

/// Appends bytes as safe text.
pub fn push(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        // Most of what people log is plain: copy it in runs.
        let mut rest = valid;
        while let Some(at) = rest.bytes().position(|b| !(b' '..=b'~').contains(&b) || b == b'\\') {
            out.push_str(&rest[..at]);
            let c = rest[at..].chars().next().expect("a byte was found there, and all before it is ASCII");
            push_char(out, c, true);
            rest = &rest[at + c.len_utf8()..];
        }
        out.push_str(rest);
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn push_char(out: &mut String, c: char, backslashes: bool) {
    match c {
        '\\' if backslashes => out.push_str(r"\\"),
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        c if c.is_ascii_control() => {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        c if deceives(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Characters that steer a terminal or hide in a line: C1 controls, directions, invisible and private ones.
fn deceives(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0x9f | 0xad | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xfffe..=0xffff
        | 0xe0000..=0xe0fff | 0xf0000..=0x10_ffff)
}

/// Whether text can be shown without a single escape.
pub fn is_plain(text: &str) -> bool {
    text.chars().all(is_plain_char)
}

/// Whether a character can be shown as it is.
pub fn is_plain_char(c: char) -> bool {
    !c.is_ascii_control() && !deceives(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_reaches_a_terminal_that_could_steer_it() {
        for a in 0..=255u8 {
            for b in [0u8, b'[', 0x1b, 0x80, 0x9b, 0xc2, 0xff] {
                let shown = text(&[a, b]);
                assert!(shown.chars().all(|c| !c.is_control()), "{a:02x} {b:02x}: {shown:?}");
            }
        }
        assert_eq!(text(b"\x1b[31mred\x07"), r"\x1b[31mred\x07");
        assert_eq!(text("a\u{202e}b\u{9b}c".as_bytes()), r"a\u{202e}b\u{9b}c");
        assert_eq!(text("gr\u{fc}\u{df}e".as_bytes()), "gr\u{fc}\u{df}e");
        assert_eq!(text(b"tab\there\\n\xff"), r"tab\there\\n\xff");
    }

    #[test]
    fn different_bytes_give_different_text() {
        let mut seen = std::collections::HashSet::new();
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                assert!(seen.insert(text(&[a, b])), "{a:02x} {b:02x}");
            }
        }
    }

    #[test]
    fn short_text_says_that_it_is_cut_and_ends_with_no_half_escape() {
        assert_eq!(short(b"alpha", 5), "alpha");
        assert_eq!(short(b"alphabet", 7), "alph...");
        assert_eq!(short("日本語のログ".as_bytes(), 12), "日本語のログ");
        assert_eq!(short("日本語のログ".as_bytes(), 10), "日本語...");
        assert_eq!((short_line("日本語のログ", 12), short_line("日本語のログ", 10)), ("日本語のログ".into(), "日本語...".into()));
        for limit in 4..40 {
            let cut = short(&[0x1b; 40], limit);
            let body = cut.strip_suffix("...").unwrap_or(&cut);
            assert_eq!(body.replace(r"\x1b", ""), "", "{limit}: {cut}");
            let slashes = short(&[b'\\'; 60], limit);
            assert_eq!(slashes.bytes().filter(|b| *b == b'\\').count() % 2, 0, "{limit}: {slashes}");
        }
    }

    #[test]
    fn our_own_lines_keep_their_backslashes() {
        assert_eq!(line("cannot open a\\b\x1b[0m: it's gone"), "cannot open a\\b\\x1b[0m: it's gone");
        assert!(is_plain("plain") && !is_plain("a\tb"));
    }
}
