//! Bytes in hex with their text beside them, sixteen a line.

use std::fmt::Write as _;
use std::ops::Range;

const WIDTH: usize = 16;

/// Lines of `bytes`, which stand at `offset`. A line with a byte of `marked` begins with `>`. Lines that repeat the one before are
/// left out, and an asterisk says so.
pub fn lines(bytes: &[u8], offset: u64, marked: Range<u64>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let digits = (offset + bytes.len() as u64).to_string().len();
    let chunks: Vec<&[u8]> = bytes.chunks(WIDTH).collect();
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
                Some(byte) => write!(line, "{gap}{byte:02x}"),
                None => write!(line, "{gap}  "),
            };
        }
        line.push_str("  |");
        line.extend(chunk.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }));
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
        let lines = lines(&bytes, 4096, 4112..4114);
        assert_eq!(lines[0], "  4096  57 4c 46 31 20 61 6c 70  68 61 20 62 65 74 61 20  |WLF1 alpha beta |");
        assert!(lines[1].starts_with("> 4112  1b 00") && lines[1].ends_with("|................|"), "{}", lines[1]);
        assert_eq!((lines[3].as_str(), lines.len()), ("*", 5));
    }
}
