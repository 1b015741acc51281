//! `walctl bench`, through the real binary: what it says of disks, what it leaves, and whether its figures are true.

use std::process::Command;
use std::sync::Arc;

use walctl::bench::{CrashPlan, Watch, crash_test};
use walctl::disk::{Disk, RealDisk};

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
        assert_eq!(cell["lacking_count"], 0);
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
    let ran = sandbox.run(&with(&["same.json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let refused = sandbox.run(&with(&["other.json"]));
    assert!(refused.code == 1 && refused.stderr.contains("processors was 4096"), "{refused:?}");
    assert_eq!(sandbox.run(&with(&["other.json", "--unlike"])).code, 0);
}

#[test]
fn a_difference_that_the_noise_explains_breaks_no_gate() {
    let sandbox = Sandbox::new();
    let mut base = json(&sandbox.run(&quick(&["--appenders", "1", "--json"])).stdout);
    let mut write = |name: &str, min: f64, max: f64| {
        base["cells"][0]["figures"]["rate"] = serde_json::json!({"median": 1e12, "min": min, "max": max});
        std::fs::write(sandbox.path().join(name), base.to_string()).expect("there is room");
    };
    write("wide.json", 1e-3, 2e12);
    write("narrow.json", 1e12, 1e12);
    let with = |baseline| sandbox.run(&quick(&["--appenders", "1", "--fail-if", "rate<-10%", "--baseline", baseline]));
    let noise = with("wide.json");
    assert!(noise.code == 0 && noise.stderr.contains("repeats overlap"), "{noise:?}");
    let broken = with("narrow.json");
    assert!(broken.code == 7 && broken.stderr.contains("was 1000000000000/s"), "{broken:?}");
    let stranger = sandbox.run(&quick(&["--appenders", "2", "--fail-if", "rate<-10%", "--baseline", "narrow.json"]));
    assert!(stranger.code == 1 && stranger.stderr.contains("nothing was compared"), "{stranger:?}");
}

/// The mean length of the payloads of a cell with one repeat.
fn mean_length(cell: &serde_json::Value) -> f64 {
    let median = |name: &str| cell["figures"][name]["median"].as_f64().expect("it is told");
    median("bytes") / median("rate")
}

#[test]
fn the_payloads_of_a_log_are_appended_as_they_are() {
    let sandbox = Sandbox::with("record alphaalpha\nrecord alphaalphaalphaalpha\n");
    let words = ["bench", "bench", "--from", "LOG", "--json", "--appenders", "1", "--duration", "100ms", "--repeats", "1"];
    let ran = sandbox.run(&words);
    let found = json(&ran.stdout);
    let cell = &found["cells"][0];
    assert!(cell["size"].as_str().is_some_and(|size| size.contains("LOG")), "{cell}");
    let mean = mean_length(cell);
    assert!((14.0..=16.0).contains(&mean), "ten and twenty bytes in turns: {mean}");
    let missing = sandbox.run(&["bench", "--from", "NOWHERE"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    let nothing = Sandbox::with("");
    let ran = nothing.run(&["bench", "bench", "--from", "LOG"]);
    assert!(ran.code != 0 && !ran.stderr.is_empty(), "a log without records has no payloads: {ran:?}");
}

#[test]
fn a_mix_of_lengths_is_appended_by_its_weights() {
    let sandbox = Sandbox::new();
    let words = ["--size-dist", "100:3,500:1", "--json", "--appenders", "1", "--duration", "200ms", "--repeats", "1"];
    let found = json(&sandbox.run(&[&["bench"][..], &words].concat()).stdout);
    let (cell, mean) = (&found["cells"][0], mean_length(&found["cells"][0]));
    assert!(mean > 100.0 && mean < 500.0 && cell["lacking_count"] == 0, "{mean}: {cell}");
    for wrong in [&["--size-dist", "100"][..], &["--size-dist", "x:1"], &["--size-dist", "1:1", "--size", "1"]] {
        assert_eq!(sandbox.run(&[&["bench"][..], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_target_is_looked_for_by_halving_and_an_impossible_one_is_not_found() {
    let sandbox = Sandbox::new();
    let look = |goal: &str| json(&sandbox.run(&quick(&["--json", "--appenders", "2", "--target", goal])).stdout);
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let never = look("p50<1ns");
    let steps = never["targets"][0]["steps"].as_array().expect("there are steps");
    assert!(never["targets"][0]["rate"].is_null() && steps.len() == 8, "{never}");
    for pair in steps.windows(2) {
        let (before, after) = (number(&pair[0]["rate"]), number(&pair[1]["rate"]));
        // Numbers lose their last binary digit on the way through text.
        let half = (before / 2.0).max(1.0);
        assert!((after - half).abs() <= half * 1e-12, "{before} {after}");
    }
    let found = look("p99<100s");
    let steps = found["targets"][0]["steps"].as_array().expect("there are steps");
    let kept = steps.iter().filter(|step| step["sustained"] == true).map(|step| number(&step["rate"])).fold(0.0, f64::max);
    let missed =
        steps.iter().filter(|step| step["sustained"] == false).map(|step| number(&step["rate"])).fold(f64::MAX, f64::min);
    assert!(kept < missed, "what is kept lies below what is not: {found}");
    // Whether the machine is quick enough for any of them is not ours to say here; what is told must be the best that was kept.
    assert_eq!(found["targets"][0]["rate"].as_f64().unwrap_or(0.0), kept, "{found}");
    for wrong in ["p99>2ms", "p98<2ms", "2ms"] {
        assert_eq!(sandbox.run(&["bench", "--target", wrong]).code, 2, "{wrong}");
    }
}

#[test]
fn the_cache_can_be_compared_with_what_goes_past_it() {
    let sandbox = Sandbox::new();
    let found = json(&sandbox.run(&quick(&["--json", "--appenders", "1", "--buffered=no,yes", "--direct=no,yes"])).stdout);
    let cells = found["cells"].as_array().expect("there are cells");
    let ways: Vec<(bool, bool)> = cells.iter().map(|c| (c["direct"] == true, c["buffered"] == true)).collect();
    assert_eq!(ways, [(false, false), (false, true), (true, false)]);
    assert!(cells[1]["key"].as_str().is_some_and(|key| key.ends_with(" --buffered")), "{found}");
    let neither = sandbox.run(&["bench", "--buffered", "--direct"]);
    assert!(neither.code == 2 && neither.stderr.contains("opposites"), "{neither:?}");
    let killed = sandbox.run(&["bench", "--crash-test", "1", "--buffered"]);
    assert!(killed.code == 0 && killed.stdout.contains("`--buffered`: lost 0 of"), "{killed:?}");
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
    let svg = std::fs::read_to_string(sandbox.path().join("a.svg")).expect("it was written");
    assert!(svg.starts_with("<svg"));
    for text in [&page, &svg] {
        // The name of the language is no place to go to, nor is that of a header.
        let rest = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").replace("http-equiv=", "");
        assert!(!rest.contains("http") && !rest.contains("url(") && !rest.contains("@import"), "{rest}");
        assert_eq!(left_open(text), Vec::<String>::new(), "{text}");
    }
}

/// The elements of a page that are not closed, or closed when another was open.
fn left_open(text: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for tag in text.split('<').skip(1).filter(|tag| !tag.starts_with('!')) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("<{tag} has no end"));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default().to_owned();
        if tag.starts_with('/') {
            match open.pop() {
                Some(last) if last == name => {}
                other => return vec![format!("{other:?} is closed by </{name}>")],
            }
        } else if !tag.ends_with('/') && !["meta", "br", "link", "hr"].contains(&name.as_str()) {
            assert!(tag.matches('"').count().is_multiple_of(2), "<{tag}>");
            open.push(name);
        }
    }
    open
}

#[test]
fn programs_find_everything_by_its_name() {
    let sandbox = Sandbox::new();
    let found = json(&sandbox.run(&quick(&["--appenders", "2", "--json"])).stdout);
    let top =
        ["schema", "place", "disk", "disk_after", "refused_ways", "trusted", "doubts", "cells", "rounds", "interrupted", "notes"];
    for key in top.into_iter().chain(["advice", "targets", "seconds"]) {
        assert!(!found[key].is_null(), "{key}: {found}");
    }
    let cell = &found["cells"][0];
    let keys =
        ["key", "appenders", "size", "sync", "window", "preallocate", "direct", "buffered", "inflight", "durable", "repeats"];
    for key in keys.into_iter().chain(["figures", "groups_by_size", "two_cohorts", "lacking_count"]) {
        assert!(!cell[key].is_null(), "{key}: {cell}");
    }
    let rates = ["rate", "bytes", "syncs", "acks-per-sync", "cpu", "p50", "p90", "p99", "p99.9", "max"];
    for figure in rates.into_iter().chain(["mean-queue", "mean-window", "mean-write", "mean-sync", "mean-wake"]) {
        for part in ["median", "min", "max"] {
            assert!(cell["figures"][figure][part].is_number(), "{figure}.{part}: {cell}");
        }
    }
    let share = cell["share_of_disk"].as_f64().expect("a closed loop has one");
    assert!(share > 0.0 && share <= 1.0 + 1e-9, "more than the disk allows: {share}");
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
    assert_eq!((&verdict["crashes"], &verdict["lost_count"], &verdict["promises_kept"]), (&3.into(), &0.into(), &true.into()));
    assert!(verdict["acknowledged_count"].as_u64().is_some_and(|count| count > 0));
    let words = sandbox.run(&["bench", "--crash-test", "1"]).stdout;
    assert!(words.contains("lost 0 of") && words.contains("in 1 crashes"), "{words}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
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
    assert_eq!((&verdict["lost_count"], &verdict["power"]), (&0.into(), &true.into()));
    // And that this would find a loss: without syncs there is one. Room made ahead would be synced, and records with it.
    let words = ["bench", "--crash-test", "4", "--crash-image", "disk.img", "--sync", "none", "--preallocate", "none", "--json"];
    let ran = sandbox.run(&words);
    assert!(ran.code == 4 && json(&ran.stdout)["lost_count"].as_u64().is_some_and(|lost| lost > 0), "{ran:?}");
}

/// An appender between the test and the real one: it writes down with which words it was run.
#[test]
fn a_log_lives_through_five_crashes_and_nothing_of_it_is_left_behind() {
    let sandbox = Sandbox::new();
    let (program, said) = (sandbox.path().join("appender"), sandbox.path().join("said"));
    let script = format!("#!/bin/sh\necho \"$2 $*\" >> {}\nexec {} \"$@\"\n", said.display(), env!("CARGO_BIN_EXE_walctl"));
    std::fs::write(&program, script).expect("room for a script");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let dir = sandbox.path().join("work");
    std::fs::create_dir(&dir).expect("room for a folder");
    let plan = CrashPlan { program, flags: vec!["--sync".into(), "dsync".into()], rounds: 6, size: 64, image: None, seed: 7 };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let verdict = crash_test(&disk, &dir, &plan, &Watch::deaf()).expect("each round comes to its end");
    assert!(verdict.is_kept() && verdict.findings.is_empty() && verdict.acknowledged > 0, "{verdict:?}");
    assert_eq!((verdict.crashes, verdict.lost, verdict.different, verdict.worse), (6, 0, 0, 0));
    let said = std::fs::read_to_string(said).expect("it was run");
    let lives: Vec<(&str, bool)> =
        said.lines().map(|line| (line.split(' ').next().unwrap_or(""), line.contains(" --repair"))).collect();
    let repaired: Vec<bool> = lives.iter().map(|life| life.1).collect();
    assert_eq!(repaired, [false, true, true, true, true, false], "a new log is begun and an old one is repaired: {said}");
    assert!(lives[..5].iter().all(|life| life.0 == lives[0].0) && lives[5].0 != lives[0].0, "{said}");
    assert!(said.lines().all(|line| line.contains("--size 64") && line.ends_with("--sync dsync")), "{said}");
    assert_eq!(std::fs::read_dir(&dir).expect("it is there").count(), 0, "logs and ledgers are removed");
}
