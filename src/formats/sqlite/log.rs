//! What a log is besides its frames: names, and what SQLite would make of it.

use std::any::Any;

use serde_json::{Value, json};

use super::super::{Folder, Laid, Likeness, Placed, Sample, Summary};
use super::frame::{FRAME_HEADER, Frame, HEADER, Header, MAGIC, PAGES, VERSION, sum_of};
use crate::disk::{EntryKind, Source, zero_prefix};
use crate::model::Damage;

/// What SQLite appends to the name of a database.
const ENDING: &str = "-wal";

/// The name of the database that a log belongs to.
#[must_use]
pub fn database_of(name: &str) -> Option<&str> {
    name.strip_suffix(ENDING).filter(|database| !database.is_empty())
}

/// What the walk knows of a log besides its summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// How long pages are; 0 where nothing tells.
    pub page: u32,
    /// How often the log was begun again at its start.
    pub checkpoint: u32,
    /// The header does not count.
    pub headless: bool,
    /// Transactions so far.
    pub transactions: u64,
    /// Those that SQLite sees, the end of the last one, and how many pages the database has after it.
    pub kept_transactions: u64,
    pub committed: u64,
    pub pages: u32,
    /// Those that it does not see although they were committed.
    pub lost_transactions: u64,
}

impl Own {
    /// What SQLite makes of the log when the database is opened.
    #[must_use]
    pub fn recovery(&self, summary: &Summary) -> String {
        let some = |count: u64, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
        let stride = FRAME_HEADER as u64 + u64::from(self.page);
        let frames = if self.page == 0 { 0 } else { self.committed.saturating_sub(HEADER as u64) / stride };
        if self.headless {
            return format!(
                "SQLite ignores the whole log without a word, and with it {} that are whole",
                some(summary.records, "frame")
            );
        }
        let mut words = match frames {
            0 => "SQLite finds no transaction in it".to_owned(),
            _ => {
                let (transactions, pages) = (some(self.kept_transactions, "transaction"), some(u64::from(self.pages), "page"));
                format!("SQLite finds {}, {transactions}, and a database of {pages}", some(frames, "frame"))
            }
        };
        if self.lost_transactions > 0 {
            words += &format!(
                "; it drops what follows byte {} without a word, {} among it",
                self.committed,
                some(self.lost_transactions, "commit frame")
            );
        } else if summary.records > frames {
            words += &format!("; it drops {} that no transaction ends", some(summary.records - frames, "frame"));
        }
        words
    }
}

/// Each `*-wal` is a log by itself. A folder with one is meant by the folder; of several, each is called like its file.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    // A folder of that name is no log that could not be reached: many things are called so.
    let named = folder.entries.iter().filter(|entry| database_of(&entry.name).is_some() && entry.kind != EntryKind::Folder);
    let mut entries: Vec<_> = named.collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let several = entries.len() > 1;
    let laid = |entry: &&crate::disk::Entry| Laid {
        name: if several { entry.name.clone() } else { String::new() },
        segments: vec![Placed { entry: (*entry).clone(), number: 0, followed: false }],
    };
    entries.iter().map(laid).collect()
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let database = sample.name.and_then(database_of);
    let named = database.is_some();
    let number = |at: usize| sample.head.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes);
    let (magic, version) = (number(0) & !1 == MAGIC, number(4) == VERSION);
    if magic && version || sample.head.first_chunk().is_some_and(|head| Header::parse(*head).is_ok()) {
        return Likeness::Sure;
    }
    if !named {
        return Likeness::No;
    }
    if zero_prefix(sample.head) == sample.head.len() || sample.head.len() < HEADER {
        return Likeness::Maybe;
    }
    let beside = sample.beside.iter().any(|entry| Some(entry.name.as_str()) == database && entry.kind == EntryKind::File);
    match magic || version && PAGES.contains(&number(8)) || frames_fit(sample.head) {
        true => Likeness::Sure,
        false if beside => Likeness::Maybe,
        false => Likeness::No,
    }
}

/// Whether the second frame goes on with the sum of the first, for some length of pages.
fn frames_fit(head: &[u8]) -> bool {
    PAGES.into_iter().any(|page| {
        let stride = FRAME_HEADER + page as usize;
        let frames = head.get(HEADER..).unwrap_or_default();
        let (Some(first), Some(second)) = (frames.get(..stride), frames.get(stride..2 * stride)) else { return false };
        let (first, frame) = (Frame::parse(first), Frame::parse(second));
        frame.is_of(first.salts) && [false, true].into_iter().any(|big| sum_of(second, first.sum, big) == frame.sum)
    })
}

/// Of what stands in one file there is nothing to join.
pub fn join(_: &Source, _: &mut [Summary]) -> Vec<Damage> {
    Vec::new()
}

/// What the walk found besides, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "page": own.page, "checkpoint": own.checkpoint, "headless": own.headless, "transactions": own.transactions,
        "kept_transactions": own.kept_transactions, "committed": own.committed, "pages": own.pages,
        "lost_transactions": own.lost_transactions,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let small = |value: &Value| u32::try_from(value.as_u64()?).ok();
    Some(Box::new(Own {
        page: small(&from["page"]).filter(|page| *page == 0 || PAGES.contains(page))?,
        checkpoint: small(&from["checkpoint"])?,
        headless: from["headless"].as_bool()?,
        transactions: from["transactions"].as_u64()?,
        kept_transactions: from["kept_transactions"].as_u64()?,
        committed: from["committed"].as_u64()?,
        pages: small(&from["pages"])?,
        lost_transactions: from["lost_transactions"].as_u64()?,
    }))
}
