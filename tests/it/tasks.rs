//! Tasks that append: thousands on one thread or several, given up at any moment, under any executor.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{join_all, select};
use walctl::{ErrorKind, Log, Lsn, Options, SimDisk};

fn on(disk: &SimDisk, options: Options) -> Log {
    options.disk(Arc::new(disk.clone())).open("/wal").expect("a new log")
}

/// Each task appends `each` records, one after the other; all LSNs that were acknowledged, in order.
async fn appenders(log: Log, tasks: usize, each: usize) -> Vec<u64> {
    let run = |log: Log| async move {
        let mut lsns = Vec::new();
        for _ in 0..each {
            lsns.push(log.append_async([7; 40]).await.expect("the disk is well").lsn.0);
        }
        lsns
    };
    let handles: Vec<_> = (0..tasks).map(|_| tokio::spawn(run(log.clone()))).collect();
    let mut all = Vec::new();
    for handle in handles {
        all.extend(handle.await.expect("it does not panic"));
    }
    all.sort_unstable();
    all
}

#[test]
fn thousands_of_tasks_append_on_one_thread_and_on_several_also_without_room() {
    for queue_bytes in [16 << 20, 2000] {
        for several in [false, true] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let log = Options::new().queue_bytes(queue_bytes).open(dir.path()).expect("a new log");
            let mut runtime = match several {
                true => tokio::runtime::Builder::new_multi_thread(),
                false => tokio::runtime::Builder::new_current_thread(),
            };
            let tasks = if queue_bytes < 10_000 { 200 } else { 4096 };
            let lsns = runtime.build().expect("threads can be started").block_on(appenders(log.clone(), tasks, 3));
            assert_eq!(lsns, (1..=3 * tasks as u64).collect::<Vec<_>>(), "{queue_bytes} bytes, several threads: {several}");
            assert!(log.counts().groups < 3 * tasks as u64 / 4, "tasks share syncs: {:?}", log.counts());
        }
    }
}

#[test]
fn any_executor_will_do_and_tickets_are_awaited_in_any_order() {
    let log = on(&SimDisk::new(), Options::new());
    let lsns = block_on(async {
        let mut tickets = Vec::new();
        for _ in 0..100 {
            tickets.push(log.submit_async("x").await.expect("the disk is well"));
        }
        tickets.reverse();
        join_all(tickets).await.into_iter().map(|ack| ack.expect("the disk is well").lsn.0).collect::<Vec<_>>()
    });
    assert_eq!(lsns, (1..=100).rev().collect::<Vec<_>>());
    let acks = block_on(log.append_batch_async(["a", "b", "c"])).expect("the disk is well");
    assert!(acks.iter().map(|ack| ack.lsn.0).eq(101..=103) && acks.iter().all(|ack| ack.group == acks[0].group));
}

#[test]
fn tasks_that_are_given_up_hinder_nobody() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Options::new().queue_bytes(500).open(dir.path()).expect("a new log");
    let mut acknowledged = 0;
    for round in 0..200 {
        // The loser of each race is dropped: before it was handed over, without room, or under way.
        block_on(async {
            let race: Vec<_> = (0..round % 7).map(|_| Box::pin(log.append_async([1; 100]))).collect();
            drop(select(pin!(join_all(race)), pin!(log.append_async([2; 100]))).await);
            log.append_async("mine").await.expect("the disk is well");
        });
        acknowledged += 1;
    }
    log.close().expect("the disk is well");
    let mine = log.reader().expect("it opens").filter(|record| record.as_ref().is_ok_and(|r| &r.payload[..] == b"mine")).count();
    assert_eq!(mine, acknowledged);
}

#[test]
fn a_failure_and_a_close_reach_every_task() {
    let disk = SimDisk::new();
    let log = on(&disk, Options::new());
    block_on(log.append_async("x")).expect("the disk is well");
    disk.fail_at(disk.operations() + 1, walctl::disk::Fault::Errno(walctl::disk::Errno::IO));
    let kinds = block_on(join_all((0..50).map(|_| log.append_async("y"))));
    let kinds: Vec<_> = kinds.into_iter().map(|result| result.map(|_| ()).map_err(|error| error.kind())).collect();
    assert!(kinds.iter().all(|kind| *kind == Err(ErrorKind::Poisoned { durable: Lsn(1) })), "{kinds:?}");

    let log = on(&SimDisk::new(), Options::new());
    log.close().expect("the disk is well");
    assert_eq!(block_on(log.append_async("z")).map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Closed));
}

/// A waker that drops what it holds when it wakes, as an executor does that drops a task.
struct Dropping {
    held: Mutex<Option<Log>>,
    woken: Mutex<Option<std::sync::mpsc::Sender<()>>>,
}

impl Wake for Dropping {
    fn wake(self: Arc<Self>) {
        drop(self.held.lock().expect("nobody panics").take());
        if let Some(woken) = self.woken.lock().expect("nobody panics").take() {
            let _ = woken.send(());
        }
    }
}

fn wait(woken: &Receiver<()>) {
    woken.recv_timeout(Duration::from_secs(20)).expect("it is woken, and its executor returns");
}

#[test]
fn the_last_handle_may_go_while_a_task_is_woken() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Log::open(dir.path()).expect("a new log");
    let mut ticket = log.submit("x").expect("the disk is well");
    let (send, woken) = channel();
    let waker = Waker::from(Arc::new(Dropping { held: Mutex::new(Some(log)), woken: Mutex::new(Some(send)) }));
    let mut ticket = pin!(&mut ticket);
    match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
        // It was written before it was polled: then the handle goes with the waker.
        Poll::Ready(ack) => drop(ack.expect("the disk is well")),
        Poll::Pending => wait(&woken),
    }
    drop(waker);
    // Whoever dropped it gave back the lock, in the end.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let again = loop {
        match Log::open(dir.path()) {
            Ok(log) => break log,
            Err(error) => assert!(error.kind() == ErrorKind::Locked && std::time::Instant::now() < until, "{error}"),
        }
        std::thread::yield_now();
    };
    assert_eq!(again.next_lsn(), Lsn(2));
}

/// A waker of an executor that has come to harm.
struct Panicking(AtomicBool);

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
        std::panic::resume_unwind(Box::new("the executor is broken"));
    }
}

#[test]
fn an_executor_that_panics_ends_no_log() {
    let log = on(&SimDisk::new(), Options::new());
    for _ in 0..50 {
        let mut ticket = log.submit("x").expect("the disk is well");
        let waker = Waker::from(Arc::new(Panicking(AtomicBool::new(false))));
        let _ = pin!(&mut ticket).poll(&mut Context::from_waker(&waker));
        assert!(log.append("y").is_ok());
        assert!(log.wait(&ticket).is_ok());
    }
    assert_eq!(log.close().expect("the disk is well"), Lsn(100));
}
