//! The guide for fleets does what it says: its script, its service and its rules are taken from the page and run.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::sandbox::{Ran, Sandbox, code, finish, have, wait};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md")).expect("the guide is there")
}

/// The one fenced block of the page whose text begins like this.
fn block(begins: &str) -> String {
    let page = page();
    let blocks: Vec<&str> =
        page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n')).map(|(_, text)| text).collect();
    let mut found = blocks.iter().filter(|text| text.starts_with(begins));
    let (Some(text), None) = (found.next(), found.next()) else { panic!("not one block begins with {begins}") };
    format!("{text}\n")
}

/// A sandbox with the script in it.
fn with_script(recipe: &str) -> Sandbox {
    let sandbox = Sandbox::with(recipe);
    let path = sandbox.path().join("walctl-textfile");
    std::fs::write(&path, block("#!/bin/sh\n# walctl-textfile")).expect("there is room");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::fs::create_dir(sandbox.path().join("collected")).expect("a folder can be made");
    sandbox
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("the folder is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it lists").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn collected(sandbox: &Sandbox) -> (Vec<String>, String) {
    let dir = sandbox.path().join("collected");
    (names(&dir), std::fs::read_to_string(dir.join("walctl.prom")).unwrap_or_default())
}

#[test]
fn the_script_leaves_a_whole_text_whatever_ends_the_check() {
    let sandbox = with_script("record alpha\nrecord b\nrecord c\nflip @1+42 1");
    let run = |line: &str| finish(sandbox.shell(line), b"");
    let ran = run("./walctl-textfile collected/walctl.prom LOG --seen SEEN --host db-7");
    let (files, text) = collected(&sandbox);
    assert_eq!((ran.code, ran.stdout.as_str(), files), (4, "", vec!["walctl.prom".to_owned()]), "{ran:?}");
    assert!(text.contains("walctl_verify_run_exit_code{paths=\"LOG\",host=\"db-7\"} 4\n") && text.ends_with("# EOF\n"), "{text}");
    // What cannot be checked replaces what was found the night before.
    let ran = run("mv LOG AWAY; ./walctl-textfile collected/walctl.prom LOG --host db-7");
    let (files, text) = collected(&sandbox);
    assert_eq!((ran.code, files.len(), text.contains("verdict=\"not checked\"} 1\n")), (1, 1, true), "{text}");
    // What is killed, and so is a program that is not there, leaves the old text, whose age says it.
    let killed = sandbox.path().join("killed");
    std::fs::create_dir(&killed).expect("a folder can be made");
    std::fs::write(killed.join("walctl"), "#!/bin/sh\necho '# TYPE walctl_verify_verdict gauge'\nkill -9 $$\n")
        .expect("there is room");
    std::fs::set_permissions(killed.join("walctl"), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    for line in [
        "PATH=$PWD/killed:$PATH ./walctl-textfile collected/walctl.prom AWAY",
        "PATH=/usr/bin:/bin ./walctl-textfile collected/walctl.prom AWAY",
    ] {
        let ran = run(line);
        assert!(ran.code > 4, "{ran:?}");
        assert_eq!(collected(&sandbox), (vec!["walctl.prom".to_owned()], text.clone()), "{line}");
    }
    // What was typed wrong ends with 2, and leaves the old text, too.
    assert_eq!((run("./walctl-textfile collected/walctl.prom AWAY --hots x").code, collected(&sandbox).0.len()), (2, 1));
}

#[test]
fn the_script_that_is_asked_to_end_waits_for_what_walctl_has_to_say() {
    let sandbox = with_script(&("times 200 fill 900 100\nseal\nsegment\n".repeat(20) + "record tail"));
    let line = "exec ./walctl-textfile collected/walctl.prom LOG --seen SEEN --jobs 1 --max-rate 200KiB/s";
    // As systemd does it: the signal goes to the script and to all that it started.
    let mut command = sandbox.shell(line);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    while !sandbox.path().join("SEEN").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is seen");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-TERM", "--", &format!("-{}", child.id())]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(code(wait(&mut child)), 130);
    let (files, text) = collected(&sandbox);
    assert_eq!(files, ["walctl.prom"]);
    assert!(text.contains("walctl_verify_run_exit_code{paths=\"LOG\"} 130\n") && text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn the_textfile_collector_reads_what_the_script_leaves() {
    if !have("prometheus-node-exporter") {
        return;
    }
    let sandbox = with_script("record alpha\nrecord b\nrecord c\nflip @1+42 1");
    sandbox.log("odd \"name\"", "record a");
    finish(sandbox.shell("./walctl-textfile collected/walctl.prom LOG 'odd \"name\"' nowhere --host db-7"), b"");
    finish(sandbox.shell("./walctl-textfile collected/other.prom 'odd \"name\"' --host db-8"), b"");
    let mut exporter = Command::new("prometheus-node-exporter");
    exporter.args(["--collector.disable-defaults", "--collector.textfile", "--web.listen-address=127.0.0.1:0"]);
    exporter.arg("--collector.textfile.directory").arg(sandbox.path().join("collected"));
    let mut child = exporter.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let scraped = scrape(&mut child);
    child.kill().expect("it is ours");
    wait(&mut child);
    assert!(scraped.contains("node_textfile_scrape_error 0\n"), "{scraped}");
    for line in [
        "walctl_verify_run_exit_code{host=\"db-7\",paths=\"LOG odd \\\"name\\\" nowhere\"} 1\n",
        "walctl_verify_run_exit_code{host=\"db-8\",paths=\"odd \\\"name\\\"\"} 0\n",
        "walctl_verify_exit_code{format=\"native\",host=\"db-7\",log=\"LOG\"} 4\n",
        "walctl_verify_verdict{format=\"\",host=\"db-7\",log=\"nowhere\",verdict=\"not checked\"} 1\n",
    ] {
        assert!(scraped.contains(line), "{line}{scraped}");
    }
}

/// What an exporter answers that was started on a port of its choice, which it names on standard error.
fn scrape(child: &mut std::process::Child) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    // It is read from until the end: nobody must be refused what it says.
    let mut said = BufReader::new(child.stderr.take().expect("it was piped")).lines();
    let address = said.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (port != "0" && !port.is_empty()).then(|| format!("127.0.0.1:{port}"))
    });
    let mut stream = std::net::TcpStream::connect(address.expect("it names its port")).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    answer
}

#[test]
fn systemd_takes_the_service_and_its_timer() {
    if !have("systemd-analyze") {
        return;
    }
    let sandbox = with_script("record a");
    let script = sandbox.path().join("walctl-textfile");
    for (file, kind) in [("walctl-verify.service", "[Service]"), ("walctl-verify.timer", "[Timer]")] {
        let text = block(&format!("# /etc/systemd/system/{file}"));
        assert!(text.contains(kind), "{text}");
        // The script is where the test has put it.
        let text = text.replace("/usr/local/bin/walctl-textfile", script.to_str().expect("it is text"));
        std::fs::write(sandbox.path().join(file), text).expect("there is room");
    }
    let mut check = Command::new("systemd-analyze");
    check.args(["verify", "./walctl-verify.service", "./walctl-verify.timer"]).current_dir(sandbox.path());
    let checked = finish(check, b"");
    // It says what it does not understand, and ends well all the same.
    let ours = checked.stderr.lines().filter(|line| line.contains("walctl-verify")).collect::<Vec<_>>();
    assert!(checked.code == 0 && ours.is_empty(), "{checked:?}");
    std::fs::write(sandbox.path().join("walctl-verify.timer"), "[Timer]\nOnCalender=daily\n").expect("there is room");
    let mut check = Command::new("systemd-analyze");
    check.args(["verify", "./walctl-verify.timer"]).current_dir(sandbox.path());
    assert!(finish(check, b"").stderr.contains("walctl-verify.timer"), "a wrong timer is taken, too");
}

/// Series as metrics are after these many minutes, and which rules they fire.
const RULES: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'walctl_verify_acknowledged_lost{log="a",answer="yes"}', values: "0 1x3000"}
      - {series: 'walctl_verify_acknowledged_lost{log="b",answer="no"}', values: "1x3000"}
      - {series: 'walctl_verify_exit_code{log="a"}', values: "0 4x3000"}
      - {series: 'walctl_verify_exit_code{log="b"}', values: "0x3000"}
      - {series: 'walctl_verify_exit_code{log="c"}', values: "1x3000"}
      - {series: 'walctl_verify_accepted_void{log="a"}', values: "0x3000"}
      - {series: 'walctl_verify_accepted_void{log="b"}', values: "2x3000"}
      - {series: 'walctl_verify_run_exit_code{paths="a"}', values: "4x3000"}
      - {series: 'walctl_verify_run_exit_code{paths="c"}', values: "1x3000"}
      - {series: 'walctl_verify_run_exit_code{paths="i"}', values: "130x3000"}
      - {series: 'walctl_verify_run_finished_timestamp_seconds{paths="a"}', values: "0+60x3000"}
      - {series: 'walctl_verify_run_finished_timestamp_seconds{paths="c"}', values: "0x3000"}
      - {series: 'walctl_verify_oldest_seen_timestamp_seconds{log="a"}', values: "-3100000x3000"}
      - {series: 'walctl_verify_oldest_seen_timestamp_seconds{log="b"}', values: "-2500000x3000"}
    alert_rule_test:
"#;

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    if !have("promtool") {
        return;
    }
    let sandbox = Sandbox::new();
    let rules = block("groups:\n");
    std::fs::write(sandbox.path().join("rules.yml"), &rules).expect("there is room");
    let run = |words: &[&str]| -> Ran {
        let mut promtool = Command::new("promtool");
        promtool.args(words).current_dir(sandbox.path());
        finish(promtool, b"")
    };
    let checked = run(&["check", "rules", "--lint-fatal", "rules.yml"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let mut test = RULES.to_owned();
    // At the beginning, after ten minutes, and after forty hours.
    let fires: &[(&str, &str, &[&str])] = &[
        ("0m", "WalctlRecordsLost", &[]),
        (
            "10m",
            "WalctlRecordsLost",
            &["log: a, answer: 'yes', severity: critical|acknowledged records of a are lost or in doubt"],
        ),
        ("10m", "WalctlDamage", &["log: a, severity: warning|a is damaged; walctl verify says what to do"]),
        ("10m", "WalctlAcceptanceVoid", &["log: b, severity: warning|something has changed around accepted damage of b"]),
        (
            "10m",
            "WalctlNotChecked",
            &[
                "paths: c, severity: warning|walctl verify c ended with 1",
                "paths: i, severity: warning|walctl verify i ended with 130",
            ],
        ),
        ("10m", "WalctlSilent", &[]),
        ("40h", "WalctlSilent", &["paths: c, severity: warning|walctl verify c has not come to its end for more than a day"]),
        ("10m", "WalctlNotReadForLong", &["log: a, severity: warning|a segment of a has not been read for more than a month"]),
    ];
    for alert in alerts {
        assert!(fires.iter().any(|(_, name, _)| *name == alert), "{alert} is not tested");
    }
    for (when, alert, fired) in fires {
        test += &format!("      - eval_time: {when}\n        alertname: {alert}\n        exp_alerts:\n");
        for fired in *fired {
            let (labels, summary) = fired.split_once('|').expect("labels and a summary");
            test += &format!("          - exp_labels: {{{labels}}}\n            exp_annotations: {{summary: '{summary}'}}\n");
        }
    }
    std::fs::write(sandbox.path().join("test.yml"), &test).expect("there is room");
    let tested = run(&["test", "rules", "test.yml"]);
    assert_eq!(tested.code, 0, "{tested:?}\n{test}");
}
