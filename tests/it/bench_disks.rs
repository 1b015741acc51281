//! `walctl bench` on disks and systems that are slow, fast or false: its figures are those of the kernel, and its advice is that of the
//! disk. Nothing here asks how fast the machine is: what is compared differs by factors that were put there.

use std::path::Path;

use serde_json::Value;

use crate::support::sandbox::{Sandbox, have};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn figure(cell: &Value, name: &str) -> f64 {
    cell["figures"][name]["median"].as_f64().unwrap_or_else(|| panic!("no {name}: {cell}"))
}

/// The cell whose key ends so.
fn cell<'a>(found: &'a Value, key: &str) -> &'a Value {
    let cells = found["cells"].as_array().expect("there are cells");
    let ends = |cell: &&Value| cell["key"].as_str().is_some_and(|k| k.ends_with(key));
    cells.iter().find(ends).unwrap_or_else(|| panic!("no {key}: {found}"))
}

fn says(found: &Value, words: &str) -> bool {
    found["advice"]["reasons"].as_array().is_some_and(|all| all.iter().any(|r| r.as_str().is_some_and(|r| r.contains(words))))
}

/// Runs bench with system calls that are tampered with.
fn under_strace(tamper: &str, words: &str) -> Value {
    let sandbox = Sandbox::new();
    let line = format!("strace -f -qq -o trace {tamper} walctl bench --json {words} > out.json 2> err");
    let ended = sandbox.shell(&line).status().expect("it runs").code();
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap_or_default();
    assert_eq!(ended, Some(0), "{}", read("err"));
    json(&read("out.json"))
}

#[test]
#[ignore = "slow: needs strace"]
fn the_syncs_that_bench_counts_are_those_of_the_kernel() {
    if !have("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    let line = "strace -f -qq -e trace=fdatasync -o trace walctl bench --json --appenders 4 --repeats 1 --warmup 0 \
                --duration 500ms --preallocate none > out.json";
    assert_eq!(sandbox.shell(line).status().map(|s| s.code()).expect("it runs"), Some(0));
    let found = json(&std::fs::read_to_string(sandbox.path().join("out.json")).expect("it was written"));
    let cell = &found["cells"][0]["figures"];
    // 128 bytes and a cell of half a second: rates times time are counts.
    let syncs = cell["syncs"]["median"].as_f64().expect("it is told") * 0.5;
    let trace = std::fs::read_to_string(sandbox.path().join("trace")).expect("it was written");
    let probes: f64 = ["disk", "disk_after"]
        .iter()
        .flat_map(|name| found[*name].as_array().expect("the disk was measured before and after"))
        .filter(|cost| cost["way"].as_str().is_some_and(|way| way.ends_with("fdatasync")))
        .map(|cost| cost["writes"].as_f64().expect("it is told") + 3.0)
        .sum();
    // A call that another thread cuts in two has two lines, of which the second says that it resumed.
    let seen = trace.lines().filter(|line| line.contains("fdatasync(")).count() as f64 - probes;
    // The edges of the window and the clean close are outside of the figures.
    assert!((seen - syncs).abs() <= seen * 0.05 + 20.0, "the kernel saw {seen}, bench told {syncs}");
}

#[test]
#[ignore = "slow: needs strace"]
fn the_records_that_bench_counts_are_those_that_were_written() {
    if !have("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    let line = "strace -f -y -qq -e trace=pwrite64,pwritev -o trace walctl bench --json --appenders 4 --repeats 1 --warmup 0 \
                --duration 500ms --preallocate none > out.json";
    assert_eq!(sandbox.shell(line).status().map(|s| s.code()).expect("it runs"), Some(0));
    let found = json(&std::fs::read_to_string(sandbox.path().join("out.json")).expect("it was written"));
    let told = figure(&found["cells"][0], "rate") * 0.5;
    let trace = std::fs::read_to_string(sandbox.path().join("trace")).expect("it was written");
    let mut written = 0;
    for line in trace.lines().filter(|line| line.contains(".wal>")) {
        // A call that another thread cuts in two tells its result in a second line without the name; the length is in the first.
        let length = line.rsplit_once("= ").map(|(_, result)| result.trim()).and_then(|result| result.parse::<u64>().ok());
        let asked = line.rsplit(", ").nth(1).and_then(|word| word.parse::<u64>().ok());
        written += length.or(asked).unwrap_or(0);
    }
    // A frame of 128 bytes has 40 more; the header and what brings a log to its stride are the rest.
    let records = (written as f64 - 128.0 * 1024.0 - 4096.0) / 168.0;
    assert!((records - told).abs() <= records * 0.05 + 40.0, "{records} were written, bench told {told}");
    assert_eq!(found["cells"][0]["lacking_count"], 0);
}

#[test]
#[ignore = "slow: needs strace"]
fn what_goes_past_the_cache_is_what_bench_says() {
    if !have("strace") {
        return;
    }
    // A short run of one appender measures no log that has only begun: there is room, and groups go past the cache into it.
    for (flag, past) in [("", true), ("--buffered", false), ("--direct", true)] {
        let sandbox = Sandbox::new();
        let line = format!(
            "strace -f -qq -e trace=openat -o trace walctl bench --json --appenders 1 --repeats 1 --duration 300ms {flag} > out.json"
        );
        assert_eq!(sandbox.shell(&line).status().map(|s| s.code()).expect("it runs"), Some(0));
        let trace = std::fs::read_to_string(sandbox.path().join("trace")).expect("it was written");
        let written = trace.lines().filter(|line| line.contains("/cell-0/") && !line.contains("O_RDONLY"));
        let opened = written.filter(|line| line.contains("O_DIRECT")).count() > 0;
        assert_eq!(opened, past, "{flag}");
    }
}

#[test]
#[ignore = "slow: needs strace"]
fn a_disk_on_which_syncs_are_dear_and_writes_are_not_is_advised_to_write_through() {
    if !have("strace") {
        return;
    }
    let load = "--appenders 1 --duration 300ms --repeats 3 --sync";
    let slow = |call: &str| format!("-e trace={call} -e inject={call}:delay_exit=30000");
    let found = under_strace(&slow("fdatasync"), &format!("{load} fdatasync,dsync"));
    assert_eq!(found["advice"]["flags"], "--sync dsync", "{}", found["advice"]);
    let headline = found["advice"]["headline"].as_str().expect("it is told");
    assert!(headline.contains("x the appends of the defaults at 1 appender"), "{headline}");
    // The other way round there is nothing to set.
    let found = under_strace(&slow("fsync"), &format!("{load} fdatasync,fsync"));
    assert_eq!(found["advice"]["flags"], "", "{}", found["advice"]);
    assert!(says(&found, "worst: `--sync fsync`"), "{}", found["advice"]);
}

#[test]
#[ignore = "slow: needs strace"]
fn a_window_that_is_longer_than_a_sync_is_dear_and_none_is_advised_instead_of_it() {
    if !have("strace") {
        return;
    }
    // Nobody comes for whom 200 ms are waited, and a sync takes a twentieth of that.
    let load = "--appenders 1 --duration 1s --repeats 3 --window";
    let slow = "-e trace=fdatasync -e inject=fdatasync:delay_exit=10000";
    let found = under_strace(slow, &format!("{load} 200ms,0"));
    assert_eq!(found["advice"]["flags"], "--window 0", "{}", found["advice"]);
    let found = under_strace(slow, &format!("{load} auto,200ms"));
    assert!(found["advice"]["flags"] == "" && says(&found, "worst: `--window 200ms`"), "{}", found["advice"]);
}

#[test]
#[ignore = "slow: needs strace"]
fn appenders_that_take_turns_in_two_cohorts_are_found_and_told() {
    if !have("strace") {
        return;
    }
    let load = "--appenders 16 --duration 1s --repeats 3 --window auto,0";
    let found = under_strace("-e inject=fdatasync:delay_exit=20000 -e trace=fdatasync", load);
    assert_eq!(cell(&found, "--window 0 --preallocate zero")["two_cohorts"], true, "{found}");
    assert_eq!(cell(&found, "--window auto --preallocate zero")["two_cohorts"], false, "{found}");
    assert!(says(&found, "with `--window 0`, 16 appenders split into two cohorts that take turns"), "{}", found["advice"]);
    assert!(says(&found, "`--window auto` merges them"), "{}", found["advice"]);
    assert!(says(&found, "the disk is the limit"), "{}", found["advice"]);
}

#[test]
#[ignore = "slow: needs strace"]
fn latency_counts_from_when_an_append_should_have_begun() {
    if !have("strace") {
        return;
    }
    // A hundred a second are wanted of a disk that can do twenty: after a second the backlog is most of that second.
    let slow = "-e inject=fdatasync:delay_exit=50000 -e trace=fdatasync";
    let open = under_strace(slow, "--appenders 1 --rate 100 --duration 1s --warmup 0 --repeats 1");
    let cell = &open["cells"][0];
    assert!(figure(cell, "max") >= 500e6, "{cell}");
    assert!(figure(cell, "mean-queue") > figure(cell, "mean-sync"), "{cell}");
    assert!(figure(cell, "rate") <= 25.0, "{cell}");
    // A closed loop asks nobody when it should have begun.
    let closed = under_strace(slow, "--appenders 1 --duration 1s --warmup 0 --repeats 1");
    assert!(figure(&closed["cells"][0], "mean-queue") < figure(&closed["cells"][0], "mean-sync"), "{closed}");
}

#[test]
#[ignore = "slow: needs strace"]
fn a_latency_below_what_a_sync_takes_is_no_target() {
    if !have("strace") {
        return;
    }
    let slow = "-e inject=fdatasync:delay_exit=20000 -e trace=fdatasync";
    let found = under_strace(slow, "--appenders 1 --duration 200ms --repeats 1 --target 'p50<20ms'");
    assert!(found["targets"][0]["rate"].is_null(), "{found}");
    assert!(
        found["targets"][0]["steps"].as_array().is_some_and(|steps| steps.iter().all(|s| s["latency_ns"].as_f64() >= Some(2e7)))
    );
}

/// A filesystem on a device, mounted for one test.
struct Mounted<'a> {
    sandbox: &'a Sandbox,
    undo: &'static str,
}

impl<'a> Mounted<'a> {
    /// `make` runs in the sandbox and mounts something at `disk`; `undo` takes all of it away again.
    fn new(sandbox: &'a Sandbox, make: &str, undo: &'static str) -> Mounted<'a> {
        let mounted = Mounted { sandbox, undo };
        let made = sandbox.shell(&format!("set -e; mkdir disk; {make}")).output().expect("it runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        mounted
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // What was never made cannot be taken away, and a test that failed has said so.
        let _ = self.sandbox.shell(self.undo).status();
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: it takes root to make a disk");
    }
    root
}

fn probed(found: &Value, room: &str, way: &str) -> f64 {
    let costs = found["disk"].as_array().expect("there is a disk");
    let cost = costs.iter().find(|c| c["room"] == room && c["way"] == way && c["bytes"] == 4096);
    cost.and_then(|c| c["ns"]["median"].as_f64()).unwrap_or_else(|| panic!("no {way} into {room}: {found}"))
}

/// Memory behind the kernel's own compressed disk.
const ZRAM: &str = "n=$(cat /sys/class/zram-control/hot_add); echo $n > n; echo 256M > /sys/block/zram$n/disksize; \
                    [ -b /dev/zram$n ] || mknod /dev/zram$n b $(sed 's/:/ /' /sys/block/zram$n/dev); \
                    mkfs.ext4 -q -F /dev/zram$n; mount /dev/zram$n disk";
const ZRAM_GONE: &str =
    "umount disk; n=$(cat n) && echo 1 > /sys/block/zram$n/reset; echo $n > /sys/class/zram-control/hot_remove";

/// A disk each of whose writes waits; `DELAY` stands for how long.
const SLOW: &str = "touch raw; nbdfuse raw --command nbdkit -s --filter=delay memory 256M wdelay=DELAY >/dev/null 2>&1 & \
                    until [ \"$(stat -c %s raw)\" -gt 0 ]; do sleep 0.05; done; mkfs.ext4 -q -F raw; mount -o loop raw disk";
const SLOW_GONE: &str = "umount disk; umount raw";

/// A disk that takes a hundred writes a second from whoever is in its group, whichever kind of groups this machine has.
const THROTTLED: &str = "truncate -s 256M raw; mkfs.ext4 -q -F raw; loop=$(losetup --find --show raw); echo $loop > loop; \
                         mount $loop disk; number=$(lsblk -dno MAJ:MIN $loop | tr -d ' '); \
                         if [ -d /sys/fs/cgroup/blkio ]; then \
                             group=/sys/fs/cgroup/blkio/walctl-$$; mkdir -p $group; echo $group > group; \
                             echo \"$number 100\" > $group/blkio.throttle.write_iops_device; \
                         else \
                             top=/sys/fs/cgroup; [ -f $top/cgroup.controllers ] || top=/sys/fs/cgroup/unified; \
                             echo +io > $top/cgroup.subtree_control; \
                             group=$top/walctl-$$; mkdir -p $group; echo $group > group; \
                             echo \"$number wiops=100\" > $group/io.max; \
                         fi";
const THROTTLED_GONE: &str = "umount disk; losetup -d $(cat loop); rmdir $(cat group)";

/// Whether this machine can have such a disk, by tools and by what the kernel offers.
fn can(offers: &[&str], tools: &[&str]) -> bool {
    is_root() && offers.iter().any(|offer| Path::new(offer).exists() || skipped(offer)) && tools.iter().all(|tool| have(tool))
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(offer: &str) -> bool {
    eprintln!("perhaps skipped: this kernel has no {offer}");
    false
}

const ZRAM_OFFERS: [&str; 1] = ["/sys/class/zram-control/hot_add"];
const THROTTLE_OFFERS: [&str; 3] =
    ["/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device", "/sys/fs/cgroup/io.stat", "/sys/fs/cgroup/unified/io.stat"];

#[test]
#[ignore = "slow: needs root, nbdkit and nbdfuse"]
fn on_a_slow_disk_advice_is_to_share_its_syncs() {
    if !can(&["/dev/fuse"], &["nbdkit", "nbdfuse", "mkfs.ext4"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let _mounted = Mounted::new(&sandbox, &SLOW.replace("DELAY", "10ms"), SLOW_GONE);
    let line = ["bench", "disk", "--json", "--duration", "600ms", "--repeats", "2", "--appenders", "1,16"];
    let found = json(&sandbox.run(&[&line[..], &["--window", "auto,0,200ms", "--preallocate", "zero"]].concat()).stdout);
    assert!(probed(&found, "zero", "O_DIRECT+fdatasync") >= 10e6, "{found}");
    let (lone, crowd) = (
        cell(&found, "1 x 128 --sync fdatasync --window auto --preallocate zero"),
        cell(&found, "16 x 128 --sync fdatasync --window auto --preallocate zero"),
    );
    // No append is durable before its write has waited, and sixteen share one wait.
    assert!(figure(lone, "rate") <= 100.0 && figure(crowd, "rate") > figure(lone, "rate") * 4.0, "{found}");
    let flags = found["advice"]["flags"].as_str().expect("it is told");
    assert!(flags.is_empty(), "nothing beats sharing: {}", found["advice"]);
    assert!(says(&found, "worst: `--window 200ms`"), "{}", found["advice"]);
    assert!(says(&found, "the disk is the limit: with 16 appenders"), "{}", found["advice"]);
    // A file that grows commits the journal too, which takes more of the slow writes.
    assert!(says(&found, "`--preallocate zero` (the default) is right here"), "{}", found["advice"]);
}

#[test]
#[ignore = "slow: needs root, nbdkit and nbdfuse"]
fn a_slow_disk_is_measured_as_slow_and_its_window_grows() {
    if !can(&["/dev/fuse"], &["nbdkit", "nbdfuse", "mkfs.ext4"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let _mounted = Mounted::new(&sandbox, &SLOW.replace("DELAY", "2ms"), SLOW_GONE);
    let found = json(&sandbox.run(&["bench", "disk", "--json", "--duration", "60ms", "--repeats", "1"]).stdout);
    // Each write waits for two milliseconds: nothing that is durable can be sooner.
    assert!(probed(&found, "zero", "fdatasync") >= 2e6, "{found}");
    assert_eq!(found["trusted"], true, "{found}");
    let windows: Vec<&str> = found["cells"].as_array().expect("cells").iter().filter_map(|c| c["window"].as_str()).collect();
    assert!(windows.iter().any(|window| window.ends_with("ms") || window.len() == "500us".len()), "{windows:?}");
}

#[test]
#[ignore = "slow: needs root and zram"]
fn memory_behind_a_block_device_is_not_trusted() {
    if !can(&ZRAM_OFFERS, &["mkfs.ext4"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let _mounted = Mounted::new(&sandbox, ZRAM, ZRAM_GONE);
    let found = json(&sandbox.run(&["bench", "disk", "--json", "--disk"]).stdout);
    assert_eq!(found["trusted"], false, "{found}");
    assert!(found["doubts"].as_array().is_some_and(|doubts| doubts.iter().any(|d| d["name"] == "memory")), "{found}");
}

#[test]
#[ignore = "slow: needs root and zram"]
fn on_a_disk_that_is_memory_advice_is_that_processors_are_the_limit() {
    if !can(&ZRAM_OFFERS, &["mkfs.ext4"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let _mounted = Mounted::new(&sandbox, ZRAM, ZRAM_GONE);
    let found = json(&sandbox.run(&["bench", "disk", "--json", "--duration", "100ms", "--repeats", "3"]).stdout);
    assert!(probed(&found, "zero", "O_DIRECT+fdatasync") < 1e6, "{found}");
    assert!(says(&found, "the disk is not the limit: with 64 appenders"), "{}", found["advice"]);
    assert!(says(&found, "no log belongs here"), "{}", found["advice"]);
    // A window that fits this disk is none of those that fit a slow one.
    let windows: Vec<&str> = found["cells"].as_array().expect("cells").iter().filter_map(|c| c["window"].as_str()).collect();
    assert!(!windows.iter().any(|window| window.ends_with("ms")), "{windows:?}");
    let flags = found["advice"]["flags"].as_str().expect("it is told");
    let keys: Vec<&str> = found["cells"].as_array().expect("cells").iter().filter_map(|c| c["key"].as_str()).collect();
    let is_candidate = |word: &str| keys.iter().any(|key| key.split(' ').any(|part| part == word));
    assert!(flags.split_whitespace().all(is_candidate), "{flags} is none of {keys:?}");
}

#[test]
#[ignore = "slow: needs root and a cgroup that throttles"]
fn a_disk_that_takes_few_writes_a_second_shows_few_appends_a_second() {
    if !can(&THROTTLE_OFFERS, &["mkfs.ext4", "losetup"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let _mounted = Mounted::new(&sandbox, THROTTLED, THROTTLED_GONE);
    let line = "echo $$ > $(cat group)/cgroup.procs; exec walctl bench disk --json --appenders 1 --sync dsync --direct \
                --preallocate none --duration 2s --repeats 1";
    let ran = sandbox.shell(line).output().expect("it runs");
    let found = json(&String::from_utf8_lossy(&ran.stdout));
    let rate = found["cells"][0]["figures"]["rate"]["median"].as_f64().expect("it was measured");
    // One write an append at least, a hundred a second; what was saved up before may be spent at once.
    assert!(rate <= 200.0, "{rate} appends a second");
    let line = "echo $$ > $(cat group)/cgroup.procs; exec walctl bench disk --json --appenders 1,16 --window auto,0 --duration 1s \
                --repeats 4";
    let ran = sandbox.shell(line).output().expect("it runs");
    let found = json(&String::from_utf8_lossy(&ran.stdout));
    // Sixteen who share each of those writes get more of them than one.
    let key = "--sync fdatasync --window auto --preallocate zero";
    let (lone, crowd) = (cell(&found, &format!("1 x 128 {key}")), cell(&found, &format!("16 x 128 {key}")));
    assert!(figure(lone, "rate") <= 200.0 && figure(crowd, "acks-per-sync") > 4.0, "{found}");
    assert!(says(&found, "the disk is the limit: with 16 appenders"), "{}", found["advice"]);
    assert_eq!(found["advice"]["flags"], "", "{}", found["advice"]);
}
