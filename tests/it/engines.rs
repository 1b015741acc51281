//! The examples that check one log on many machines: whatever an engine does with the parts, the join tells what one check of all tells.
//!
//! When an engine kills a task, the part's file keeps the segments that it had read (it is replaced as a whole, several times a second). A task
//! that runs again reads only the others. A task that never runs again costs time and no verdict: what no part has read, the join reads. Nothing
//! is judged before the join, so no engine can make a log clean by losing a task.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::sandbox::{Ran, Sandbox, finish, wait};
use crate::support::scrape::python;

/// Thirty segments, two of them damaged.
const RECIPE: &str = "times 20 fill 900 100\nseal\nsegment\n";
const HURT: &str = "record tail\nin 3\nflip @45+40 0\nin 17\ncut 200";

fn thirty() -> Sandbox {
    Sandbox::with(&(RECIPE.repeat(29) + HURT))
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet").join(name)
}

fn show(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

/// A folder that comes first on the path, with a program in it. `$WALCTL` is the real walctl.
fn stand_in(sandbox: &Sandbox, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let dir = sandbox.path().join("bin");
    std::fs::create_dir_all(&dir).expect("a folder can be made");
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\nWALCTL={}\n{script}\n", env!("CARGO_BIN_EXE_walctl"))).expect("there is room");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    format!("PATH={}:$PATH; export PATH; ", dir.display())
}

/// A walctl whose part 3 is killed when it has hardly begun, and which is itself otherwise.
const KILLED: &str = r#"case "$*" in *"--part 3/"*) kill -9 $$;; esac; exec "$WALCTL" "$@""#;

/// The report is that of one check of all, and so many segments were not read by the join.
fn demand_whole(sandbox: &Sandbox, ran: &Ran, as_seen: std::ops::RangeInclusive<usize>, about: &str) {
    let whole = sandbox.run(&["verify", "LOG"]);
    let report: Vec<&str> = ran.stdout.lines().skip_while(|line| !line.starts_with("segment ")).collect();
    let (seen, report) = report.split_last().unwrap_or_else(|| panic!("{about}: no report: {ran:?}"));
    assert_eq!(report, whole.stdout.lines().collect::<Vec<_>>(), "{about}");
    assert_eq!((ran.code, whole.code), (4, 4), "{about}: {}", ran.stderr);
    let count = seen.strip_prefix("LOG: ").and_then(|rest| rest.split_once(" of 30 segments as seen")).map(|(count, _)| count);
    let count: usize = count.unwrap_or_else(|| panic!("{about}: {seen}")).parse().expect("a number");
    assert!(as_seen.contains(&count), "{about}: {seen}");
}

#[test]
fn every_example_is_twenty_lines_long_at_most() {
    let mut count = 0;
    for entry in std::fs::read_dir(example("")).expect("the folder is there") {
        let path = entry.expect("it lists").path();
        let lines = std::fs::read_to_string(&path).expect("it is text").lines().count();
        assert!(lines <= 20, "{}: {lines} lines", path.display());
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn parts_by_xargs_join_to_the_whole_and_a_part_that_is_killed_is_read_by_the_join() {
    let sandbox = thirty();
    let script = example("xargs.sh");
    let run = |before: &str| finish(sandbox.shell(&format!("{before}{} LOG 'seen here' 7", show(&script))), b"");
    let path = stand_in(&sandbox, "walctl", KILLED);
    let killed = run(&path);
    assert!(killed.stderr.contains("a part did not come to its end"), "{killed:?}");
    // Segments are dealt out like cards: of twenty-nine the third of seven parts has five, the active one aside.
    demand_whole(&sandbox, &killed, 24..=25, "killed");
    let again = run("");
    assert_eq!(again.stderr, "");
    demand_whole(&sandbox, &again, 29..=29, "again");
}

#[test]
fn parts_of_a_slurm_array_join_to_the_whole() {
    let sandbox = thirty();
    // It stands in for Slurm's own: an array in any order, each task killed and requeued once, and then what depends on it.
    let path = stand_in(
        &sandbox,
        "sbatch",
        r#"while [ $# -gt 0 ]; do case $1 in
    --wrap) wrap=$2; shift;; --array=*) last=${1##*-};; --dependency=afterany:*) after=${1##*:};; --parsable) echo 4711;; esac; shift; done
    case ${last-} in "") [ "$after" = 4711 ] && sh -c "$wrap";;
    *) for n in $(seq 2 "$last") 1; do SLURM_ARRAY_TASK_ID=$n timeout -s KILL 0.02 sh -c "$wrap" >&2; SLURM_ARRAY_TASK_ID=$n sh -c "$wrap" >&2; done;; esac"#,
    );
    let line = format!("{path}{} LOG \"odd 'name'\" 5", show(&example("slurm.sh")));
    demand_whole(&sandbox, &finish(sandbox.shell(&line), b""), 29..=29, "slurm");
}

#[test]
fn parts_of_a_kubernetes_job_join_to_the_whole() {
    let sandbox = thirty();
    let text = std::fs::read_to_string(example("kubernetes.yaml")).expect("it is text");
    let command = text.split("command: [sh, -c, '").nth(1).and_then(|rest| rest.split("']").next()).expect("it has a command");
    let join = text.split("cat /seen").nth(1).and_then(|rest| rest.lines().next()).expect("it says how to join");
    let here = |line: &str| line.replace("/archive/wal", "LOG").replace("/seen", "SEEN");
    std::fs::create_dir(sandbox.path().join("SEEN")).expect("a folder can be made");
    let completions: usize =
        text.split("completions: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).expect("it says how many");
    for index in (0..completions).rev() {
        let ran = finish(sandbox.shell(&format!("JOB_COMPLETION_INDEX={index}; {}", here(command))), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    demand_whole(&sandbox, &finish(sandbox.shell(&here(&format!("cat /seen{join}"))), b""), 29..=29, "kubernetes");
    assert!(text.contains("completionMode: Indexed"));
}

#[test]
fn parts_of_a_spark_job_join_to_the_whole() {
    let Some(python) = python("sys") else { return };
    let sandbox = thirty();
    // It stands in for Spark: what is used of it, with tasks in another order, one of them twice.
    let spark = "
class SparkSession:
    def appName(self, name): return self
    def getOrCreate(self): return self
    def parallelize(self, numbers, slices): self.numbers = list(numbers); assert slices == len(self.numbers); return self
    def foreach(self, task): [task(number) for number in self.numbers[::-1] + self.numbers[:1]]
    sparkContext = property(lambda self: self)
SparkSession.builder = SparkSession()
";
    std::fs::create_dir_all(sandbox.path().join("stub/pyspark")).expect("a folder can be made");
    std::fs::create_dir(sandbox.path().join("SEEN")).expect("a folder can be made");
    std::fs::write(sandbox.path().join("stub/pyspark/sql.py"), spark).expect("there is room");
    let path = stand_in(&sandbox, "walctl", KILLED);
    let line = |before: &str| format!("{before}PYTHONPATH=stub {python} {} LOG SEEN 7", show(&example("on_spark.py")));
    demand_whole(&sandbox, &finish(sandbox.shell(&line(&path)), b""), 24..=25, "killed");
    demand_whole(&sandbox, &finish(sandbox.shell(&line("")), b""), 29..=29, "spark");
}

/// Processes that end with the test, however it ends.
struct Started(Vec<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        match found() {
            Some(found) => return found,
            None => assert!(begun.elapsed() < Duration::from_secs(90), "{what}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "slow: a scheduler and two workers, and a check that takes its time"]
fn parts_on_a_dask_cluster_of_which_a_worker_is_killed_join_to_the_whole() {
    let Some(python) = python("distributed") else { return };
    let sandbox = thirty();
    std::fs::create_dir(sandbox.path().join("SEEN")).expect("a folder can be made");
    // Parts take a while, so that a worker can be killed while it has one.
    let path = stand_in(
        &sandbox,
        "walctl",
        r#"case "$*" in *--part*) exec "$WALCTL" "$@" --max-rate 40KiB/s;; esac; exec "$WALCTL" "$@""#,
    );
    let dask = |words: &str| {
        let mut command = sandbox.shell(&format!("{path}exec {python} -m dask {words}"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let mut started = Started(vec![dask("scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file scheduler.json")]);
    let address = until("the scheduler says where it is", || {
        let text = std::fs::read_to_string(sandbox.path().join("scheduler.json")).ok()?;
        Some(serde_json::from_str::<serde_json::Value>(&text).ok()?["address"].as_str()?.to_owned())
    });
    for name in ["one", "two"] {
        let words = format!("worker {address} --host 127.0.0.1 --nthreads 2 --no-nanny --no-dashboard --name {name}");
        started.0.push(dask(&words));
    }
    let line = format!("{path}exec {python} {} {address} LOG SEEN 6", show(&example("on_dask.py")));
    let client = sandbox.shell(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Four parts run, two on each worker, and have written something down: now one worker dies, as by an out-of-memory killer.
    until("four parts run", || {
        let parts = std::fs::read_dir(sandbox.path().join("SEEN")).ok()?;
        let begun = parts.flatten().filter(|part| part.metadata().is_ok_and(|meta| meta.len() > 0)).count();
        (begun >= 4).then_some(())
    });
    let worker = &mut started.0[1];
    worker.kill().expect("it is ours");
    wait(worker);
    let output = client.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    demand_whole(&sandbox, &ran, 29..=29, "dask");
}

#[test]
fn duckdb_makes_a_parquet_file_of_a_log_in_one_statement() {
    let Some(python) = python("duckdb") else { return };
    let sandbox = Sandbox::new();
    let input: String = (0..2000).map(|n| format!("record {n} {}\n", "x".repeat(n % 50))).collect();
    let mut append = sandbox.command(&["append", "LOG", "--segment-bytes", "16KiB", "--tag", "7", "--quiet"]);
    append.env_remove("COLUMNS");
    assert_eq!(finish(append, input.as_bytes()).code, 0);
    let statement = std::fs::read_to_string(example("records.sql")).expect("it is text");
    assert_eq!(statement.matches(';').count(), 1, "one statement");
    let duckdb = |log: &str| {
        let line = format!(
            "walctl dump {log} --json 2>/dev/null | {python} -c 'import duckdb; duckdb.sql(open(\"{}\").read())'",
            show(&example("records.sql"))
        );
        let ran = finish(sandbox.shell(&line), b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{log}");
    };
    let ask = |query: &str| -> String {
        let mut command = Command::new(python);
        command
            .args(["-c", &format!("import duckdb; print(*duckdb.sql(\"{query}\").fetchall()[0])")])
            .current_dir(sandbox.path());
        let ran = finish(command, b"");
        assert_eq!(ran.code, 0, "{query}: {}", ran.stderr);
        ran.stdout.trim().to_owned()
    };
    duckdb("LOG");
    assert!(
        std::fs::read(sandbox.path().join("records.parquet"))
            .is_ok_and(|bytes| bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"))
    );
    assert_eq!(
        ask("SELECT count(*), min(lsn), max(lsn), sum(lsn), min(tag), max(tag) FROM 'records.parquet'"),
        "2000 1 2000 2001000 7 7"
    );
    assert_eq!(ask("SELECT payload FROM 'records.parquet' WHERE lsn = 124"), format!("record 123 {}", "x".repeat(23)));
    assert_eq!(ask("SELECT sum(length(payload)) FROM 'records.parquet'"), (input.len() - 2000).to_string());
    // The same question, answered by walctl itself.
    let stats = sandbox.run(&["stats", "LOG", "--json"]).stdout;
    let stats: serde_json::Value = serde_json::from_str(&stats).expect("one object");
    assert_eq!(ask("SELECT count(DISTINCT file) FROM 'records.parquet'"), stats["segments_count"].to_string());
    let first = stats["first_time"].as_str().expect("a time").replace('T', " ");
    assert_eq!(ask("SELECT min(time) FROM 'records.parquet'"), first.trim_end_matches('Z'));
    // A damaged log of another system, with facts of its own.
    std::fs::remove_dir_all(sandbox.path().join("LOG")).expect("it is ours");
    sandbox.fixture("etcd/bit_flip_mid").expect("the fixture is there");
    duckdb("LOG");
    let damaged = sandbox.run(&["stats", "LOG", "--scan", "--json"]).stdout;
    let damaged: serde_json::Value = serde_json::from_str(&damaged).expect("one object");
    assert_eq!(ask("SELECT count(*) FROM 'records.parquet'"), damaged["records"].to_string());
    assert_eq!(ask("SELECT count(*) > 0 FROM 'records.parquet' WHERE after_damage AND meta->>'crc' IS NOT NULL"), "True");
}
