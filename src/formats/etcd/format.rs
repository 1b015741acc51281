//! etcd, as a format.

use super::frame::WORD;
use super::{log, walk};
use crate::formats::{Drawing, Format, Mending, Numbers};
use crate::model::{Record, Value};

/// etcd.
pub const FORMAT: Format = Format {
    name: "etcd",
    aliases: &[],
    title: "etcd write-ahead log, member/wal (3.4 to 3.7)",
    protects: "a running CRC-32C over the data of all records, carried over from segment to segment",
    kinds: &["crc", "metadata", "entry", "state", "snapshot", "unknown"],
    encrypted: false,
    numbers: Numbers::CountedAgain,
    layout: log::layout,
    recognise: log::recognise,
    walk: walk::walk,
    join: log::join,
    decode: Some(super::meaning::decode),
    count: Some(super::counts::count),
    mending: Mending::Asked(log::mend),
    // The server locks the segments themselves.
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    drawing,
    private: Some(8),
    unprotected: "the type of a record, its length word and its padding: a wrong length shows in what follows, a wrong type mostly in what the \
                  record holds, and nothing reads padding",
    words: &[
        "unknown-type",
        "a frame that continues it",
        "stands behind it and was written after it",
        "what stands behind it",
        "was written after it, for space made ahead is zeros",
        "its name",
        "is given only when its first records are synced",
        "a later state",
        "says that a majority had promised it",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

const _: () = assert!(WORD == 8);

type EtcdDrawing = [(&'static str, usize, usize); 4];

/// The fields of a header, by how many bytes the sum takes (1 to 5) and the length of the data (0 to 9; 0 where there is none).
const DRAWINGS: [[EtcdDrawing; 10]; 5] = {
    let mut all = [[[("length word", 0, 8), ("type", 8, 2), ("crc", 10, 2), ("data length", 12, 0)]; 10]; 5];
    let mut sum = 0;
    while sum < 5 {
        let mut length = 0;
        while length < 10 {
            all[sum][length][2] = ("crc", 10, 2 + sum);
            all[sum][length][3] = ("data length", 12 + sum, if length == 0 { 0 } else { 1 + length });
            length += 1;
        }
        sum += 1;
    }
    all
};
static DRAWN: [[EtcdDrawing; 10]; 5] = DRAWINGS;

fn drawing(record: &Record<'_>) -> Drawing {
    let sevens = |number: u64| (u64::BITS - number.leading_zeros()).div_ceil(7).max(1) as usize;
    let sum = record.fields.iter().find_map(|field| match field {
        crate::model::Field { name: "crc", value: Value::Text(hex) } => u64::from_str_radix(hex, 16).ok(),
        _ => None,
    });
    let length = record.payload.length();
    let drawn = &DRAWN[sevens(sum.unwrap_or(0)).min(5) - 1][if length == 0 { 0 } else { sevens(length).min(9) }];
    if length == 0 { &drawn[..3] } else { drawn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Field, Payload, SegmentId, Span};

    #[test]
    fn a_header_is_drawn_up_to_where_the_data_begins() {
        let drawn = |crc: &str, payload: &[u8]| {
            let record = Record {
                kind: "entry",
                fields: &[Field { name: "crc", value: Value::Text(crc) }],
                payload: Payload::Whole(payload),
                ..Record::at(Span::new(SegmentId(0), 0, 64))
            };
            drawing(&record).last().map(|(name, at, length)| (*name, at + length))
        };
        // 08 t, 10 and five bytes of sum, 1A and two bytes of length.
        assert_eq!(drawn("aeae4e49", &[0; 200]), Some(("data length", 19)));
        assert_eq!(drawn("0000007f", &[0; 127]), Some(("data length", 14)));
        assert_eq!(drawn("00000000", &[]), Some(("crc", 12)));
    }
}
