//! What scrapers are given, read by the real parsers.

use std::collections::BTreeMap;
use std::process::Command;

use super::sandbox::{finish, have};

/// Reads standard input as OpenMetrics and as the older text of Prometheus, and prints a line for each sample.
const PARSE: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
text = sys.stdin.read()
def samples(parse):
    return [(s.name, sorted(s.labels.items()), s.value) for family in parse(text) for s in family.samples]
assert samples(openmetrics) == samples(plain)
for name, labels, value in samples(openmetrics):
    print(json.dumps([name + '{' + ','.join('%s=%s' % label for label in labels) + '}', value]))
";

/// The samples of a text that is OpenMetrics and, as node_exporter's textfile collector reads it, the older format too. `None` where the
/// parser is not installed.
pub fn samples(text: &str) -> Option<BTreeMap<String, f64>> {
    let python = python("prometheus_client")?;
    let mut parser = Command::new(python);
    parser.args(["-c", PARSE]);
    let parsed = finish(parser, text.as_bytes());
    assert_eq!(parsed.code, 0, "{}\n{text}", parsed.stderr);
    if have("promtool") {
        let mut check = Command::new("promtool");
        check.args(["check", "metrics"]);
        let checked = finish(check, text.as_bytes());
        assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{}\n{text}", checked.stdout);
    }
    let line = |line: &str| serde_json::from_str::<(String, f64)>(line).expect("a name and a value");
    let samples: Vec<(String, f64)> = parsed.stdout.lines().map(line).collect();
    let count = samples.len();
    let samples: BTreeMap<String, f64> = samples.into_iter().collect();
    assert_eq!(samples.len(), count, "a sample stands there twice: {text}");
    Some(samples)
}

/// A Python that has this module: the one that `.ci/run` makes for what no system has, or the system's, which need not be the first one on
/// the path.
pub fn python(module: &str) -> Option<&'static str> {
    const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");
    let import = format!("import {module}");
    let has_it = |python: &&str| Command::new(python).args(["-c", &import]).output().is_ok_and(|o| o.status.success());
    let python = [OURS, "python3", "/usr/bin/python3"].into_iter().find(has_it);
    assert!(python.is_some() || std::env::var_os("CI").is_none(), "Python's {module} is needed here; .ci/run installs it");
    python
}
