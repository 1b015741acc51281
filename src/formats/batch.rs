//! Write batches: what a record of RocksDB, LevelDB and Pebble holds.

use serde_json::Value;

use super::Decoded;
use super::edits::{slice_of, varint};

/// The head of a write batch: the number of its first operation, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// The sequence number of the first operation.
    pub sequence: u64,
    /// How many sequence numbers it takes. Commits and rollbacks take none, and repeat one.
    pub count: u32,
}

/// How long the head is.
pub const BATCH_HEAD: usize = 12;

impl BatchHead {
    /// From the first bytes of a payload.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<BatchHead> {
        let head: &[u8; BATCH_HEAD] = payload.first_chunk()?;
        let (sequence, count) = head.split_first_chunk()?;
        Some(BatchHead { sequence: u64::from_le_bytes(*sequence), count: u32::from_le_bytes(count.try_into().ok()?) })
    }

    /// The number that the next batch gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.sequence.saturating_add(u64::from(self.count))
    }
}

/// How an operation of a batch is laid out: its type, for some a column family, and slices, each with its length in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationShape {
    /// What it is called.
    pub name: &'static str,
    /// A column family stands in front of its slices.
    pub family: bool,
    /// How many slices it has, at most two.
    pub slices: usize,
}

impl OperationShape {
    /// Of an operation without a column family.
    #[must_use]
    pub const fn of(name: &'static str, slices: usize) -> OperationShape {
        OperationShape { name, family: false, slices }
    }

    /// Of one that names its column family.
    #[must_use]
    pub const fn in_family(name: &'static str, slices: usize) -> OperationShape {
        OperationShape { name, family: true, slices }
    }
}

/// An operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// Its type.
    pub kind: u8,
    /// How it is laid out.
    pub shape: OperationShape,
    /// Its column family.
    pub family: u64,
    /// Its slices; those that it does not have are empty.
    pub slices: [&'a [u8]; 2],
}

/// The operations of a batch, one after the other, until something is none of them.
#[derive(Clone, Copy, Debug)]
pub struct Operations<'a> {
    /// What was not read yet.
    pub rest: &'a [u8],
    shapes: fn(u8) -> Option<OperationShape>,
}

impl<'a> Operations<'a> {
    /// Of a whole batch, head included.
    #[must_use]
    pub fn of(batch: &'a [u8], shapes: fn(u8) -> Option<OperationShape>) -> Operations<'a> {
        Operations { rest: batch.get(BATCH_HEAD..).unwrap_or_default(), shapes }
    }

    fn parse(&self) -> Option<(Operation<'a>, &'a [u8])> {
        let (kind, mut rest) = self.rest.split_first()?;
        let shape = (self.shapes)(*kind)?;
        let family = if shape.family { varint(&mut rest)? } else { 0 };
        let mut slices = [&[][..]; 2];
        for slice in slices.iter_mut().take(shape.slices) {
            *slice = slice_of(&mut rest)?;
        }
        Some((Operation { kind: *kind, shape, family, slices }, rest))
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        let (operation, rest) = self.parse()?;
        self.rest = rest;
        Some(operation)
    }
}

/// What operations mean, put together for a decoded batch: a list for programs, and the first few in words.
#[derive(Debug, Default)]
pub struct OperationList {
    listed: Vec<Value>,
    words: Vec<String>,
    count: usize,
}

/// How many operations of a batch are listed.
const LISTED: usize = 1000;
/// How many of them are said in words.
const SAID: usize = 4;

impl OperationList {
    /// Whether another one is still listed: what is not need not be made.
    #[must_use]
    pub fn wants(&mut self) -> bool {
        self.count += 1;
        self.count <= LISTED
    }

    /// Adds one, as facts and in words.
    pub fn push(&mut self, decoded: &Decoded<'_>, facts: impl FnOnce() -> Value, words: impl FnOnce() -> String) {
        if decoded.wants_facts() {
            self.listed.push(facts());
        }
        if self.words.len() < SAID {
            self.words.push(if decoded.wants_words() { words() } else { String::new() });
        }
    }

    /// Ends the list with what could not be read.
    pub fn into_decoded(self, head: &BatchHead, rest: usize, decoded: &mut Decoded<'_>) {
        decoded.fact("sequence", head.sequence);
        decoded.fact("count", head.count);
        decoded.fact("operations", self.listed);
        let beyond = self.count.saturating_sub(LISTED);
        if beyond > 0 {
            decoded.fact("operations_beyond", beyond);
        }
        if rest > 0 {
            decoded.fact("undecoded_bytes", rest);
        }
        let mut words = self.words.join(", ");
        let more = self.count.saturating_sub(self.words.len());
        if more > 0 {
            words += &format!(", and {more} more");
        }
        if rest > 0 {
            words += &format!("{}{rest} bytes that are no operation", if words.is_empty() { "" } else { ", " });
        }
        decoded.sentence = words;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_takes_no_numbers_leaves_the_next_one_where_it_was() {
        let head = BatchHead::parse(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13]).expect("a head");
        assert_eq!((head.sequence, head.count, head.next()), (9, 0, 9));
        assert_eq!(BatchHead::parse(&[0; 11]), None);
    }
}
