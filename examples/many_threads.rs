//! Many threads, one log: how many records share one sync. many_threads [THREADS]
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use walctl::Log;

fn main() -> walctl::Result<()> {
    let threads: u64 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(16);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = Log::open(folder.path().join("wal"))?;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            // A clone each: a group that waits for company then knows when nobody else can come.
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..100 {
                    // Returns when the record is on the disk.
                    log.append(format!("record {number} of thread {thread}")).expect("the disk is well");
                }
            });
        }
    });
    let counts = log.counts();
    let share = counts.records as f64 / counts.syncs as f64;
    println!("{} records in {} syncs: {share:.1} each", counts.records, counts.syncs);
    assert_eq!(log.close()?.0, threads * 100);
    Ok(())
}
