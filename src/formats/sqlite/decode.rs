//! What a frame means: what kind of page it holds, and which table or index that page belongs to.
//!
//! Pages are database content: kinds and owners are shown, never cells.

use super::btree::TreePage;
use super::owners::{OwnerMap, PageOwner};
use crate::disk::Source;
use crate::formats::{Decoded, Decoder};
use crate::model::{Record, Value};

/// A decoder for one log. To whom pages belong is found out when the first frame is shown.
pub fn decode(source: &Source) -> Decoder {
    let source = source.clone();
    let mut owners: Option<OwnerMap> = None;
    Box::new(move |record, page, decoded| {
        let owners = owners.get_or_insert_with(|| OwnerMap::of(&source));
        frame(record, page, owners, decoded);
    })
}

fn frame(record: &Record<'_>, bytes: &[u8], owners: &OwnerMap, decoded: &mut Decoded<'_>) {
    let Some(number) = record.tag.and_then(|tag| u32::try_from(tag).ok()) else { return };
    let field = |name| record.fields.iter().find(|field| field.name == name).map(|field| field.value);
    let count = |name| if let Some(Value::Number(count)) = field(name) { Some(count) } else { None };
    decoded.fact("page", number);
    let tree = TreePage::parse(number, bytes);
    let owner = owners.owner(number);
    let mut words = format!("page {number}");
    match (tree, owner) {
        (Some(page), Some(PageOwner::Tree(index, false))) if owners.trees[*index].is_table == page.kind.is_table() => {
            let owner = &owners.trees[*index];
            decoded.fact("page_kind", page.kind.words());
            decoded.fact("cells", page.cells);
            belongs(owner.is_table, &owner.name, &owner.table, decoded);
            let inner = if page.kind.is_inner() { "inner page" } else { "leaf" };
            words += &format!(", {inner} of {}, {}", called(owner.is_table, &owner.name), cells(page.cells));
        }
        (_, Some(PageOwner::Tree(index, true))) => {
            let owner = &owners.trees[*index];
            decoded.fact("page_kind", "overflow");
            belongs(owner.is_table, &owner.name, &owner.table, decoded);
            words += &format!(", overflow of {}", called(owner.is_table, &owner.name));
        }
        (_, Some(PageOwner::PointerMap)) => {
            decoded.fact("page_kind", "pointer map");
            words += ", pointer map";
        }
        (None, Some(PageOwner::Free)) => {
            decoded.fact("page_kind", "free");
            words += ", free";
        }
        // Freed or used otherwise since, or not reached from any tree.
        (Some(page), _) => {
            decoded.fact("page_kind", page.kind.words());
            decoded.fact("cells", page.cells);
            words += &format!(", {}, {}", page.kind.words(), cells(page.cells));
        }
        (None, _) => {
            decoded.fact("page_kind", "other");
            words += ", overflow or free";
        }
    }
    if let Some(transaction) = count("transaction") {
        decoded.fact("transaction", transaction);
    }
    if let Some(pages) = count("database_pages") {
        decoded.fact("database_pages", pages);
        words += &format!("; commit, database of {pages} {}", if pages == 1 { "page" } else { "pages" });
    }
    decoded.sentence = words;
}

/// What a page belongs to, by name.
pub fn owner_name(number: u32, bytes: &[u8], owners: &OwnerMap) -> String {
    match (TreePage::parse(number, bytes), owners.owner(number)) {
        (Some(page), Some(PageOwner::Tree(index, false))) if owners.trees[*index].is_table == page.kind.is_table() => {
            called(owners.trees[*index].is_table, &owners.trees[*index].name)
        }
        (_, Some(PageOwner::Tree(index, true))) => called(owners.trees[*index].is_table, &owners.trees[*index].name),
        (_, Some(PageOwner::PointerMap)) => "(pointer map)".to_owned(),
        (None, Some(PageOwner::Free)) => "(free)".to_owned(),
        _ => "(freed or used otherwise since)".to_owned(),
    }
}

fn belongs(is_table: bool, name: &str, table: &str, decoded: &mut Decoded<'_>) {
    decoded.fact("table", table);
    if !is_table {
        decoded.fact("index", name);
    }
}

fn called(is_table: bool, name: &str) -> String {
    format!("{} {name}", if is_table { "table" } else { "index" })
}

fn cells(count: u16) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::owners::DatabaseTree;
    use super::*;
    use crate::formats::Secrets;
    use crate::model::{SegmentId, Span};

    #[test]
    fn an_older_image_of_another_kind_is_not_of_the_tree_that_has_its_page_now() {
        let tree = |name: &str, is_table| DatabaseTree { name: name.into(), table: "t".into(), is_table, root: 2 };
        let owner = |index| PageOwner::Tree(index, false);
        let (trees, pages) = (vec![tree("t", true), tree("by_name", false)], HashMap::from([(2, owner(0)), (3, owner(1))]));
        let owners = OwnerMap { trees, pages };
        let said = |number: u32, kind: u8| {
            let (page, mut decoded) = ([kind, 0, 0, 0, 1], Decoded::new(Secrets::Shown));
            let record = Record { tag: Some(number.into()), ..Record::at(Span::new(SegmentId(0), 0, 1)) };
            frame(&record, &page, &owners, &mut decoded);
            (decoded.sentence, owner_name(number, &page, &owners))
        };
        for (number, kind, sentence, owner) in [
            (2, 13, "page 2, leaf of table t, 1 cell", "table t"),
            (3, 10, "page 3, leaf of index by_name, 1 cell", "index by_name"),
            (2, 10, "page 2, leaf index, 1 cell", "(freed or used otherwise since)"),
            (3, 13, "page 3, leaf table, 1 cell", "(freed or used otherwise since)"),
        ] {
            assert_eq!(said(number, kind), (sentence.to_owned(), owner.to_owned()));
        }
    }
}
