//! How fast is the library when nothing is measured? The loop that `walctl bench` is held against: bare_loop DIR APPENDERS SECONDS.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use walctl::disk::RealDisk;
use walctl::writer::{GroupCommit, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let dir: PathBuf = words.next().ok_or("name a folder for a new log")?.into();
    let appenders: usize = words.next().ok_or("say how many appenders")?.parse()?;
    let seconds: f64 = words.next().ok_or("say how many seconds")?.parse()?;
    let log = GroupCommit::open(Arc::new(RealDisk), &dir, Settings::default())?;
    let stop = AtomicBool::new(false);
    let counted = std::thread::scope(|scope| {
        for _ in 0..appenders {
            let (log, stop) = (log.clone(), &stop);
            scope.spawn(move || while !stop.load(Ordering::Relaxed) && log.append(&[7; 128][..]).is_ok() {});
        }
        std::thread::sleep(Duration::from_secs_f64(seconds / 5.0));
        let (before, since) = (log.counts().records, Instant::now());
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let rate = (log.counts().records - before) as f64 / since.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        rate
    });
    log.close()?;
    writeln!(std::io::stdout(), "{counted:.0}")?;
    Ok(())
}
