//! Which key the sums of a block are taken with: it is made of the stream's name and the block's number.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::log;
use super::record::Head;
use crate::disk::{Segment, Source};

/// Where the server keeps what it knows of a stream.
const META: &str = "../meta.inf";
/// A block whose name is not known is tried with the numbers up to this one.
const NUMBERS: u64 = 8;

/// The key of a stream's block.
pub fn key(stream: &str, block: u64) -> [u8; 32] {
    Sha256::digest(format!("{stream}-{block}")).into()
}

/// What the stream of a log may be called, the likeliest first.
pub fn streams(source: &Source) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(Some(mut cursor)) = source.sibling(META)
        && let Ok(meta) = serde_json::from_slice::<Json>(cursor.bytes(0, 1 << 20))
        && let Some(name) = meta["name"].as_str()
    {
        names.push(name.to_owned());
    }
    let folder = |dir: &std::path::Path| dir.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(parent) = source.dir.parent().and_then(folder)
        && !names.contains(&parent)
    {
        names.push(parent);
    }
    names
}

/// The keys that the sums of a block may be taken with.
pub fn keys(source: &Source, segment: &Segment) -> Vec<[u8; 32]> {
    let block = log::number_of(&segment.name).unwrap_or(1);
    streams(source).iter().map(|stream| key(stream, block)).collect()
}

/// Keys by guessing: streams are often called like the first part of their subjects. No wrong one fits a sum.
pub fn guessed(segment: &Segment, head: &Head, record: &[u8]) -> Vec<[u8; 32]> {
    let from = super::record::HEADER;
    let subject = record.get(from..from + usize::from(head.subject)).unwrap_or_default();
    let Ok(first) = std::str::from_utf8(subject.split(|byte| *byte == b'.').next().unwrap_or_default()) else {
        return Vec::new();
    };
    let numbers = log::number_of(&segment.name).map_or(1..=NUMBERS, |number| number..=number);
    let names = [first.to_owned(), first.to_uppercase(), first.to_lowercase()];
    numbers.flat_map(|number| names.iter().map(move |name| key(name, number)).collect::<Vec<_>>()).collect()
}
