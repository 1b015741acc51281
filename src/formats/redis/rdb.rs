//! The snapshot that a file can begin with: its head, and where it ends.
//!
//! Nothing in it says how long it is. Its end is the first byte FF behind which the sum of everything before stands, or zeros where sums
//! are off and the file ends or goes on with a command.

use crate::disk::Cursor;

/// Reflected polynomial of CRC-64 as Redis uses it.
const POLYNOMIAL: u64 = 0x95AC_9329_AC4B_C9B5;
/// `REDIS0010` and `VALKEY080` are as long.
pub const MAGIC: usize = 9;
/// The mark of the end, and the sum.
pub const END: u64 = 9;
const PIECE: usize = 128 << 10;
/// From this version on there is a sum.
const SUMMED_SINCE: u32 = 5;
/// How a command begins that can stand behind a snapshot.
const BEGINNINGS: [&[u8]; 3] = [b"*2\r\n$6\r\nSELECT\r\n", b"#TS:", b"*1\r\n$5\r\nMULTI\r\n"];
const LONGEST_BEGINNING: usize = 16;

const TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// Goes on with a sum, which begins with 0.
pub fn crc64(mut sum: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = sum ^ u64::from_le_bytes(*chunk);
        sum = 0;
        for (index, table) in TABLES.iter().rev().enumerate() {
            sum ^= table[(word >> (8 * index) & 0xFF) as usize];
        }
    }
    for byte in rest {
        sum = sum >> 8 ^ TABLES[0][((sum ^ u64::from(*byte)) & 0xFF) as usize];
    }
    sum
}

/// The version of a snapshot, where these bytes begin one.
pub fn version_of(head: &[u8]) -> Option<(&'static str, u32)> {
    let (system, digits) = match head {
        [b'R', b'E', b'D', b'I', b'S', digits @ ..] => ("REDIS", digits.get(..4)?),
        [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => ("VALKEY", digits.get(..3)?),
        _ => return None,
    };
    let number = |number: u32, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'));
    Some((system, digits.iter().try_fold(0, number)?))
}

/// Where a snapshot ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RdbEnd {
    /// Behind its sum, which is right, or zeros where the server does not take sums.
    Whole { end: u64, sum: Option<u64> },
    /// The mark of the end stands there, and another sum behind it. A command follows, or the file ends.
    BadSum { mark: u64, stored: u64, computed: u64, followed: bool },
    /// Nothing that could be its end.
    None { length: u64 },
}

/// Reads on to the end of the snapshot that the file begins with.
pub fn end_of(cursor: &mut Cursor, version: u32) -> RdbEnd {
    let (mut at, mut sum) = (0, 0);
    let mut rotten: Option<RdbEnd> = None;
    loop {
        // As much more as must be seen behind a mark.
        let piece = cursor.bytes(at, PIECE + END as usize + LONGEST_BEGINNING);
        let given = piece.len();
        let last = given < PIECE + END as usize + LONGEST_BEGINNING;
        let own = if last { given } else { PIECE };
        let mut done = 0;
        for mark in (0..own).filter(|index| piece[*index] == 0xFF) {
            sum = crc64(sum, &piece[done..=mark]);
            done = mark + 1;
            let behind = &piece[mark + 1..];
            let begins = |bytes: &[u8]| BEGINNINGS.iter().any(|begin| bytes.starts_with(begin));
            if version < SUMMED_SINCE && (begins(behind) || behind.is_empty() && last) {
                return RdbEnd::Whole { end: at + done as u64, sum: None };
            }
            let Some(stored) = behind.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else { continue };
            let end = at + mark as u64 + END;
            if stored == sum {
                return RdbEnd::Whole { end, sum: Some(stored) };
            }
            let (ends, followed) = (behind.len() == 8 && last, begins(&behind[8..]));
            if !ends && !followed {
                continue;
            }
            if stored == 0 {
                return RdbEnd::Whole { end, sum: None };
            }
            rotten.get_or_insert(RdbEnd::BadSum { mark: at + mark as u64, stored, computed: sum, followed });
        }
        sum = crc64(sum, &piece[done..own]);
        at += own as u64;
        if last {
            return rotten.unwrap_or(RdbEnd::None { length: at });
        }
    }
}

/// What a snapshot says of itself in front of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RdbHead {
    /// Names and values, such as `redis-ver`.
    pub facts: Vec<(String, String)>,
    /// The first database: its number, its keys, and how many of them expire.
    pub database: Option<(u64, u64, u64)>,
}

/// Reads the facts in front of the keys; stops at any byte that it does not know.
pub fn head_of(bytes: &[u8]) -> RdbHead {
    const FACTS: usize = 32;
    let mut head = RdbHead::default();
    let mut rest = bytes.get(MAGIC..).unwrap_or_default();
    let mut number = None;
    while let Some((mark, behind)) = rest.split_first() {
        rest = behind;
        match mark {
            0xFA if head.facts.len() < FACTS => {
                let (Some(name), Some(value)) = (string(&mut rest), string(&mut rest)) else { break };
                head.facts.push((name, value));
            }
            0xFE => number = length(&mut rest),
            0xFB => {
                let (Some(number), Some(keys), Some(expires)) = (number, length(&mut rest), length(&mut rest)) else { break };
                head.database = Some((number, keys, expires));
                break;
            }
            _ => break,
        }
    }
    head
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn length(bytes: &mut &[u8]) -> Option<u64> {
    let [first] = take(bytes)?;
    match first >> 6 {
        0 => Some(u64::from(first)),
        1 => take(bytes).map(|[second]: [u8; 1]| u64::from(first & 0x3F) << 8 | u64::from(second)),
        _ if first == 0x80 => take(bytes).map(|word| u64::from(u32::from_be_bytes(word))),
        _ if first == 0x81 => take(bytes).map(u64::from_be_bytes),
        _ => None,
    }
}

fn string(bytes: &mut &[u8]) -> Option<String> {
    let number = match bytes.first()? {
        0xC0 => take(bytes).map(|[_, value]| i64::from(i8::from_le_bytes([value])))?,
        0xC1 => take(bytes).map(|[_, a, b]| i64::from(i16::from_le_bytes([a, b])))?,
        0xC2 => take(bytes).map(|[_, a, b, c, d]| i64::from(i32::from_le_bytes([a, b, c, d])))?,
        _ => {
            let length = usize::try_from(length(bytes)?).ok()?;
            let text = bytes.get(..length)?;
            *bytes = &bytes[length..];
            return Some(String::from_utf8_lossy(text).into_owned());
        }
    };
    Some(number.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk as _, Open, RealDisk};

    fn end(bytes: &[u8]) -> RdbEnd {
        let file = tempfile::NamedTempFile::new().expect("room for a file");
        std::fs::write(file.path(), bytes).expect("room for a few bytes");
        let file: Arc<dyn crate::disk::File> = RealDisk.open(file.path(), Open::READ).expect("it is there").into();
        end_of(&mut Cursor::new(file, bytes.len() as u64), 10)
    }

    fn summed(body: &[u8]) -> Vec<u8> {
        let body = [body, &[0xFF]].concat();
        let sum = crc64(0, &body).to_le_bytes();
        [body, sum.to_vec()].concat()
    }

    #[test]
    fn the_sum_is_that_of_the_definition_in_whatever_pieces_bytes_come() {
        assert_eq!(crc64(0, b"123456789"), 0xE9C6_D914_C4B8_D9CA);
        let bytes: Vec<u8> = (0..100).collect();
        for cut in 0..100 {
            assert_eq!(crc64(crc64(0, &bytes[..cut]), &bytes[cut..]), crc64(0, &bytes), "cut at {cut}");
        }
    }

    #[test]
    fn the_end_is_where_the_sum_fits_whatever_stands_in_front_and_behind() {
        let body = [&b"REDIS0010"[..], &[0xFF; 40], b"*2\r\n$6\r\nSELECT\r\n"].concat();
        let whole = summed(&body);
        let sum = whole.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let wanted = RdbEnd::Whole { end: whole.len() as u64, sum };
        assert_eq!(end(&whole), wanted);
        assert_eq!(end(&[&whole, &b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"[..]].concat()), wanted);
        let long = summed(&[&b"REDIS0010"[..], &vec![0xFF; 3 * PIECE]].concat());
        assert!(matches!(end(&long), RdbEnd::Whole { end, .. } if end == long.len() as u64));
        // Sums that are off are zeros.
        let off = [&body[..], &[0xFF], &[0; 8]].concat();
        assert_eq!(end(&off), RdbEnd::Whole { end: off.len() as u64, sum: None });
    }

    #[test]
    fn a_wrong_sum_is_found_at_the_end_and_in_front_of_commands_and_a_cut_has_no_end() {
        let mut whole = summed(b"REDIS0010some keys");
        whole[12] ^= 1;
        let mark = whole.len() as u64 - END;
        assert!(matches!(end(&whole), RdbEnd::BadSum { mark: at, followed: false, .. } if at == mark));
        let more = [&whole, &b"#TS:1\r\n"[..]].concat();
        assert!(matches!(end(&more), RdbEnd::BadSum { mark: at, followed: true, .. } if at == mark));
        assert_eq!(end(&whole[..whole.len() - 3]), RdbEnd::None { length: whole.len() as u64 - 3 });
    }

    #[test]
    fn versions_of_both_systems_are_known_and_the_head_is_read() {
        assert_eq!((version_of(b"REDIS0012"), version_of(b"VALKEY080")), (Some(("REDIS", 12)), Some(("VALKEY", 80))));
        assert_eq!((version_of(b"REDIS00"), version_of(b"REDIS00x2"), version_of(b"redis0012")), (None, None, None));
        let head = head_of(b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xfe\x00\xfb\x0c\x01\x00");
        assert_eq!(head.facts, [("redis-ver".into(), "7.0.15".into()), ("redis-bits".into(), "64".into())]);
        assert_eq!(head.database, Some((0, 12, 1)));
        assert_eq!(head_of(b"REDIS0010\xfa\xc3\x01"), RdbHead::default());
    }
}
