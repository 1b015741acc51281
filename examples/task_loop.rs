//! How fast are tasks beside threads? task_loop DIR threads|tasks|current COUNT SECONDS prints: records a second, p50 and p99 in
//! microseconds, processor time a record in microseconds.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use walctl::Log;

/// What all appenders share.
struct Load {
    log: Log,
    measures: AtomicBool,
    stop: AtomicBool,
    latencies: Mutex<Vec<u32>>,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn took(&self, own: &mut Vec<u32>, since: Instant) {
        if self.measures.load(Ordering::Relaxed) {
            own.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn done(&self, mut own: Vec<u32>) {
        self.latencies.lock().expect("nobody panics").append(&mut own);
    }
}

/// User and system time of this process, in clock ticks.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(") ").next().unwrap_or_default();
    behind.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// Measures in the middle of a run; prints what it found.
fn measure(load: &Load, seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds / 5.0));
    let (before, since, processor) = (load.log.counts().records, Instant::now(), ticks());
    load.measures.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs_f64(seconds));
    load.measures.store(false, Ordering::Relaxed);
    let (records, took) = (load.log.counts().records - before, since.elapsed().as_secs_f64());
    let processor = (ticks() - processor) as f64 * 10_000.0 / records.max(1) as f64;
    load.stop.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(200));
    let mut latencies = std::mem::take(&mut *load.latencies.lock().expect("nobody panics"));
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or(0);
    let rate = records as f64 / took;
    let _ = writeln!(std::io::stdout(), "{rate:.0} {} {} {processor:.2}", at(50), at(99));
}

async fn task(load: Arc<Load>) {
    let mut own = Vec::new();
    while load.goes_on() {
        let since = Instant::now();
        if load.log.append_async([7; 128]).await.is_err() {
            break;
        }
        load.took(&mut own, since);
    }
    load.done(own);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let dir: PathBuf = words.next().ok_or("name a folder for a new log")?.into();
    let kind = words.next().ok_or("threads, tasks or current")?;
    let count: usize = words.next().ok_or("say how many appenders")?.parse()?;
    let seconds: f64 = words.next().ok_or("say how many seconds")?.parse()?;
    let log = Log::open(dir)?;
    let load = Arc::new(Load { log, measures: false.into(), stop: false.into(), latencies: Mutex::default() });
    let meter = load.clone();
    let meter = std::thread::spawn(move || measure(&meter, seconds));
    if kind == "threads" {
        std::thread::scope(|scope| {
            for _ in 0..count {
                let (log, load) = (load.log.clone(), &load);
                scope.spawn(move || {
                    let mut own = Vec::new();
                    while load.goes_on() {
                        let since = Instant::now();
                        if log.append([7; 128]).is_err() {
                            break;
                        }
                        load.took(&mut own, since);
                    }
                    load.done(own);
                });
            }
        });
    } else {
        let many = kind == "tasks";
        let mut runtime =
            if many { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
        runtime.build()?.block_on(async {
            let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(task(load.clone()))).collect();
            for task in tasks {
                let _ = task.await;
            }
        });
    }
    meter.join().map_err(|_| "measuring panicked")?;
    Ok(())
}
