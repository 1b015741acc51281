//! Tables, and how many rows an event changes: only their values' lengths are read.

use std::io::Read;

use super::kinds::{RowsKind, RowsVerb};

/// More is not unpacked to count rows.
const MOST_UNPACKED: u64 = 64 << 20;

/// A table, as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMap {
    pub id: u64,
    /// `database.table`.
    pub name: String,
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    kind: u8,
    /// Its metadata, one or two bytes of it.
    meta: [u8; 2],
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCount {
    Rows(u64),
    /// A type or a length that is not known.
    Unknown,
}

fn cut<'a>(body: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (head, rest) = body.split_at_checked(bytes)?;
    *body = rest;
    Some(head)
}

fn number(body: &mut &[u8], bytes: usize) -> Option<u64> {
    Some(cut(body, bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A number in one, three, four or nine bytes.
pub fn packed(body: &mut &[u8]) -> Option<u64> {
    match number(body, 1)? {
        small @ 0..=250 => Some(small),
        252 => number(body, 2),
        253 => number(body, 3),
        254 => number(body, 8),
        _ => None,
    }
}

fn name(body: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(body, 1)?).ok()?;
    let text = String::from_utf8_lossy(cut(body, length)?).into_owned();
    (cut(body, 1)? == [0]).then_some(text)
}

/// How many bytes of metadata a type has.
const fn meta_bytes(kind: u8) -> usize {
    match kind {
        4 | 5 | 17 | 18 | 19 | 252 | 245 | 255 | 242 | 140 => 1,
        15 | 141 | 16 | 246 | 254 | 247 | 248 => 2,
        _ => 0,
    }
}

/// Reads a table map from its body.
#[must_use]
pub fn table_map(mut body: &[u8]) -> Option<TableMap> {
    let body = &mut body;
    let id = number(body, 6)?;
    cut(body, 2)?;
    let (database, table) = (name(body)?, name(body)?);
    let count = usize::try_from(packed(body)?).ok()?;
    let kinds = cut(body, count)?;
    let bytes = usize::try_from(packed(body)?).ok()?;
    let mut metas = cut(body, bytes)?;
    let mut columns = Vec::with_capacity(count);
    for kind in kinds {
        let meta = cut(&mut metas, meta_bytes(*kind))?;
        columns.push(Column { kind: *kind, meta: [meta.first().copied().unwrap_or(0), meta.get(1).copied().unwrap_or(0)] });
    }
    metas.is_empty().then(|| TableMap { id, name: format!("{database}.{table}"), columns })
}

/// Counts the rows of an event.
#[must_use]
pub fn rows_of(kind: RowsKind, body: &[u8], map: &TableMap) -> RowCount {
    count(kind, body, map).map_or(RowCount::Unknown, RowCount::Rows)
}

fn count(kind: RowsKind, body: &[u8], map: &TableMap) -> Option<u64> {
    let (mut body, unpacked) = (body, &mut Vec::new());
    if kind.partial {
        return None;
    }
    cut(&mut body, 8)?;
    if kind.extra {
        let bytes = usize::try_from(number(&mut body, 2)?).ok()?.checked_sub(2)?;
        cut(&mut body, bytes)?;
    }
    let columns = usize::try_from(packed(&mut body)?).ok()?;
    if columns != map.columns.len() {
        return None;
    }
    let before = cut(&mut body, columns.div_ceil(8))?;
    let after = if kind.verb == RowsVerb::Update { Some(cut(&mut body, columns.div_ceil(8))?) } else { None };
    if kind.packed {
        *unpacked = inflate(body)?;
        body = unpacked;
    }
    let mut rows = 0;
    while !body.is_empty() {
        image(&mut body, map, before)?;
        if let Some(after) = after {
            image(&mut body, map, after)?;
        }
        rows += 1;
    }
    Some(rows)
}

/// Passes over one row.
fn image(body: &mut &[u8], map: &TableMap, present: &[u8]) -> Option<()> {
    let bit = |bits: &[u8], at: usize| bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0);
    let shown = (0..map.columns.len()).filter(|at| bit(present, *at)).count();
    let nulls = cut(body, shown.div_ceil(8))?;
    // A row of no column has no end.
    if shown == 0 {
        return None;
    }
    let columns = map.columns.iter().enumerate().filter(|(at, _)| bit(present, *at));
    for (index, (_, column)) in columns.enumerate() {
        if !bit(nulls, index) {
            value(body, *column)?;
        }
    }
    Some(())
}

fn value(body: &mut &[u8], column: Column) -> Option<()> {
    let [a, b] = column.meta.map(usize::from);
    let long = |body: &mut &[u8], width: usize| -> Option<()> {
        let bytes = usize::try_from(number(body, width)?).ok()?;
        cut(body, bytes).map(|_| ())
    };
    let bytes = match column.kind {
        1 | 13 => 1,
        2 => 2,
        9..=11 | 14 => 3,
        3 | 7 => 4,
        8 | 12 => 8,
        6 => 0,
        4 | 5 => a,
        17 => 4 + a.div_ceil(2),
        18 => 5 + a.div_ceil(2),
        19 => 3 + a.div_ceil(2),
        15 | 141 => return long(body, if a + b * 256 < 256 { 1 } else { 2 }),
        16 => b + usize::from(a > 0),
        246 => decimal(a, b)?,
        252 | 245 | 255 | 242 | 140 if (1..=4).contains(&a) => return long(body, a),
        254 if a == 247 || a == 248 => b,
        247 | 248 => b,
        254 => return long(body, if b + (((a & 0x30) ^ 0x30) << 4) < 256 { 1 } else { 2 }),
        _ => return None,
    };
    cut(body, bytes).map(|_| ())
}

fn decimal(precision: usize, scale: usize) -> Option<usize> {
    const REST: [usize; 9] = [0, 1, 1, 2, 2, 3, 3, 4, 4];
    let part = |digits: usize| digits / 9 * 4 + REST[digits % 9];
    Some(part(precision.checked_sub(scale)?) + part(scale))
}

/// Unpacks what MariaDB compressed: the number of bytes of the size, the size, and a zlib stream.
#[must_use]
pub fn inflate(stored: &[u8]) -> Option<Vec<u8>> {
    let head = *stored.first()?;
    let width = usize::from(head & 0x07);
    if head & 0xF8 != 0x80 || !(1..=4).contains(&width) {
        return None;
    }
    let size = stored.get(1..1 + width)?.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
    if size > MOST_UNPACKED {
        return None;
    }
    let mut content = Vec::new();
    flate2::read::ZlibDecoder::new(&stored[1 + width..]).take(size + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 == size).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: RowsKind = RowsKind { verb: RowsVerb::Write, extra: false, packed: false, partial: false };

    fn map(columns: &[(u8, [u8; 2])]) -> TableMap {
        let columns = columns.iter().map(|(kind, meta)| Column { kind: *kind, meta: *meta }).collect();
        TableMap { id: 1, name: "a.b".to_owned(), columns }
    }

    #[test]
    fn rows_are_counted_by_the_lengths_of_their_values() {
        let map = map(&[(3, [0, 0]), (15, [40, 0]), (246, [10, 2])]);
        // Two rows: a number, three bytes of text, a decimal; and one with the text null.
        let rows = [&[0][..], &[1, 0, 0, 0], &[3], b"abc", &[0x80, 0, 0, 1, 0], &[0b010], &[2, 0, 0, 0], &[0x80, 0, 0, 1, 0]];
        let head = [&[1, 0, 0, 0, 0, 0, 1, 0][..], &[3], &[0b111]].concat();
        let body = [head.clone(), rows.concat()].concat();
        assert_eq!(rows_of(WRITE, &body, &map), RowCount::Rows(2));
        assert_eq!(rows_of(WRITE, &body[..body.len() - 1], &map), RowCount::Unknown);
        let update = RowsKind { verb: RowsVerb::Update, ..WRITE };
        let body = [&head[..], &[0b111], &rows.concat()].concat();
        assert_eq!(rows_of(update, &body, &map), RowCount::Rows(1));
    }

    #[test]
    fn a_decimal_takes_four_bytes_for_nine_digits() {
        assert_eq!((decimal(10, 2), decimal(18, 9), decimal(1, 0), decimal(2, 3)), (Some(5), Some(8), Some(1), None));
    }

    #[test]
    fn a_table_map_names_its_table_and_must_be_whole() {
        let body = [&[9, 0, 0, 0, 0, 0, 1, 0][..], &[4], b"shop\0", &[2], b"it\0", &[2, 3, 15, 2, 40, 0, 0]].concat();
        let map = table_map(&body).expect("it is whole");
        assert_eq!((map.id, map.name.as_str(), map.columns.len()), (9, "shop.it", 2));
        assert_eq!(table_map(&body[..body.len() - 2]), None);
    }

    #[test]
    fn a_row_without_columns_and_a_size_that_lies_come_to_nothing() {
        let none = map(&[(3, [0, 0])]);
        assert_eq!(rows_of(WRITE, &[1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 7, 7], &none), RowCount::Unknown);
        assert_eq!(inflate(&[0x84, 255, 255, 255, 255, 1]), None);
        assert_eq!((inflate(&[0x81, 3, 1, 2]), inflate(&[]), inflate(&[0x80])), (None, None, None));
    }
}
