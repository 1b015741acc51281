//! One step of a follower.

use walctl::ops::open::Input;
use walctl::ops::read::{Event, Follow, Scan, ScanOutcome, Selection, Step};

/// The LSNs of the records that a step delivers, and what it established; nothing where there was nothing to read. `live` says that a writer
/// holds the log.
pub fn step(follow: &mut Follow, input: &Input, live: bool) -> (Vec<u64>, Option<ScanOutcome>) {
    let selection = Selection::default();
    let scan = Scan {
        source: &input.source,
        format: input.format,
        keys: &input.keys,
        selection: &selection,
        payloads: false,
        frames: false,
        neighbours: false,
        growing: true,
        live,
    };
    let mut lsns = Vec::new();
    let mut take = |event: Event<'_>| {
        if let Event::Record(shown) = event {
            lsns.extend(shown.record.lsn.map(|lsn| lsn.0));
        }
        Ok(())
    };
    match follow.step(&scan, &mut take).expect("it reads") {
        Step::Quiet => (lsns, None),
        Step::Read(outcome) | Step::Pruned { outcome, .. } => (lsns, Some(*outcome)),
    }
}
