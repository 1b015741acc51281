//! Comparing two logs, record by record and by number.
//!
//! Each log is read once, on a thread of its own, and only what is compared of a record is kept: so two logs of any size take the same
//! memory. Only a log whose numbers go up and down is read again in their order.

use super::merge::{Merged, merge};
use super::order::{AscendingRun, in_order};
use super::side::Side;
use super::values::Comparison;
use crate::formats::{Format, Numbers};
use crate::model::{Error, LsnRange, Result};
use crate::ops::open::Input;
use crate::ops::report::Progress;

/// Whether the numbers of two formats tell of the same thing; if not, why.
///
/// # Errors
/// The reason, in words.
pub fn comparable(a: &Format, b: &Format) -> Result<(), String> {
    for format in [a, b] {
        if matches!(format.numbers, Numbers::None) {
            return Err(format!("records of {} have no numbers by which they could be compared", format.title));
        }
    }
    // A log of ours may have been salvaged from the other one, and keeps its numbers.
    if a == b || a.ours.is_some() || b.ours.is_some() {
        return Ok(());
    }
    let what = |format: &Format| match format.numbers {
        Numbers::Positions { .. } => "positions",
        Numbers::CountedFromZero => "counts from 0",
        Numbers::Counted | Numbers::CountedAgain | Numbers::None => "counts from 1",
    };
    if what(a) == what(b) && !matches!(a.numbers, Numbers::Positions { .. }) {
        return Ok(());
    }
    Err(format!(
        "the numbers of {} are {}, those of {} are {}: they do not name the same records",
        a.title,
        what(a),
        b.title,
        what(b)
    ))
}

/// Compares two logs, or what they have in a window of LSNs.
///
/// # Errors
/// If their numbers cannot be compared ([`comparable`]), or one of them cannot be read at all.
pub fn compare(a: &Input, b: &Input, window: Option<LsnRange>, progress: &Progress) -> Result<Comparison> {
    comparable(a.format, b.format).map_err(|what| Error::Input { what })?;
    let sides = [Side::look(a, window, b.format)?, Side::look(b, window, a.format)?];
    let mut orders: [Option<Vec<AscendingRun>>; 2] = [None, None];
    let mut falling = [false, false];
    loop {
        let merged = std::thread::scope(|scope| {
            let spawn = |index: usize| {
                let way = (falling[index], orders[index].as_deref());
                sides[index].spawn(scope, way, progress).map_err(Error::io("start a thread for", &sides[index].input.source.path))
            };
            merge([&sides[0], &sides[1]], [spawn(0)?, spawn(1)?], a.format == b.format)
        })?;
        match merged {
            Merged::Done(comparison) => return Ok(*comparison),
            Merged::Falls(falls) => {
                progress.done.store(0, std::sync::atomic::Ordering::Relaxed);
                for index in (0..2).filter(|index| falls[*index]) {
                    falling[index] = true;
                    orders[index] = in_order(&sides[index])?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::by_name;

    #[test]
    fn logs_are_compared_by_numbers_that_name_the_same_records_and_by_no_others() {
        let table = [
            ("native", "postgres", true),
            ("postgres", "postgres", true),
            ("postgres", "native", true),
            ("nodedb", "rocksdb", true),
            ("ironwal", "kafka", true),
            ("rivven", "nodedb", true),
            ("nodedb", "ironwal", false),
            ("postgres", "zookeeper", false),
            ("postgres", "nodedb", false),
            ("native", "mysql", false),
        ];
        for (a, b, expected) in table {
            let [a, b] = [a, b].map(|name| by_name(name).expect("it is in the registry"));
            let why = comparable(a, b);
            assert_eq!(why.is_ok(), expected, "{} and {}: {why:?}", a.name, b.name);
        }
    }
}
