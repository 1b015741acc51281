//! Which table or index the pages of a database belong to.
//!
//! The schema names the root page of each tree; a walk from the roots meets all pages. Of a page its newest committed image counts: that of
//! the log, or else that of the database file. Inner pages are read, leaves only where overflow pages must be found.

use std::collections::{HashMap, HashSet};

use super::btree::{ColumnValue, TreePage, be32, columns};
use super::frame::FRAME_HEADER;
use super::log::database_of;
use super::walk::walk;
use crate::disk::{Cursor, Source};
use crate::formats::{Halt, Item, Sink, Visit, Want};
use crate::model::{Keys, Value};

/// How many pages are read at most. More would take longer than anybody waits for a listing.
const READ: usize = 1 << 16;
/// A row of the schema that is longer is not read further: the root page stands in front of its text.
const ROW: u64 = 1 << 20;

/// What a page belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOwner {
    /// A tree: its place in the list of trees, and whether it holds the rest of a long row.
    Tree(usize, bool),
    /// The list of free pages.
    Free,
    /// The map of pages to their parents, which some databases have.
    PointerMap,
}

/// A table or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseTree {
    /// Its name.
    pub name: String,
    /// The table that it belongs to.
    pub table: String,
    /// Whether it is the table itself.
    pub is_table: bool,
    pub(super) root: u32,
}

/// The pages of a database, and to whom they belong.
#[derive(Debug, Default)]
pub struct OwnerMap {
    /// Tables and indexes.
    pub trees: Vec<DatabaseTree>,
    pub(super) pages: HashMap<u32, PageOwner>,
}

impl OwnerMap {
    /// Of the database whose log this is, as far as both are at hand and agree. A wrong owner would be worse than none.
    #[must_use]
    pub fn of(source: &Source) -> OwnerMap {
        DatabasePages::open(source).and_then(|mut pages| pages.owners()).unwrap_or_default()
    }

    /// To whom a page belongs, if that is known.
    #[must_use]
    pub fn owner(&self, page: u32) -> Option<&PageOwner> {
        self.pages.get(&page)
    }
}

/// The newest committed images of the pages of a database.
struct DatabasePages {
    log: Cursor,
    database: Option<Cursor>,
    /// Where the newest image of a page begins in the log.
    newest: HashMap<u32, u64>,
    page_size: usize,
    /// How many bytes of a page are used.
    usable: usize,
    /// How many pages there are.
    count: u32,
    read: usize,
}

impl DatabasePages {
    fn open(source: &Source) -> Option<DatabasePages> {
        let segment = source.segments.first()?;
        let (mut newest, mut open, mut count, mut page_size) = (HashMap::new(), Vec::new(), 0, 0);
        let mut take = |item: Item<'_>| match item {
            Item::Record(record) => {
                let number = |name| record.fields.iter().find(|field| field.name == name).map(|field| field.value);
                page_size = usize::try_from(record.payload.length()).unwrap_or(0);
                open.push((u32::try_from(record.tag.unwrap_or(0)).unwrap_or(0), record.span.start() + FRAME_HEADER as u64));
                if let Some(Value::Number(pages)) = number("database_pages") {
                    newest.extend(open.drain(..));
                    count = u32::try_from(pages).unwrap_or(0);
                }
                Ok(())
            }
            // What stands behind damage is none of what SQLite sees.
            Item::Hurt(_) => Err(Halt::Enough),
            _ => Ok(()),
        };
        let visit = Visit { source, segment, keys: &Keys::default(), want: Want::default() };
        match walk(&visit, &mut Sink::new(&mut take)) {
            Ok(_) | Err(Halt::Enough) => {}
            Err(Halt::Failed(_)) => return None,
        }
        let database = database_of(&segment.name).and_then(|name| source.sibling(name).ok()?);
        let log = source.cursor_never_finished(segment).ok()?;
        let mut pages = DatabasePages { log, database, newest, page_size, usable: 0, count, read: 0 };
        pages.look_at_first().then_some(pages)
    }

    /// Page 1 says how long pages are, and must agree with the log.
    fn look_at_first(&mut self) -> bool {
        if self.page_size == 0 {
            return false;
        }
        let size = self.page_size;
        let Some(first) = self.page(1) else { return false };
        let stated = match first.get(16..18) {
            Some([0, 1]) => 65_536,
            Some([high, low]) => usize::from(*high) << 8 | usize::from(*low),
            _ => 0,
        };
        let reserved = usize::from(first.get(20).copied().unwrap_or(0));
        self.usable = size - reserved.min(size);
        first.starts_with(b"SQLite format 3\0") && stated == size && self.usable >= 480
    }

    fn page(&mut self, number: u32) -> Option<Vec<u8>> {
        if number == 0 || self.count > 0 && number > self.count || self.read >= READ {
            return None;
        }
        self.read += 1;
        let size = self.page_size;
        let bytes = match self.newest.get(&number) {
            Some(at) => self.log.bytes(*at, size),
            None => self.database.as_mut()?.bytes((u64::from(number) - 1) * size as u64, size),
        };
        (bytes.len() == size).then(|| bytes.to_vec())
    }

    fn owners(&mut self) -> Option<OwnerMap> {
        let mut map = OwnerMap { trees: self.schema()?, pages: HashMap::new() };
        for index in 0..map.trees.len() {
            let Some(pages) = self.tree(map.trees[index].root, map.trees[index].is_table) else { continue };
            for (page, rest) in pages {
                // Two trees with one page are no database.
                if map.pages.insert(page, PageOwner::Tree(index, rest)).is_some() {
                    return None;
                }
            }
        }
        for page in self.free_pages() {
            map.pages.entry(page).or_insert(PageOwner::Free);
        }
        for page in self.pointer_maps() {
            map.pages.entry(page).or_insert(PageOwner::PointerMap);
        }
        Some(map)
    }

    /// Tables and indexes, the schema itself among them.
    fn schema(&mut self) -> Option<Vec<DatabaseTree>> {
        let name = || "sqlite_schema".to_owned();
        let mut trees = vec![DatabaseTree { name: name(), table: name(), is_table: true, root: 1 }];
        for leaf in self.leaves(1)? {
            let bytes = self.page(leaf)?;
            let page = TreePage::parse(leaf, &bytes)?;
            for index in 0..page.cells {
                let cell = page.cell(index, self.usable)?;
                let (mut row, overflow, length) = (cell.local.to_vec(), cell.overflow, cell.length.min(ROW));
                if columns(&row, 4).is_none() {
                    self.overflow(overflow, length, &mut row)?;
                }
                if let [ColumnValue::Text(kind), ColumnValue::Text(name), ColumnValue::Text(table), ColumnValue::Number(root)] =
                    &columns(&row, 4)?[..]
                    && let Some(root) = u32::try_from(*root).ok().filter(|root| *root > 0)
                {
                    trees.push(DatabaseTree { name: name.clone(), table: table.clone(), is_table: kind == "table", root });
                }
            }
        }
        Some(trees)
    }

    /// The rest of a payload.
    fn overflow(&mut self, mut next: Option<u32>, length: u64, into: &mut Vec<u8>) -> Option<()> {
        while (into.len() as u64) < length {
            let page = self.page(next?)?;
            next = be32(&page, 0).filter(|next| *next > 0);
            into.extend_from_slice(page.get(4..self.usable)?);
        }
        Some(())
    }

    /// The leaves of a tree, with which inner pages are read alone: all leaves of a tree are equally deep.
    fn leaves(&mut self, root: u32) -> Option<Vec<u32>> {
        self.levels(root).map(|mut levels| levels.pop().unwrap_or_default())
    }

    fn levels(&mut self, root: u32) -> Option<Vec<Vec<u32>>> {
        let (mut levels, mut seen) = (vec![vec![root]], HashSet::from([root]));
        loop {
            let level = levels.last()?.clone();
            let first = self.page(*level.first()?)?;
            if !TreePage::parse(level[0], &first)?.kind.is_inner() {
                return Some(levels);
            }
            let mut below = Vec::new();
            for number in level {
                let bytes = self.page(number)?;
                let page = TreePage::parse(number, &bytes).filter(|page| page.kind.is_inner())?;
                below.extend(page.children()?);
            }
            if below.iter().any(|page| *page == 0 || !seen.insert(*page)) {
                return None;
            }
            levels.push(below);
        }
    }

    /// The pages of a tree, and whether each holds the rest of a long row. Where not all of it can be read, what it surely has.
    fn tree(&mut self, root: u32, is_table: bool) -> Option<Vec<(u32, bool)>> {
        let levels = self.levels(root)?;
        let last = levels.len() - 1;
        let mut pages: Vec<(u32, bool)> = levels.iter().flatten().map(|page| (*page, false)).collect();
        for (depth, level) in levels.iter().enumerate() {
            // Inner pages of tables hold no rows.
            if is_table && depth < last {
                continue;
            }
            for number in level {
                let Some(bytes) = self.page(*number) else { return Some(pages) };
                let page = TreePage::parse(*number, &bytes)?;
                if page.kind.is_table() != is_table {
                    return None;
                }
                for index in 0..page.cells {
                    let mut next = page.cell(index, self.usable)?.overflow;
                    while let Some(number) = next {
                        // A chain that comes back to itself ends with the pages that may be read.
                        let Some(bytes) = self.page(number) else { return Some(pages) };
                        pages.push((number, true));
                        next = be32(&bytes, 0).filter(|next| *next > 0);
                    }
                }
            }
        }
        Some(pages)
    }

    fn free_pages(&mut self) -> Vec<u32> {
        let mut free = Vec::new();
        let Some(first) = self.page(1) else { return free };
        let (mut next, count) = (be32(&first, 32).unwrap_or(0), be32(&first, 36).unwrap_or(0) as usize);
        while next > 0 && free.len() < count {
            let Some(trunk) = self.page(next) else { break };
            free.push(next);
            let leaves = be32(&trunk, 4).unwrap_or(0) as usize;
            free.extend((0..leaves.min(trunk.len() / 4)).filter_map(|index| be32(&trunk, 8 + 4 * index)));
            next = be32(&trunk, 0).unwrap_or(0);
        }
        free
    }

    fn pointer_maps(&mut self) -> Vec<u32> {
        let has = self.page(1).and_then(|first| be32(&first, 52)).is_some_and(|largest| largest > 0);
        let each = u32::try_from(self.usable / 5 + 1).unwrap_or(u32::MAX);
        if !has {
            return Vec::new();
        }
        (2..=self.count).step_by(each as usize).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, File, Open, SimDisk, write_full};

    #[test]
    fn only_a_database_that_knows_its_largest_root_page_has_maps_of_pointers() {
        let maps = |largest: u32, count: u32| {
            let mut first = vec![0; 512];
            first[52..56].copy_from_slice(&largest.to_be_bytes());
            let file: Arc<dyn File> = SimDisk::new().open(Path::new("/a"), Open::CREATE).expect("it is new").into();
            write_full(file.as_ref(), &first, 0).expect("there is room");
            let (log, newest) = (Cursor::new(file, 512), HashMap::from([(1, 0)]));
            DatabasePages { log, database: None, newest, page_size: 512, usable: 512, count, read: 0 }.pointer_maps()
        };
        assert!(maps(0, 300).is_empty());
        // A map has five bytes for each of the pages that follow it.
        assert_eq!(maps(1, 300), [2, 105, 208]);
        assert_eq!((maps(4, 208), maps(4, 207), maps(4, 1)), (vec![2, 105, 208], vec![2, 105], vec![]));
    }
}
