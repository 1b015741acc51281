//! Reading another system's log with the same words: read_foreign [PATH]
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use walctl::{ReadItem, Reader};

fn main() -> walctl::Result<()> {
    // Without a path: a log of ironwal with a torn tail, from the tests.
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ironwal/torn_tail/wal");
    let path = std::env::args().nth(1).unwrap_or_else(|| fixture.to_owned());
    let report = walctl::verify(&path)?;
    println!("{path}: {}, {}, {} records", report.format, report.verdict, report.records);
    for item in Reader::open(&path)?.with_damage().take(20) {
        match item? {
            ReadItem::Record(record) => println!("{} {} {} bytes", record.lsn, record.kind, record.payload.len()),
            ReadItem::Damage(hurt) => println!("{hurt}"),
            _ => {}
        }
    }
    Ok(())
}
