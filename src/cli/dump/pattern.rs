//! Searching payloads for a regular expression, also those that are too long to be held.

use std::cell::RefCell;

use regex::bytes::Regex;
use walctl::formats::Asked;
use walctl::model::{Payload, Record, Result};
use walctl::ops::read::Content;

use crate::cli::render::records::meaning::Meaning;

/// Of a long payload this much is searched at once.
const WINDOW: usize = 4 << 20;
/// This much of it is searched again with what follows: a match up to this length is found wherever it lies.
const OVERLAP: usize = 64 << 10;

/// The condition that the expression is found in the payload, or in what the record means.
pub fn content(pattern: Regex, meaning: Option<Meaning>) -> Content {
    let in_payload = in_payload(pattern.clone());
    let meaning = RefCell::new(meaning);
    Box::new(move |record: &Record<'_>| {
        if in_payload(&record.payload)? {
            return Ok(true);
        }
        let Some(meaning) = &mut *meaning.borrow_mut() else { return Ok(false) };
        let found = meaning.tell(Asked::All, record, |decoded| {
            pattern.is_match(decoded.sentence.as_bytes()) || pattern.is_match(decoded.to_json().as_bytes())
        })?;
        Ok(found == Some(true))
    })
}

/// Whether the expression is found in a payload.
fn in_payload(pattern: Regex) -> impl Fn(&Payload<'_>) -> Result<bool> {
    let room = RefCell::new(Vec::new());
    move |payload: &Payload<'_>| {
        if let Some(bytes) = payload.whole() {
            return Ok(pattern.is_match(bytes));
        }
        let mut window = room.borrow_mut();
        window.clear();
        let (mut found, mut at_start) = (false, true);
        payload.each(&mut |piece| {
            let mut piece = piece;
            while !found && !piece.is_empty() {
                let count = piece.len().min(WINDOW - window.len());
                window.extend_from_slice(&piece[..count]);
                piece = &piece[count..];
                if window.len() == WINDOW {
                    found = search(&pattern, &window, at_start, false);
                    at_start = false;
                    window.drain(..WINDOW - OVERLAP);
                }
            }
            Ok(())
        })?;
        found = found || search(&pattern, &window, at_start, true);
        window.clear();
        window.shrink_to(WINDOW);
        Ok(found)
    }
}

/// Whether the expression is found in a window. Its edges are not the payload's: what only fits at them does not count, but for the
/// edges that are.
fn search(pattern: &Regex, window: &[u8], at_start: bool, at_end: bool) -> bool {
    let from = usize::from(!at_start && !window.is_empty());
    // The first place where some match is complete: whether it could go on does not matter.
    pattern.shortest_match_at(window, from).is_some_and(|end| at_end || end < window.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::model::Pieces;

    fn found(pattern: &str, bytes: &[u8]) -> bool {
        let meets = in_payload(Regex::new(pattern).expect("a good expression"));
        let pieces: &Pieces<'_> = &|take| bytes.chunks(70_001).try_for_each(&mut *take);
        meets(&Payload::Long(bytes.len() as u64, pieces)).expect("it reads")
    }

    #[test]
    fn a_match_is_found_wherever_a_window_ends() {
        for at in [0, 1, WINDOW - 3, WINDOW, WINDOW + 1, 2 * WINDOW - OVERLAP - 2, 9_999_994] {
            let mut bytes = vec![b'.'; 10_000_000];
            bytes[at..at + 6].copy_from_slice(b"needle");
            assert!(found("ne+dle", &bytes), "{at}");
            assert!(!found("nedle", &bytes), "{at}");
        }
    }

    #[test]
    fn edges_of_windows_are_not_edges_of_the_payload() {
        let bytes = vec![b'a'; 10_000_000];
        assert!(found("^a", &bytes) && found("a$", &bytes) && found("^", b""));
        let mut other = bytes.clone();
        (other[0], other[9_999_999]) = (b'x', b'y');
        assert!(!found("^a", &other) && !found("a$", &other));
        assert!(found("^xa+", &other));
    }
}
