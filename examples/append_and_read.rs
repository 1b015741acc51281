//! A log in one screen: append, read, close, and what a restart finds. append_and_read [DIR]
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use walctl::{Draft, Log, Lsn, Reader};

fn main() -> walctl::Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = std::env::args_os().nth(1).map_or_else(|| folder.path().join("wal"), Into::into);

    let log = Log::open(&dir)?;
    let ack = log.append("open account 7")?;
    println!("LSN {} is on the disk, in segment {} at {}", ack.lsn, ack.segment, ack.offset);
    log.append_batch(["debit 7 30", "credit 9 30"])?;
    log.append(Draft::of(b"a record of transaction 12").tag(12))?;
    println!("closed, durable up to LSN {}", log.close()?);

    let mut reader = Reader::open(&dir)?.from(Lsn(ack.lsn.0 + 1));
    for record in reader.by_ref() {
        let record = record?;
        println!("{} {} tag {}: {}", record.lsn, record.kind, record.tag, String::from_utf8_lossy(&record.payload));
    }
    println!("reading ended: {:?}", reader.ended());
    assert!(walctl::verify(&dir)?.is_clean());
    Ok(())
}
