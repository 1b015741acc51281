//! `walctl bench`, through the real binary: what it says of disks, what it leaves, and whether its figures are true.

use std::process::Command;

use crate::support::sandbox::Sandbox;

const QUICK: [&str; 6] = ["--duration", "40ms", "--repeats", "2", "--warmup", "5ms"];

fn quick<'a>(words: &[&'a str]) -> Vec<&'a str> {
    ["bench"].into_iter().chain(words.iter().copied()).chain(QUICK).collect()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn left(sandbox: &Sandbox) -> Vec<String> {
    let names = std::fs::read_dir(sandbox.path()).expect("the sandbox is there").flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a tool is there. Where everything must run, a missing one is a failure.
fn has(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|o| o.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{tool} is missing");
    found
}

#[test]
fn bench_tells_what_it_measured_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&quick(&["--json", "--appenders", "1,4", "--window", "0,auto"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = json(&ran.stdout);
    assert_eq!(found["cells"].as_array().map(Vec::len), Some(4));
    for cell in found["cells"].as_array().expect("there are cells") {
        assert!(cell["figures"]["rate"]["median"].as_f64().is_some_and(|rate| rate > 0.0), "{cell}");
        assert_eq!(cell["lacking"], 0);
    }
    assert!(found["disk"].as_array().is_some_and(|disk| disk.len() > 4));
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
fn bench_refuses_a_folder_that_holds_a_log_and_leaves_it_alone() {
    let sandbox = Sandbox::with("record alpha\n");
    let before = std::fs::read_dir(sandbox.path().join("LOG")).expect("it is there").count();
    let ran = sandbox.run(&["bench", "LOG", "--disk"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("holds a log"), "{ran:?}");
    assert_eq!(std::fs::read_dir(sandbox.path().join("LOG")).expect("it is there").count(), before);
}

#[test]
fn a_gate_that_is_not_met_ends_with_7_and_one_that_is_met_with_0() {
    let sandbox = Sandbox::new();
    let missed = sandbox.run(&quick(&["--appenders", "1", "--fail-if", "p99>1ns"]));
    assert_eq!(missed.code, 7, "{missed:?}");
    let met = sandbox.run(&quick(&["--appenders", "1", "--fail-if", "p99>1000s"]));
    assert_eq!(met.code, 0, "{met:?}");
    let wrong = sandbox.run(&quick(&["--fail-if", "p99>+10%"]));
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_baseline_from_another_machine_is_refused_unless_told() {
    let sandbox = Sandbox::new();
    let base = sandbox.run(&quick(&["--appenders", "1", "--json"]));
    let same = base.stdout.clone();
    let mut other = json(&same);
    other["place"]["cpus"] = 4096.into();
    std::fs::write(sandbox.path().join("same.json"), same).expect("there is room");
    std::fs::write(sandbox.path().join("other.json"), other.to_string()).expect("there is room");
    let rule = ["--appenders", "1", "--fail-if", "rate<-100%", "--baseline"];
    let with = |more: &[&'static str]| quick(&rule.iter().chain(more).copied().collect::<Vec<_>>());
    assert_eq!(sandbox.run(&with(&["same.json"])).code, 0);
    let refused = sandbox.run(&with(&["other.json"]));
    assert!(refused.code == 1 && refused.stderr.contains("processors was 4096"), "{refused:?}");
    assert_eq!(sandbox.run(&with(&["other.json", "--unlike"])).code, 0);
}

#[test]
fn every_way_to_show_figures_shows_them() {
    let sandbox = Sandbox::new();
    let csv = sandbox.run(&quick(&["--appenders", "1,2", "--csv"])).stdout;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{csv}");
    let files = ["--appenders", "2", "--markdown", "--svg", "a.svg", "--html", "a.html"];
    let markdown = sandbox.run(&quick(&files)).stdout;
    assert!(markdown.starts_with("| appenders |"), "{markdown}");
    let page = std::fs::read_to_string(sandbox.path().join("a.html")).expect("it was written");
    assert!(page.contains("<svg") && !page.contains("src=") && !page.contains("<script"), "it needs nothing else");
    assert!(std::fs::read_to_string(sandbox.path().join("a.svg")).expect("it was written").starts_with("<svg"));
}

#[test]
fn an_interrupted_bench_shows_what_there_is_and_removes_its_files() {
    let sandbox = Sandbox::new();
    let mut child = sandbox.command(&["bench", "--appenders", "1", "--duration", "100s", "--repeats", "1"]);
    let child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    // It measures once its cell is there; until then there is nothing to interrupt.
    let begun = std::time::Instant::now();
    let cell = || left(&sandbox).first().is_some_and(|dir| sandbox.path().join(dir).join("cell-0").exists());
    while !cell() {
        assert!(begun.elapsed().as_secs() < 100, "no cell is begun");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().is_ok_and(|s| s.success()));
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("a durable write takes") && text.contains("interrupted"), "{text}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
fn memory_that_looks_like_a_disk_is_not_trusted() {
    let shm = std::path::Path::new("/dev/shm");
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.starts_with("tmpfs /dev/shm ") || line.contains(" /dev/shm tmpfs ")) {
        return;
    }
    let dir = tempfile::tempdir_in(shm).expect("a folder can be made");
    let ran = Sandbox::new().run(&["bench", "--disk", &dir.path().display().to_string()]);
    assert!(ran.stdout.contains("WARNING: tmpfs lies in memory") && ran.stdout.contains("trust: do not"), "{ran:?}");
}

#[test]
fn killed_appenders_lose_nothing_that_they_acknowledged() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["bench", "--crash-test", "3", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let verdict = json(&ran.stdout);
    assert_eq!((&verdict["crashes"], &verdict["lost"], &verdict["kept"]), (&3.into(), &0.into(), &true.into()));
    assert!(verdict["acknowledged"].as_u64().is_some_and(|count| count > 0));
    let words = sandbox.run(&["bench", "--crash-test", "1"]).stdout;
    assert!(words.contains("lost 0 of") && words.contains("in 1 crashes"), "{words}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
#[ignore = "slow: needs strace"]
fn the_syncs_that_bench_counts_are_those_of_the_kernel() {
    if !has("strace") {
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
        .filter(|cost| cost["way"] == "fdatasync")
        .map(|cost| cost["writes"].as_f64().expect("it is told") + 3.0)
        .sum();
    // A call that another thread cuts in two has two lines, of which the second says that it resumed.
    let seen = trace.lines().filter(|line| line.contains("fdatasync(")).count() as f64 - probes;
    // The edges of the window and the clean close are outside of the figures.
    assert!((seen - syncs).abs() <= seen * 0.05 + 20.0, "the kernel saw {seen}, bench told {syncs}");
}

#[test]
#[ignore = "slow: needs eatmydata"]
fn a_library_that_swallows_syncs_is_found() {
    if !has("eatmydata") {
        return;
    }
    let sandbox = Sandbox::new();
    let ran = sandbox.shell("eatmydata walctl bench --disk").output().expect("it runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(text.contains("swallows syncs") && text.contains("trust: do not"), "{text}");
}

#[test]
#[ignore = "slow: needs root and a loop device"]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    if !has("mkfs.ext4") || !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let made = sandbox.shell("truncate -s 512M disk.img && mkfs.ext4 -q -F disk.img").status().expect("it runs");
    assert!(made.success());
    let ran = sandbox.run(&["bench", "--crash-test", "4", "--crash-image", "disk.img", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let verdict = json(&ran.stdout);
    assert_eq!((&verdict["lost"], &verdict["power"]), (&0.into(), &true.into()));
    // And that this would find a loss: without syncs there is one. Room made ahead would be synced, and records with it.
    let words = ["bench", "--crash-test", "4", "--crash-image", "disk.img", "--sync", "none", "--preallocate", "none", "--json"];
    let ran = sandbox.run(&words);
    assert!(ran.code == 4 && json(&ran.stdout)["lost"].as_u64().is_some_and(|lost| lost > 0), "{ran:?}");
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

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn probed(found: &serde_json::Value, room: &str, way: &str) -> f64 {
    let costs = found["disk"].as_array().expect("there is a disk");
    let cost = costs.iter().find(|c| c["room"] == room && c["way"] == way && c["bytes"] == 4096);
    cost.and_then(|c| c["ns"]["median"].as_f64()).unwrap_or_else(|| panic!("no {way} into {room}: {found}"))
}

#[test]
#[ignore = "slow: needs root, nbdkit and nbdfuse"]
fn a_slow_disk_is_measured_as_slow_and_its_window_grows() {
    if !is_root() || !has("nbdkit") || !has("nbdfuse") || !has("mkfs.ext4") {
        return;
    }
    let sandbox = Sandbox::new();
    let make = "touch raw; nbdfuse raw --command nbdkit -s --filter=delay memory 256M wdelay=2ms >/dev/null 2>&1 & \
                until [ \"$(stat -c %s raw)\" -gt 0 ]; do sleep 0.05; done; mkfs.ext4 -q -F raw; mount -o loop raw disk";
    let _mounted = Mounted::new(&sandbox, make, "umount disk; umount raw");
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
    let control = std::path::Path::new("/sys/class/zram-control/hot_add");
    if !is_root() || !control.exists() || !has("mkfs.ext4") {
        return;
    }
    let sandbox = Sandbox::new();
    let make = "n=$(cat /sys/class/zram-control/hot_add); echo $n > n; echo 256M > /sys/block/zram$n/disksize; \
                [ -b /dev/zram$n ] || mknod /dev/zram$n b $(sed 's/:/ /' /sys/block/zram$n/dev); \
                mkfs.ext4 -q -F /dev/zram$n; mount /dev/zram$n disk";
    let undo = "umount disk; n=$(cat n) && echo 1 > /sys/block/zram$n/reset; echo $n > /sys/class/zram-control/hot_remove";
    let _mounted = Mounted::new(&sandbox, make, undo);
    let found = json(&sandbox.run(&["bench", "disk", "--json", "--disk"]).stdout);
    assert_eq!(found["trusted"], false, "{found}");
    assert!(found["doubts"].as_array().is_some_and(|doubts| doubts.iter().any(|d| d["name"] == "memory")), "{found}");
}

#[test]
#[ignore = "slow: needs root and a cgroup that throttles"]
fn a_disk_that_takes_few_writes_a_second_shows_few_appends_a_second() {
    let group = std::path::Path::new("/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device");
    if !is_root() || !group.exists() || !has("mkfs.ext4") {
        return;
    }
    let sandbox = Sandbox::new();
    let make = "truncate -s 256M raw; mkfs.ext4 -q -F raw; loop=$(losetup --find --show raw); echo $loop > loop; mount $loop disk; \
                mkdir -p /sys/fs/cgroup/blkio/walctl-$$; echo /sys/fs/cgroup/blkio/walctl-$$ > group; \
                echo \"$(lsblk -dno MAJ:MIN $loop | tr -d ' ') 100\" > $(cat group)/blkio.throttle.write_iops_device";
    let undo = "umount disk; losetup -d $(cat loop); rmdir $(cat group)";
    let _mounted = Mounted::new(&sandbox, make, undo);
    let line = "echo $$ > $(cat group)/cgroup.procs; exec walctl bench disk --json --appenders 1 --sync dsync --direct \
                --preallocate none --duration 2s --repeats 1";
    let ran = sandbox.shell(line).output().expect("it runs");
    let found = json(&String::from_utf8_lossy(&ran.stdout));
    let rate = found["cells"][0]["figures"]["rate"]["median"].as_f64().expect("it was measured");
    // One write an append at least, a hundred a second; what was saved up before may be spent at once.
    assert!(rate <= 200.0, "{rate} appends a second");
}
