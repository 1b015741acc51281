//! Letting old segments go: rules, checkpoints, pins, and what keeps the rest.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use walctl::{Log, Lsn, Options, Retain};

fn show(log: &Log, what: &str) {
    let counts = log.counts();
    let here = counts.segments_begun - counts.segments_gone;
    let why: Vec<String> = log.held_by().iter().map(ToString::to_string).collect();
    println!("{what}: {here} segments; the oldest stays: {}", why.join("; "));
}

fn main() -> walctl::Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Without a thread of its own, retention is done when a call returns: easier to show.
    let options = Options::new().segment_records(100).background(false).retain(Retain::new().segments(2).below_checkpoint());
    let log = options.open(folder.path().join("wal"))?;
    for number in 0..1000 {
        log.append(format!("change {number}"))?;
    }
    show(&log, "1,000 records and no checkpoint");

    // The state with the first 800 changes in it is durable elsewhere.
    log.checkpoint(Lsn(800))?;
    show(&log, "a checkpoint of 800");

    // A follower that has come to 850 needs the rest.
    log.pin("feed", Lsn(850))?;
    log.checkpoint(Lsn(1000))?;
    show(&log, "a checkpoint of 1,000 and a pin at 850");

    log.unpin("feed")?;
    show(&log, "the pin is gone");
    assert_eq!(log.reader()?.next().expect("there are records")?.lsn, Lsn(901));
    Ok(())
}
