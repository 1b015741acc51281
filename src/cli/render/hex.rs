//! Bytes in hex with their text beside them, sixteen a line.

use std::fmt::Write as _;
use std::ops::Range;

const WIDTH: usize = 16;

/// What stands for a byte that is not shown. Zeros are always shown: where they begin tells how far a write had come.
pub const HIDDEN: &str = "xx";

/// Lines of `bytes`, which stand at `offset`. A line with a byte of `marked` begins with `>`. Lines that repeat the one before are
/// left out, and an asterisk says so. Bytes outside of `shown` are hidden.
pub fn lines(bytes: &[u8], offset: u64, marked: Range<u64>, shown: Option<Range<u64>>) -> Vec<String> {
    let is_shown = |(at, byte): (u64, &u8)| *byte == 0 || shown.as_ref().is_none_or(|shown| shown.contains(&at));
    let bytes: Vec<Option<u8>> = (offset..).zip(bytes).map(|(at, byte)| is_shown((at, byte)).then_some(*byte)).collect();
    let mut out: Vec<String> = Vec::new();
    let digits = (offset + bytes.len() as u64).to_string().len();
    let chunks: Vec<&[Option<u8>]> = bytes.chunks(WIDTH).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        let at = offset + (index * WIDTH) as u64;
        let touches = |at: u64, length: usize| at < marked.end && marked.start < at + length as u64;
        let repeats = index > 0 && index + 1 < chunks.len() && chunks[index - 1] == *chunk;
        if repeats && touches(at, WIDTH) == touches(at - WIDTH as u64, WIDTH) {
            if out.last().is_some_and(|last| last != "*") {
                out.push("*".to_owned());
            }
            continue;
        }
        let mut line = format!("{} {at:digits$} ", if touches(at, chunk.len()) { '>' } else { ' ' });
        for place in 0..WIDTH {
            let gap = if place == WIDTH / 2 { "  " } else { " " };
            let _ = match chunk.get(place) {
                Some(Some(byte)) => write!(line, "{gap}{byte:02x}"),
                Some(None) => write!(line, "{gap}{HIDDEN}"),
                None => write!(line, "{gap}  "),
            };
        }
        line.push_str("  |");
        line.extend(chunk.iter().map(|byte| byte.filter(|byte| (b' '..=b'~').contains(byte)).map_or('.', char::from)));
        line.push('|');
        out.push(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_hold_damage_are_marked_and_repeats_left_out() {
        let mut bytes = b"WLF1 alpha beta \x1b".to_vec();
        bytes.resize(96, 0);
        let lines = lines(&bytes, 4096, 4112..4114, None);
        assert_eq!(lines[0], "  4096  57 4c 46 31 20 61 6c 70  68 61 20 62 65 74 61 20  |WLF1 alpha beta |");
        assert!(lines[1].starts_with("> 4112  1b 00") && lines[1].ends_with("|................|"), "{}", lines[1]);
        assert_eq!((lines[3].as_str(), lines.len()), ("*", 5));
    }

    #[test]
    fn what_is_hidden_shows_only_where_zeros_stand() {
        let lines = lines(b"\x04\0\0\0secret\0\0", 8, 8..16, Some(8..12));
        assert_eq!(lines, [">  8  04 00 00 00 xx xx xx xx  xx xx 00 00              |............|"]);
    }
}
