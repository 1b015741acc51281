//! A replica: follows a log while it is written, keeps numbers and times, and pins what it has not taken yet.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use walctl::{Log, Lsn, Options, Reader, Retain};

const RECORDS: u64 = 2000;

fn main() -> walctl::Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source_dir, replica_dir) = (folder.path().join("source"), folder.path().join("replica"));
    // The source keeps two segments, and whatever the replica still needs.
    let source = Options::new().segment_bytes(64 << 10).retain(Retain::new().segments(2)).open(&source_dir)?;
    source.pin("replica", Lsn(0))?;

    std::thread::scope(|scope| {
        let writer = source.clone();
        scope.spawn(move || {
            let tickets: Vec<_> = (0..RECORDS)
                .map(|n| writer.submit(format!("change {n} {}", "x".repeat(200))).expect("the disk is well"))
                .collect();
            assert!(tickets.iter().all(|ticket| writer.wait(ticket).is_ok()));
        });
        let pins = source.clone();
        let copied = scope.spawn(move || -> walctl::Result<()> {
            let replica = Log::open(&replica_dir)?;
            // Where the replica is, it knows from its own log: a restart goes on there.
            let mut follower = Reader::open(&source_dir)?.from(replica.next_lsn()).follow();
            while replica.next_lsn() <= Lsn(RECORDS) {
                let record = follower.next().expect("it waits")?;
                let ticket = replica.submit(record)?;
                // What is durable here need not be kept there. Not each time: a pin is a file.
                if ticket.is_over() || replica.next_lsn().0 % 500 == 1 {
                    let ack = replica.wait(&ticket)?;
                    pins.pin("replica", ack.lsn)?;
                }
            }
            replica.close()?;
            Ok(())
        });
        copied.join().expect("it does not panic")
    })?;

    source.close()?;
    let replica = Reader::open(folder.path().join("replica"))?;
    let lsns = replica.map(|record| Ok(record?.lsn.0)).collect::<walctl::Result<Vec<_>>>()?;
    assert_eq!(lsns, (1..=RECORDS).collect::<Vec<_>>());
    println!("{RECORDS} records copied; the source let {} segments go", source.counts().segments_gone);
    Ok(())
}
