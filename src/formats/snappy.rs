//! One Snappy block: a length, then literals and copies of what was unpacked before.

/// No three bytes of a block unpack to more than this many.
const MOST_OF_THREE: usize = 64;

/// What a block unpacks to; `None` when it is none. What it claims is believed only as far as its own length can keep it.
#[must_use]
pub fn unpack(block: &[u8]) -> Option<Vec<u8>> {
    let (length, mut rest) = length_of(block)?;
    let most = (block.len() / 2 + 1).saturating_mul(MOST_OF_THREE);
    if length > most {
        return None;
    }
    let mut out = Vec::with_capacity(length);
    while let Some((tag, behind)) = rest.split_first() {
        rest = behind;
        match tag & 3 {
            0 => {
                let (count, behind) = literal(*tag, rest)?;
                out.extend_from_slice(behind.get(..count)?);
                rest = &behind[count..];
            }
            1 => {
                let (low, behind) = rest.split_first()?;
                rest = behind;
                copy(&mut out, usize::from(tag >> 5) << 8 | usize::from(*low), 4 + usize::from(tag >> 2 & 7), length)?;
            }
            2 => {
                let (offset, behind) = rest.split_first_chunk::<2>()?;
                rest = behind;
                copy(&mut out, usize::from(u16::from_le_bytes(*offset)), 1 + usize::from(tag >> 2), length)?;
            }
            _ => {
                let (offset, behind) = rest.split_first_chunk::<4>()?;
                rest = behind;
                copy(&mut out, usize::try_from(u32::from_le_bytes(*offset)).ok()?, 1 + usize::from(tag >> 2), length)?;
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

/// The length in front of a block: 32 bits, seven a byte.
fn length_of(block: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in block.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, &block[index + 1..]));
        }
    }
    None
}

/// How many bytes stand behind the tag of a literal as they are.
fn literal(tag: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    let short = usize::from(tag >> 2);
    if short < 60 {
        return Some((short + 1, rest));
    }
    let (bytes, behind) = rest.split_at_checked(short - 59)?;
    let length = bytes.iter().rev().fold(0usize, |all, byte| all << 8 | usize::from(*byte));
    Some((length.checked_add(1)?, behind))
}

/// Repeats what stands `offset` bytes back; it may reach into what it writes.
fn copy(out: &mut Vec<u8>, offset: usize, count: usize, most: usize) -> Option<()> {
    let from = out.len().checked_sub(offset).filter(|_| offset > 0)?;
    if out.len() + count > most {
        return None;
    }
    for at in from..from + count {
        out.push(out[at]);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_copies_of_every_kind_unpack() {
        // "abcd", then four more from four back, one from two back, and a copy with a long offset.
        let block = [13, 0x0C, b'a', b'b', b'c', b'd', 0x01, 4, 0x02, 2, 0, 0x0F, 9, 0, 0, 0];
        assert_eq!(unpack(&block).as_deref(), Some(&b"abcdabcdcabcd"[..]));
        assert_eq!(unpack(&[3, 0x00, b'a', 0x06, 1, 0]).as_deref(), Some(&b"aaa"[..]), "it may reach into what it writes");
        let long = [&[61, 0xF0, 60][..], &[7; 61]].concat();
        assert_eq!(unpack(&long), Some(vec![7; 61]));
        assert_eq!(unpack(&[0]), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_block_is_refused_and_a_claim_costs_nothing() {
        for bad in [
            &[][..],
            &[0x80],
            &[1],
            &[2, 0x00, b'a'],
            &[1, 0x04, b'a', b'b'],
            &[5, 0x00, b'a', 0x01, 0],
            &[5, 0x00, b'a', 0x01, 2],
            &[9, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00, b'a'],
        ] {
            assert_eq!(unpack(bad), None, "{bad:?}");
        }
    }
}
