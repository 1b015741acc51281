//! Pages of a database as SQLite lays them out: what kind a page is of, its cells, and the records in them.

/// What a page is, as its first byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Inner page of an index.
    InnerIndex,
    /// Inner page of a table.
    InnerTable,
    /// Leaf of an index.
    LeafIndex,
    /// Leaf of a table.
    LeafTable,
}

impl PageKind {
    /// Whether it has pages below it.
    #[must_use]
    pub fn is_inner(self) -> bool {
        matches!(self, PageKind::InnerIndex | PageKind::InnerTable)
    }

    /// Whether it is of a table, and not of an index.
    #[must_use]
    pub fn is_table(self) -> bool {
        matches!(self, PageKind::InnerTable | PageKind::LeafTable)
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            PageKind::InnerIndex => "inner index",
            PageKind::InnerTable => "inner table",
            PageKind::LeafIndex => "leaf index",
            PageKind::LeafTable => "leaf table",
        }
    }
}

/// A page of a tree, with its header read.
#[derive(Clone, Copy, Debug)]
pub struct TreePage<'a> {
    /// All of it.
    bytes: &'a [u8],
    /// What it is.
    pub kind: PageKind,
    /// How many cells it has.
    pub cells: u16,
    /// Where the header begins: behind that of the database on page 1.
    head: usize,
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Four bytes as a number.
#[must_use]
pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// A number of variable length, and how many bytes it has: 7 bits a byte, the ninth whole.
#[must_use]
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Where the content of a cell lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellContent<'a> {
    /// The child page left of it, on inner pages.
    pub child: Option<u32>,
    /// How long its payload is.
    pub length: u64,
    /// What of it is in the page.
    pub local: &'a [u8],
    /// The first page with the rest.
    pub overflow: Option<u32>,
}

impl<'a> TreePage<'a> {
    /// A page of a tree; `None` for other pages.
    #[must_use]
    pub fn parse(number: u32, bytes: &'a [u8]) -> Option<TreePage<'a>> {
        let head = if number == 1 { 100 } else { 0 };
        let kind = match bytes.get(head)? {
            2 => PageKind::InnerIndex,
            5 => PageKind::InnerTable,
            10 => PageKind::LeafIndex,
            13 => PageKind::LeafTable,
            _ => return None,
        };
        Some(TreePage { bytes, kind, cells: be16(bytes, head + 3)?, head })
    }

    fn header_bytes(&self) -> usize {
        if self.kind.is_inner() { 12 } else { 8 }
    }

    /// The pages below it, from left to right; `None` when it is not well formed.
    #[must_use]
    pub fn children(&self) -> Option<Vec<u32>> {
        let mut pages = Vec::with_capacity(usize::from(self.cells).min(self.bytes.len() / 4) + 1);
        for index in 0..self.cells {
            pages.push(be32(self.bytes, self.pointer(index)?)?);
        }
        pages.push(be32(self.bytes, self.head + 8)?);
        Some(pages)
    }

    fn pointer(&self, index: u16) -> Option<usize> {
        let at = self.head + self.header_bytes() + 2 * usize::from(index);
        be16(self.bytes, at).map(usize::from).filter(|at| *at > 0)
    }

    /// A cell. `usable` is how many bytes of each page the database uses.
    #[must_use]
    pub fn cell(&self, index: u16, usable: usize) -> Option<CellContent<'a>> {
        let mut rest = self.bytes.get(self.pointer(index)?..usable.min(self.bytes.len()))?;
        let child = if self.kind.is_inner() { Some(be32(rest, 0)?) } else { None };
        rest = rest.get(if child.is_some() { 4 } else { 0 }..)?;
        let (first, taken) = varint(rest)?;
        rest = rest.get(taken..)?;
        if self.kind == PageKind::InnerTable {
            return Some(CellContent { child, length: 0, local: &[], overflow: None });
        }
        if self.kind == PageKind::LeafTable {
            rest = rest.get(varint(rest)?.1..)?;
        }
        let local = local_bytes(first, usable, self.kind == PageKind::LeafTable)?;
        let overflow = if (local as u64) < first { Some(be32(rest, local)?) } else { None };
        Some(CellContent { child, length: first, local: rest.get(..local)?, overflow })
    }
}

/// How much of a payload is in the cell itself.
fn local_bytes(length: u64, usable: usize, leaf_table: bool) -> Option<usize> {
    let base = usable.checked_sub(35)?;
    let most = if leaf_table { base } else { (usable - 12) * 64 / 255 - 23 };
    if length <= most as u64 {
        return usize::try_from(length).ok();
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let some = least + usize::try_from((length - least as u64) % (usable as u64 - 4)).ok()?;
    Some(if some <= most { some } else { least })
}

/// A value in a record, as far as the schema has such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnValue {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// Anything else.
    Other,
}

/// The first columns of a record.
#[must_use]
pub fn columns(payload: &[u8], count: usize) -> Option<Vec<ColumnValue>> {
    let (header, taken) = varint(payload)?;
    let header = usize::try_from(header).ok()?;
    let mut types = payload.get(taken..header)?;
    let (mut at, mut values) = (header, Vec::with_capacity(count));
    while values.len() < count {
        let (kind, taken) = varint(types)?;
        types = types.get(taken..)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let end = at.checked_add(usize::try_from(length).ok()?)?;
        let bytes = payload.get(at..end)?;
        values.push(match kind {
            8 => ColumnValue::Number(0),
            9 => ColumnValue::Number(1),
            1..=6 => {
                let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
                ColumnValue::Number(bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
            }
            13.. if kind % 2 == 1 => ColumnValue::Text(String::from_utf8_lossy(bytes).into_owned()),
            _ => ColumnValue::Other,
        });
        at = end;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length_have_up_to_nine_bytes_and_the_ninth_is_whole() {
        assert_eq!(varint(&[0x7F]), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0]), Some((128, 2)));
        assert_eq!(varint(&[0xFF; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x80; 8]), None);
    }

    #[test]
    fn how_much_of_a_payload_is_in_its_cell_follows_the_documented_rule() {
        // U = 1024: X = 989 and 230, M = 103.
        assert_eq!(local_bytes(989, 1024, true), Some(989));
        assert_eq!(local_bytes(990, 1024, true), Some(103));
        assert_eq!(local_bytes(1200, 1024, true), Some(103 + 77));
        assert_eq!(local_bytes(230, 1024, false), Some(230));
        assert_eq!(local_bytes(231, 1024, false), Some(103));
        assert_eq!(local_bytes(1000, 1024, false), Some(103));
        assert_eq!(local_bytes(5, 20, true), None);
    }

    #[test]
    fn a_payload_that_fits_its_cell_has_no_overflow_page_and_a_longer_one_names_it() {
        // A leaf of a table with one cell: length, row, and what of the payload is in the page.
        let leaf = |length: &[u8], local: &[u8]| {
            let cell = [length, &[1], local].concat();
            let mut page = vec![0; 512];
            page[..10].copy_from_slice(&[13, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
            let at = 512 - cell.len();
            page[8..10].copy_from_slice(&u16::try_from(at).expect("small").to_be_bytes());
            page[at..].copy_from_slice(&cell);
            page
        };
        let of = |page: &[u8]| {
            let cell = TreePage::parse(2, page).expect("a leaf").cell(0, 512);
            cell.map(|cell| (cell.length, cell.local.len(), cell.overflow))
        };
        // It ends with the page, so no number of a page could stand behind it.
        assert_eq!(of(&leaf(&[5], b"hello")), Some((5, 5, None)));
        // 600 bytes, of which 92 are here: 39 and the rest of what fills overflow pages.
        let local = [vec![7; 92], vec![0, 0, 0, 9]].concat();
        assert_eq!(of(&leaf(&[0x84, 0x58], &local)), Some((600, 92, Some(9))));
        assert_eq!(of(&leaf(&[0x84, 0x58], &local[..95])), None);
    }

    #[test]
    fn a_row_of_the_schema_is_read_up_to_its_root_page() {
        let mut row = vec![6, 23, 15, 15, 1, 27];
        row.extend(b"tablett\x02CREATE");
        let text = |text: &str| ColumnValue::Text(text.into());
        assert_eq!(columns(&row, 4), Some(vec![text("table"), text("t"), text("t"), ColumnValue::Number(2)]));
        assert_eq!(columns(&row[..10], 4), None);
    }
}
