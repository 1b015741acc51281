//! The records of a batch, once they are unpacked: their keys, values and headers.

/// One record, as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaRecord<'a> {
    pub time_delta: i64,
    pub offset_delta: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// The records, up to `most`; `None` when they are not what the header promises.
pub fn records(mut bytes: &[u8], count: usize, most: usize) -> Option<Vec<KafkaRecord<'_>>> {
    let mut all = Vec::new();
    for _ in 0..count.min(most) {
        let length = usize::try_from(varint(&mut bytes)?).ok()?;
        all.push(record(take(&mut bytes, length)?)?);
    }
    (count > most || bytes.is_empty()).then_some(all)
}

/// A record must be consumed to its last byte.
fn record(mut bytes: &[u8]) -> Option<KafkaRecord<'_>> {
    take(&mut bytes, 1)?;
    let time_delta = varint(&mut bytes)?;
    let offset_delta = varint(&mut bytes)?;
    let key = nullable(&mut bytes)?;
    let value = nullable(&mut bytes)?;
    let mut headers = Vec::new();
    for _ in 0..usize::try_from(varint(&mut bytes)?).ok()? {
        headers.push((nullable(&mut bytes)??, nullable(&mut bytes)?));
    }
    bytes.is_empty().then_some(KafkaRecord { time_delta, offset_delta, key, value, headers })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Bytes behind their length; −1 stands for none.
#[expect(clippy::option_option, reason = "bytes that cannot be read are not those that are null")]
fn nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match varint(bytes)? {
        -1 => Some(None),
        length => Some(Some(take(bytes, usize::try_from(length).ok()?)?)),
    }
}

/// Seven bits a byte, the lowest first; the lowest bit of the number is its sign.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_sign_in_the_lowest_bit() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[3], -2),
            (&[0xAB, 2], -150),
            (&[0xAC, 2], 150),
            (&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F], i64::from(i32::MAX)),
        ] {
            assert_eq!(varint(&mut &*bytes), Some(number));
        }
        assert_eq!((varint(&mut &[0x80][..]), varint(&mut &[0x80; 11][..])), (None, None));
    }

    #[test]
    fn a_record_is_consumed_to_its_last_byte() {
        // Length 10, attributes, 3 ms later, offset 1, key "k", no value, one header "h" with no value.
        let whole = [20, 0, 6, 2, 2, b'k', 1, 2, 2, b'h', 1];
        let all = records(&whole, 1, 10).expect("it is whole");
        let want = KafkaRecord { time_delta: 3, offset_delta: 1, key: Some(b"k"), value: None, headers: vec![(b"h", None)] };
        assert_eq!(all, [want]);
        assert_eq!(records(&whole, 2, 10), None);
        for length in 0..whole.len() {
            assert_eq!(records(&whole[..length], 1, 10), None);
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(records(&longer, 1, 10), None);
    }
}
