//! How fast records become durable, each figure beside a bare loop or another way, in one run and by turns.
//!
//! `cargo bench --bench write` writes in a temporary folder (`TMPDIR` says where: it must lie on the disk that is meant) and prints medians and
//! ratios turn by turn. `cargo bench --bench write -- 3 tasks recycle` measures each for 3 seconds, and only what is named: `threads`, `tasks`,
//! `recycle`, `start`, `follow`.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{median, processor_time, processor_time_of};
use rustix::time::ClockId;
use walctl::disk::{AlignedBytes, Disk, Open, RealDisk, read_full};
use walctl::{Log, Lsn, Options, Preallocate, Reader, Retain};

const TURNS: usize = 5;
/// This part of each measure is not counted.
const WARM: f64 = 0.2;

/// One subject: measures in a folder, each for so many seconds.
type Part = fn(&Path, f64);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1.0);
    let named: Vec<&String> = words.iter().filter(|word| word.parse::<f64>().is_err()).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| *name == part);
    let parts: [(&str, Part); 5] =
        [("threads", threads), ("tasks", tasks), ("recycle", recycle), ("start", start), ("follow", follow)];
    for (name, part) in parts {
        if wanted(name) {
            let dir = tempfile::tempdir().expect("a temporary folder");
            part(dir.path(), seconds);
        }
    }
}

/// What one measure gave.
#[derive(Clone, Debug, Default)]
struct Load {
    /// Durable records a second.
    rate: f64,
    /// Microseconds, sorted.
    waits: Vec<u32>,
    /// Processor time for each record, in microseconds.
    processor: f64,
}

impl Load {
    fn quantile(&self, part: f64) -> f64 {
        let last = self.waits.len().saturating_sub(1);
        self.waits.get((last as f64 * part) as usize).copied().map_or(f64::NAN, f64::from)
    }
}

/// One way to do it, with its name.
type Way<'a> = (&'a str, Box<dyn Fn(&Path) -> Load + 'a>);

/// Takes all ways by turns, each in a new folder, and prints medians. Ratios are to the first.
fn compare(title: &str, dir: &Path, ways: &[Way<'_>]) {
    println!("{title}");
    let mut loads: Vec<Vec<Load>> = ways.iter().map(|_| Vec::new()).collect();
    for turn in 0..TURNS {
        // Whoever comes first finds the disk as the last one left it: each is first by turns.
        for at in 0..ways.len() {
            let at = (at + turn) % ways.len();
            let home = dir.join("log");
            fs::create_dir_all(&home).expect("room for a folder");
            rustix::fs::sync();
            loads[at].push(ways[at].1(&home));
            fs::remove_dir_all(&home).expect("it was just made");
        }
    }
    for ((name, _), these) in ways.iter().zip(&loads) {
        let of = |figure: fn(&Load) -> f64| median(these.iter().map(figure));
        let ratios =
            |figure: fn(&Load) -> f64| median(these.iter().zip(&loads[0]).map(|(this, first)| figure(this) / figure(first)));
        println!(
            "  {name:34} {:9.0} /s  p50 {:6.0} us  p99 {:6.0} us  p99.9 {:6.0} us  {:6.2} us of processor time each  {:.2} x the first in rate, {:.2} x in p99",
            of(|load| load.rate),
            of(|load| load.quantile(0.5)),
            of(|load| load.quantile(0.99)),
            of(|load| load.quantile(0.999)),
            of(|load| load.processor),
            ratios(|load| load.rate),
            ratios(|load| load.quantile(0.99)),
        );
    }
}

/// When a measure warms up, counts, and is over.
struct Phases {
    counts: AtomicBool,
    over: AtomicBool,
}

impl Phases {
    fn new() -> Arc<Phases> {
        Arc::new(Phases { counts: AtomicBool::new(false), over: AtomicBool::new(false) })
    }

    /// Keeps the time while others work. Seconds that counted, and processor time.
    fn keep(&self, seconds: f64) -> (f64, f64) {
        std::thread::sleep(Duration::from_secs_f64(WARM * seconds));
        let (since, processor) = (Instant::now(), processor_time());
        self.counts.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs_f64(seconds));
        self.over.store(true, Ordering::SeqCst);
        (since.elapsed().as_secs_f64(), processor_time() - processor)
    }

    /// Whether another record is to be appended, and whether it counts.
    fn next(&self) -> Option<bool> {
        if self.over.load(Ordering::Relaxed) { None } else { Some(self.counts.load(Ordering::Relaxed)) }
    }
}

fn load(mut waits: Vec<u32>, (seconds, processor): (f64, f64)) -> Load {
    waits.sort_unstable();
    let count = waits.len() as f64;
    Load { rate: count / seconds, processor: processor * 1e6 / count, waits }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// So many threads, each with one append in flight.
fn by_threads(options: &Options, home: &Path, count: usize, size: usize, seconds: f64) -> Load {
    let log = options.open(home).expect("a new log");
    let done = by_threads_on(&log, count, size, seconds);
    log.close().expect("it closes");
    done
}

fn by_threads_on(log: &Log, count: usize, size: usize, seconds: f64) -> Load {
    by_threads_telling(log, count, size, seconds, &|_| ())
}

/// The same; `told` hears of each record that counts when it is durable.
fn by_threads_telling(log: &Log, count: usize, size: usize, seconds: f64, told: &(dyn Fn(Lsn) + Sync)) -> Load {
    let phases = Phases::new();
    let payload = vec![b'x'; size];
    let work = || {
        let mut waits = Vec::new();
        while let Some(counts) = phases.next() {
            let since = Instant::now();
            let ack = log.append(&payload).expect("room on the disk");
            if counts {
                told(ack.lsn);
                waits.push(micros(since));
            }
        }
        waits
    };
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let time = phases.keep(seconds);
        let waits = working.into_iter().flat_map(|one| one.join().expect("it appends")).collect();
        load(waits, time)
    })
}

/// So many tasks on a runtime of two threads, each with one append in flight.
fn by_tasks(options: &Options, home: &Path, count: usize, size: usize, seconds: f64) -> Load {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let log = Arc::new(options.open(home).expect("a new log"));
    let phases = Phases::new();
    let working: Vec<_> = (0..count)
        .map(|_| {
            let (log, phases, payload) = (log.clone(), phases.clone(), vec![b'x'; size]);
            runtime.spawn(async move {
                let mut waits = Vec::new();
                while let Some(counts) = phases.next() {
                    let since = Instant::now();
                    log.append_async(&payload).await.expect("room on the disk");
                    if counts {
                        waits.push(micros(since));
                    }
                }
                waits
            })
        })
        .collect();
    let time = phases.keep(seconds);
    let waits = working.into_iter().flat_map(|one| runtime.block_on(one).expect("it appends")).collect();
    log.close().expect("it closes");
    load(waits, time)
}

/// The bare loop: one thread that writes so many records at once over blocks of zeros, and syncs.
fn bare(home: &Path, count: usize, size: usize, seconds: f64) -> Load {
    let file = OpenOptions::new().create_new(true).write(true).open(home.join("bare")).expect("a new file");
    const ROOM: u64 = 64 << 20;
    for at in (0..ROOM).step_by(1 << 20) {
        file.write_all_at(&[0; 1 << 20], at).expect("room on the disk");
    }
    file.sync_all().expect("it syncs");
    let group = vec![b'x'; count * (size + 40)];
    let phases = Phases::new();
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            let (mut waits, mut at) = (Vec::new(), 0);
            while let Some(counts) = phases.next() {
                let since = Instant::now();
                file.write_all_at(&group, at).expect("it writes");
                file.sync_data().expect("it syncs");
                at = if at + 2 * group.len() as u64 > ROOM { 0 } else { at + group.len() as u64 };
                if counts {
                    waits.extend(std::iter::repeat_n(micros(since), count));
                }
            }
            waits
        });
        let time = phases.keep(seconds);
        load(working.join().expect("it writes"), time)
    })
}

fn threads(dir: &Path, seconds: f64) {
    for (count, size) in [(1, 128), (4, 128), (16, 128), (64, 128), (256, 128), (16, 1024), (64, 1024), (16, 4096)] {
        let ways: [Way<'_>; 4] = [
            ("bare loop, one sync for all", Box::new(move |home| bare(home, count, size, seconds))),
            ("walctl", Box::new(move |home| by_threads(&Options::new(), home, count, size, seconds))),
            ("walctl, past_the_cache", Box::new(move |home| by_threads(&Options::past_the_cache(), home, count, size, seconds))),
            ("walctl, buffered", Box::new(move |home| by_threads(&Options::new().buffered(true), home, count, size, seconds))),
        ];
        compare(&format!("{count} threads, {size} bytes"), dir, &ways);
    }
}

fn tasks(dir: &Path, seconds: f64) {
    let on = |threads: usize, tasks: usize| {
        let ways: [Way<'_>; 2] = [
            ("threads", Box::new(move |home| by_threads(&Options::new(), home, threads, 128, seconds))),
            ("tasks on two threads", Box::new(move |home| by_tasks(&Options::new(), home, tasks, 128, seconds))),
        ];
        compare(&format!("{threads} threads and {tasks} tasks, 128 bytes"), dir, &ways);
    };
    on(1, 1);
    on(256, 256);
    on(256, 4096);
}

fn recycle(dir: &Path, seconds: f64) {
    let keep = Retain::new().segments(3);
    let ways = [
        ("zeros are written first", Preallocate::Zero),
        ("files are used again", Preallocate::Recycle),
        ("no room ahead", Preallocate::None),
    ];
    let options = |how| Options::new().segment_bytes(16 << 20).retain(keep.clone()).preallocate(how);
    let ways: Vec<Way<'_>> = ways
        .iter()
        .map(|(name, how)| -> Way<'_> {
            let options = options(*how);
            (
                *name,
                Box::new(move |home| {
                    let before = bytes_to_disk();
                    let log = options.open(home).expect("a new log");
                    let done = by_threads_on(&log, 16, 4096, 4.0 * seconds);
                    let of_log = log.counts().bytes;
                    log.close().expect("it closes");
                    println!(
                        "    {name}: {:.2} bytes to the disk for a byte of log",
                        (bytes_to_disk() - before) as f64 / of_log as f64
                    );
                    done
                }),
            )
        })
        .collect();
    compare("16 threads, 4096 bytes, segments of 16 MiB of which 3 stay", dir, &ways);
}

/// What this process has made the system write to disks.
fn bytes_to_disk() -> u64 {
    let told = fs::read_to_string("/proc/self/io").expect("the system tells");
    told.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).expect("its line")
}

/// A log as `kill -9` leaves it: its files are copied while the writer holds them.
fn killed(home: &Path, megabytes: usize) -> PathBuf {
    let (live, left) = (home.join("live"), home.join("left"));
    let log = Options::new().open(&live).expect("a new log");
    let payload = vec![b'x'; 1024];
    let mut last = None;
    for _ in 0..megabytes * 950 {
        last = Some(log.submit(&payload).expect("room on the disk"));
    }
    log.wait(&last.expect("some were appended")).expect("it is durable");
    fs::create_dir_all(&left).expect("room for a folder");
    for file in fs::read_dir(&live).expect("it lists") {
        let file = file.expect("it lists");
        fs::copy(file.path(), left.join(file.file_name())).expect("room for a copy");
    }
    drop(log);
    left
}

fn start(dir: &Path, _: f64) {
    for megabytes in [60, 1000] {
        let left = killed(dir, megabytes);
        let (mut opened, mut recovered) = (Vec::new(), Vec::new());
        for turn in 0..=TURNS {
            let copy = dir.join("copy");
            fs::create_dir_all(&copy).expect("room for a folder");
            let mut bytes = 0;
            for file in fs::read_dir(&left).expect("it lists") {
                let file = file.expect("it lists");
                bytes += fs::copy(file.path(), copy.join(file.file_name())).expect("room for a copy");
            }
            // As a kill leaves it: what was acknowledged is on the disk.
            rustix::fs::sync();
            let read = timed(|| Reader::open(&copy).expect("a log").each(|_| Ok(())).map(|_| ()).expect("it reads"));
            let last = fs::read_dir(&copy).expect("it lists").map(|file| file.expect("it lists").path());
            let last = last.filter(|path| path.extension().is_some_and(|kind| kind == "wal")).max().expect("a segment");
            // What the system has in its cache is no proof of what the disk has: opening reads past the cache, and so does this.
            let newest = timed(|| past_the_cache(&last));
            let mut log = None;
            let open = timed(|| log = Some(Log::open(&copy).expect("it opens")));
            drop(log);
            let recover = timed(|| drop(Log::recover(&copy, |_| Ok(())).expect("it recovers")));
            fs::remove_dir_all(&copy).expect("it was just made");
            // The first turn brings the log into the cache.
            if turn > 0 {
                opened.push(open / newest);
                recovered.push(recover / read);
            } else {
                println!(
                    "start after a kill, {:.0} MB: the newest segment is read from the disk in {:.1} ms, all in {:.1} ms",
                    bytes as f64 / 1e6,
                    newest * 1e3,
                    read * 1e3
                );
            }
        }
        let range = |ratios: &[f64]| ratios.iter().fold((f64::MAX, 0f64), |(low, high), one| (low.min(*one), high.max(*one)));
        println!(
            "  Log::open: {:.2} x reading the newest segment from the disk {:.2?}",
            median(opened.iter().copied()),
            range(&opened)
        );
        println!("  Log::recover: {:.2} x reading the log {:.2?}", median(recovered.iter().copied()), range(&recovered));
        fs::remove_dir_all(dir.join("live")).expect("it was made");
        fs::remove_dir_all(&left).expect("it was made");
    }
}

/// Reads a file once from the disk itself.
fn past_the_cache(path: &Path) {
    let file = RealDisk.open(path, Open { direct: true, ..Open::READ }).expect("it opens for direct reads");
    let (mut piece, mut at) = (AlignedBytes::new(), 0);
    piece.push_zeros(1 << 20);
    loop {
        match read_full(file.as_ref(), piece.bytes_mut(), at).expect("it reads") {
            0 => return,
            count => at += count as u64,
        }
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let since = Instant::now();
    work();
    since.elapsed().as_secs_f64()
}

/// What a follower costs the writer, and how long after its acknowledgement a record is out. Nobody else looks on: to watch the follower
/// from a thread of its own cost the writer more than the follower did.
fn follow(dir: &Path, seconds: f64) {
    const EVERY: Duration = Duration::from_micros(750);
    let late = Mutex::new(Vec::new());
    let used = Mutex::new(0.0);
    let beside = |home: &Path, buffered: bool, work: &(dyn Fn(&Log, &Acks, &AtomicBool) + Sync)| {
        let log = Options::new().buffered(buffered).open(home).expect("a new log");
        let (acks, over) = (Acks::new((seconds * 3e6) as usize), AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            let own = std::thread::Builder::new().name("beside".into());
            let working = own.spawn_scoped(scope, || work(&log, &acks, &over)).expect("a thread");
            let done = by_threads_telling(&log, 4, 128, seconds, &|lsn| acks.tell(lsn));
            over.store(true, Ordering::Relaxed);
            // For a follower that waits.
            log.append("over").expect("an append");
            working.join().expect("no panic");
            done
        });
        log.close().expect("it closes");
        done
    };
    let follower = |log: &Log, acks: &Acks, over: &AtomicBool| {
        let mut waits = Vec::new();
        for record in log.reader().expect("a reader").from(Lsn(1)).follow().every(EVERY) {
            waits.extend(acks.since(record.expect("it reads").lsn));
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
        late.lock().expect("no panic").extend(waits);
        *used.lock().expect("no panic") += processor_time_of(ClockId::ThreadCPUTime);
    };
    let sleeper = |_: &Log, _: &Acks, over: &AtomicBool| {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(EVERY);
        }
    };
    for buffered in [false, true] {
        let ways: [Way<'_>; 3] = [
            ("nobody follows", Box::new(|home| beside(home, buffered, &|_, _, _| ()))),
            ("a thread that sleeps and wakes", Box::new(|home| beside(home, buffered, &sleeper))),
            ("a follower in the process", Box::new(|home| beside(home, buffered, &follower))),
        ];
        compare(if buffered { "4 threads, 128 bytes, buffered" } else { "4 threads, 128 bytes" }, dir, &ways);
        let mut late = std::mem::take(&mut *late.lock().expect("no panic"));
        late.sort_unstable();
        let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
        println!("  a record is out {} us after its append returned (p50), {} us (p99)", at(0.5), at(0.99));
        let used = std::mem::take(&mut *used.lock().expect("no panic"));
        println!("  the follower used {:.1} % of a processor", used / TURNS as f64 / (seconds * (1.0 + WARM)) * 100.0);
    }
}

/// When the append of each LSN returned, in microseconds since the begin.
struct Acks {
    begin: Instant,
    at: Vec<AtomicU32>,
}

impl Acks {
    fn new(most: usize) -> Acks {
        Acks { begin: Instant::now(), at: std::iter::repeat_with(|| AtomicU32::new(0)).take(most).collect() }
    }

    fn tell(&self, lsn: Lsn) {
        if let Some(at) = usize::try_from(lsn.0).ok().and_then(|lsn| self.at.get(lsn)) {
            at.store(micros(self.begin).max(1), Ordering::Relaxed);
        }
    }

    /// How long ago that was; nothing where it does not count, or did not return yet.
    fn since(&self, lsn: Lsn) -> Option<u32> {
        let at = self.at.get(usize::try_from(lsn.0).ok()?)?.load(Ordering::Relaxed);
        (at > 0).then(|| micros(self.begin).saturating_sub(at))
    }
}
