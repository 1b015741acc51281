//! How a payload is shown: as text, hex, base64, JSON, or only its length; and pieces of it made ready for that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use walctl::model::{Payload, Result};

/// How payloads are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// Text where it is UTF-8, else hex (in JSON and CSV: base64)
    #[default]
    Auto,
    /// Text, with escapes for what is none
    Text,
    /// Hex digits
    Hex,
    /// Base64
    Base64,
    /// JSON documents without needless blanks; text where it is none
    Json,
    /// Only its length
    Len,
}

/// A document longer than this is shown as text: parsing needs all of it at once.
pub const LONGEST_DOCUMENT: u64 = 8 << 20;

/// Whether all of it is UTF-8. A long payload is read through once.
pub fn is_utf8(payload: &Payload<'_>) -> Result<bool> {
    if let Some(bytes) = payload.whole() {
        return Ok(std::str::from_utf8(bytes).is_ok());
    }
    let mut good = true;
    characters(payload, &mut |piece, _| {
        good = good && std::str::from_utf8(piece).is_ok();
        Ok(())
    })?;
    Ok(good)
}

/// Hands over a payload in pieces that do not end inside a character; the flag marks the last one. There is always a last one.
pub fn characters(payload: &Payload<'_>, take: &mut dyn FnMut(&[u8], bool) -> Result<()>) -> Result<()> {
    if let Some(bytes) = payload.whole() {
        return take(bytes, true);
    }
    let mut kept: Vec<u8> = Vec::new();
    payload.each(&mut |piece| {
        let whole = if kept.is_empty() {
            piece
        } else {
            kept.extend_from_slice(piece);
            &kept
        };
        let cut = whole.len() - open_end(whole);
        if cut > 0 {
            take(&whole[..cut], false)?;
        }
        kept = whole[cut..].to_vec();
        Ok(())
    })?;
    take(&kept, true)
}

/// How many bytes at the end are the start of a character that is not all there.
fn open_end(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let need = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => 0,
        };
        return if need > back { back } else { 0 };
    }
    0
}

/// Appends base64 of a payload, piece by piece; `spill` is asked to take away what has gathered.
pub fn push_base64(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    let mut open: Vec<u8> = Vec::new();
    payload.each(&mut |piece| {
        // Three bytes make four characters: what is left of a piece waits for the next one.
        let mut piece = piece;
        if !open.is_empty() {
            let missing = (3 - open.len()).min(piece.len());
            open.extend_from_slice(&piece[..missing]);
            piece = &piece[missing..];
            if open.len() < 3 {
                return Ok(());
            }
            encode(buf, &open);
            open.clear();
        }
        for chunk in piece.chunks(PIECE) {
            let whole = chunk.len() - chunk.len() % 3;
            encode(buf, &chunk[..whole]);
            open.extend_from_slice(&chunk[whole..]);
            spill(buf)?;
        }
        Ok(())
    })?;
    encode(buf, &open);
    Ok(())
}

/// A multiple of three.
const PIECE: usize = 48 << 10;

/// Takes a buffer's content away when it has become long.
pub type Spill<'s> = dyn FnMut(&mut Vec<u8>) -> Result<()> + 's;

fn encode(buf: &mut Vec<u8>, bytes: &[u8]) {
    let start = buf.len();
    buf.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let count = STANDARD.encode_slice(bytes, &mut buf[start..]).expect("the room was made for it");
    buf.truncate(start + count);
}

/// Appends hex digits of a payload.
pub fn push_hex(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    payload.each(&mut |piece| {
        for chunk in piece.chunks(PIECE) {
            hex(buf, chunk);
            spill(buf)?;
        }
        Ok(())
    })
}

/// Appends the hex digits of some bytes.
pub fn hex(buf: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    buf.reserve(bytes.len() * 2);
    for byte in bytes {
        buf.push(DIGITS[usize::from(byte >> 4)]);
        buf.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// The payload as a JSON document without needless blanks, if it is one and not too long.
pub fn document(payload: &Payload<'_>) -> Result<Option<String>> {
    if payload.length() > LONGEST_DOCUMENT {
        return Ok(None);
    }
    let mut all = Vec::new();
    let bytes = match payload.whole() {
        Some(bytes) => bytes,
        None => {
            payload.each(&mut |piece| {
                all.extend_from_slice(piece);
                Ok(())
            })?;
            &all
        }
    };
    // Numbers keep their digits and objects the order of their keys: nothing is parsed into values.
    Ok(serde_json::from_slice::<&serde_json::value::RawValue>(bytes).ok().map(|raw| compact(raw.get())))
}

/// Takes blanks between tokens out of a valid document.
fn compact(text: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        if inside {
            inside = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            inside = c == '"';
        }
        out.push(c);
    }
    out
}

/// Appends a number in decimal.
#[inline]
pub fn number(buf: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    buf.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::model::Pieces;

    /// The same bytes as a long payload that comes in pieces of `size`.
    fn long<T>(bytes: &[u8], size: usize, see: impl FnOnce(&Payload<'_>) -> T) -> T {
        let pieces: &Pieces<'_> = &|take| bytes.chunks(size).try_for_each(&mut *take);
        see(&Payload::Long(bytes.len() as u64, pieces))
    }

    #[test]
    fn utf8_is_told_from_the_rest_wherever_the_pieces_are_cut() {
        let text = "añ€😀z".as_bytes();
        for size in 1..=text.len() {
            assert!(long(text, size, |p| is_utf8(p).expect("it reads")), "{size}");
            assert!(!long(&text[..text.len() - 2], size, |p| is_utf8(p).expect("it reads")), "{size}");
            assert!(!long(&[b"\xff", text].concat(), size, |p| is_utf8(p).expect("it reads")), "{size}");
        }
        assert!(is_utf8(&Payload::Whole(b"")).expect("it reads"));
    }

    #[test]
    fn base64_and_hex_do_not_depend_on_the_pieces() {
        let bytes: Vec<u8> = (0..=255).collect();
        for count in [0, 1, 2, 3, 4, 5, 255, 256] {
            let whole = STANDARD.encode(&bytes[..count]);
            for size in [1, 2, 3, 4, 5, 100] {
                let mut buf = Vec::new();
                long(&bytes[..count], size, |p| push_base64(&mut buf, p, &mut |_| Ok(()))).expect("it reads");
                assert_eq!(String::from_utf8_lossy(&buf), whole, "{count} in {size}");
                buf.clear();
                long(&bytes[..count], size, |p| push_hex(&mut buf, p, &mut |_| Ok(()))).expect("it reads");
                assert_eq!(buf.len(), count * 2);
            }
        }
    }

    #[test]
    fn documents_lose_their_blanks_and_nothing_else() {
        let show = |text: &str| document(&Payload::Whole(text.as_bytes())).expect("it reads");
        assert_eq!(show("{ \"a b\" : [1.50, \"\\\" x\"] }\n").as_deref(), Some(r#"{"a b":[1.50,"\" x"]}"#));
        assert_eq!(show("{\"a\":1} x"), None);
        assert_eq!(show(""), None);
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 9, 10, 12_345, u64::MAX] {
            let mut buf = Vec::new();
            number(&mut buf, n);
            assert_eq!(buf, n.to_string().into_bytes());
        }
    }
}
