//! `docs/json.md` is the truth about `--json`: every key that a command prints stands there with its type, and every key that stands there
//! was seen.
//!
//! `UPDATE=1 cargo test --test it json` writes the page. Its tables come from the program; the facts of formats at its end are what was
//! met in the fixtures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value};

use crate::cases::json_answers;
use crate::formats::{cases, expected};
use crate::support::fixture;
use crate::support::sandbox::{Ran, Sandbox, finish};

/// Keys that no test can bring about.
const UNSEEN: &[(&str, &str, &str)] = &[
    (
        "walctl bench DIR --json",
        "cells[].figures.amplification*",
        "only where the device counts its writes, which a container's may not",
    ),
    ("walctl verify LOG --json", "media.differing_spans[].*", "only where a write failed below the page cache"),
    ("walctl verify LOG --json", "requests", "only in object storage"),
    ("walctl verify LOG --json", "bytes_read", "only in object storage"),
    ("walctl verify LOG --part 1/8 --seen FILE --json", "requests", "only in object storage"),
    ("walctl verify LOG --part 1/8 --seen FILE --json", "bytes_read", "only in object storage"),
    ("walctl stats LOG --json", "requests", "only in object storage"),
    ("walctl stats LOG --json", "bytes_read", "only in object storage"),
    ("walctl rotate DIR --json", "requests", "only in object storage"),
    ("walctl rotate DIR --json", "bytes_read", "only in object storage"),
];

/// A row of a table.
#[derive(Debug)]
struct Row {
    kind: String,
    always: bool,
}

/// A table of the page.
#[derive(Debug, Default)]
struct Shape {
    command: String,
    schema: Option<String>,
    mark: Option<String>,
    rows: BTreeMap<String, Row>,
}

/// What was met.
struct Seen<'a> {
    shapes: &'a [Shape],
    /// By shape and path.
    met: BTreeSet<(usize, String)>,
    wrong: BTreeSet<String>,
    /// What formats say of records: by format, and by `meta` or `decoded`.
    facts: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

fn shapes(page: &str) -> Vec<Shape> {
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    let mut shapes = Vec::new();
    for section in page.split("\n## `").skip(1) {
        let mut shape = Shape { command: section.split('`').next().unwrap_or_default().to_owned(), ..Shape::default() };
        for line in section.lines().skip(1) {
            if let Some((_, rest)) = line.split_once("Schema ") {
                shape.schema = quoted(rest);
                shape.mark = rest.split_once("only this shape of it has ").and_then(|(_, rest)| quoted(rest));
            }
            let cells: Vec<&str> = line.split(" | ").collect();
            if let [path, kind, always, since, _] = cells[..]
                && let Some(path) = quoted(path)
            {
                assert!(since.parse::<u32>().is_ok_and(|since| since > 0), "{line}");
                shape.rows.insert(path, Row { kind: kind.to_owned(), always: always == "yes" });
            }
        }
        shapes.push(shape);
    }
    shapes
}

fn is(kind: &str, value: &Value) -> bool {
    if let Some(kind) = kind.strip_suffix(" or null") {
        return value.is_null() || is(kind, value);
    }
    match kind {
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "text" => value.is_string(),
        "boolean" => value.is_boolean(),
        "time" => value.as_str().is_some_and(|text| text.len() == 27 && text.ends_with('Z') && text.as_bytes()[10] == b'T'),
        "object" => value.is_object(),
        "any" => true,
        _ => kind
            .strip_prefix("list of ")
            .is_some_and(|kind| value.as_array().is_some_and(|list| list.iter().all(|value| is(kind, value)))),
    }
}

impl Seen<'_> {
    /// The shape of an object that a command printed.
    fn shape(&self, command: &str, object: &Map<String, Value>) -> Option<usize> {
        let schema = object.get("schema").and_then(Value::as_str);
        self.shapes.iter().position(|shape| match schema {
            Some(_) => {
                shape.schema.as_deref() == schema && shape.mark.as_ref().is_none_or(|mark| object.contains_key(mark.as_str()))
            }
            None => shape.schema.is_none() && shape.command.starts_with(&format!("walctl {command} ")),
        })
    }

    /// Everything that a run printed. What is no object is no matter of ours.
    fn ran(&mut self, command: &str, ran: &Ran, format: Option<&str>) {
        for line in ran.stdout.lines().chain(ran.stderr.lines()) {
            let Ok(Value::Object(object)) = serde_json::from_str(line) else { continue };
            let Some(shape) = self.shape(command, &object) else {
                self.wrong.insert(format!("an object of no shape, from `{command}`: {line}"));
                continue;
            };
            if let Some(format) = format {
                self.facts(format, &object);
            }
            self.object(shape, "", &object);
        }
    }

    fn object(&mut self, shape: usize, path: &str, object: &Map<String, Value>) {
        let rows = &self.shapes[shape].rows;
        let wild = rows.contains_key(&format!("{path}*"));
        for (key, value) in object {
            let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let quoted = format!("\"{key}\"");
            let name = if wild { "*" } else { key };
            let here = format!("{path}{}", if wild || plain { name } else { &quoted });
            let Some(row) = rows.get(&here) else {
                self.wrong.insert(format!("{}: {path}{key} is not in the reference", self.shapes[shape].command));
                continue;
            };
            if !is(&row.kind, value) {
                self.wrong.insert(format!("{}: {here} is no {}: {value}", self.shapes[shape].command, row.kind));
            }
            self.met.insert((shape, here.clone()));
            let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let step = if value.is_array() { "[]." } else { "." };
            for inner in items.iter().filter_map(Value::as_object).filter(|_| row.kind != "any") {
                self.object(shape, &format!("{here}{step}"), inner);
            }
        }
        for (row, _) in self.shapes[shape].rows.iter().filter(|(_, row)| row.always) {
            let Some(key) = row.strip_prefix(path).filter(|_| !wild) else { continue };
            let inner = |outer: &String| row.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
            let nested = rows.keys().any(|outer| outer.starts_with(path) && outer.len() > path.len() && inner(outer));
            if !object.contains_key(key.trim_matches('"')) && !nested {
                self.wrong.insert(format!("{}: {row} is not always there", self.shapes[shape].command));
            }
        }
    }

    fn facts(&mut self, format: &str, object: &Map<String, Value>) {
        for place in ["meta", "decoded"] {
            for (key, value) in object.get(place).and_then(Value::as_object).into_iter().flatten() {
                let kind = match value {
                    Value::Null => continue,
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::String(_) => "text",
                    Value::Array(_) => "list",
                    Value::Object(_) => "object",
                };
                let of = self.facts.entry(format.to_owned()).or_default().entry(place.to_owned()).or_default();
                of.insert(format!("`{key}` {kind}"));
            }
        }
    }
}

/// What the fixtures of a format answer to the commands that read and mend.
fn over_fixtures(format: &str, seen: &Mutex<Seen<'_>>) {
    for (_, dir) in cases(format) {
        let sandbox = Sandbox::new();
        fixture::copy_all(&dir.join("wal"), &sandbox.path().join("LOG")).expect("a fixture can be copied");
        let keys = expected(&dir)["test_keys_hex"].as_array().map_or(Vec::new(), Clone::clone);
        let lines: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
        let keys: &[&str] = if lines.is_empty() { &[] } else { &["--key-file", "KEYS"] };
        std::fs::write(sandbox.path().join("KEYS"), lines.join("\n") + "\n").expect("room for keys");
        for words in [
            &["verify", "LOG", "--deep"][..],
            &["stats", "LOG", "--scan"],
            &["dump", "LOG", "--limit", "2000", "--show-values"],
            &["repair", "LOG", "--dry-run", "--accept-suspect"],
            &["repair", "LOG", "--salvage", "NEW"],
        ] {
            let ran = sandbox.run(&[words, keys, &["--json"]].concat());
            seen.lock().expect("no thread panics while holding it").ran(words[0], &ran, Some(format));
        }
    }
}

/// What fixtures and cases do not bring about.
const MORE: &[&str] = &[
    "walctl verify LOG --media --json",
    "walctl verify LOG --ends --json",
    "walctl verify LOG --sample 50% --json",
    "walctl verify LOG --seen SEEN --json",
    "walctl verify LOG --accept KNOWN --accept-new 'the test says so' --json",
    "sed 's/\"length\": /&1/' KNOWN >VOID; sed 's/wal\", \"offset\"/x&/' KNOWN >>VOID; walctl verify LOG --accept VOID --json",
    "walctl verify LOG --seen PARTS --part 1/2 --json",
    "mkdir -p srv/mongo/journal; printf x > srv/mongo/journal/WiredTigerLog.0000000001; walctl verify srv --json",
    "printf 'alpha\\nbeta\\n' | walctl append SMALL --ledger LEDGER >/dev/null; walctl append SMALL --text gamma >/dev/null; \
     walctl verify SMALL --ledger LEDGER --json",
    "cp -r SMALL OLD; printf 'x\\ny\\n' | walctl append SMALL --ledger LEDGER >/dev/null; walctl verify OLD --ledger LEDGER --json",
    "head -c 3000000 /dev/zero | tr '\\0' x | walctl append LONG --delimiter lf --json",
    "walctl append NEW --text a --sync none --json",
    "walctl append NEW --tag 7 --kind txn-begin --text a --json",
    "walctl rotate NEW --json",
    "walctl rotate NEW --checkpoint 2 --keep-segments 1 --json",
    "walctl rotate NEW --keep-segments 1 --accept-pinned --archive ARCHIVE --json",
    "walctl rotate NEW --prune --json",
    "walctl stats NEW --json",
    "walctl dump SMALL --payload hex --json",
    "walctl dump SMALL --payload len --json",
    "walctl dump SMALL --payload base64 --json",
    "walctl dump SMALL --redact --json",
    "walctl dump NEW SMALL --json",
    "printf '{\"a\": 1}\\n' | walctl append DOCS >/dev/null; walctl dump DOCS --payload json --json",
    "walctl verify NOWHERE --json",
    "walctl verify --format list --json",
    "walctl explain --json",
    "walctl diff LOG SMALL --json",
    "walctl diff SMALL OLD --json",
    "walctl repair LOG --salvage SALVAGED --dry-run --json",
    "walctl repair LOG >/dev/null; walctl repair LOG --undo --json",
    "walctl bench --json --duration 40ms --repeats 2 --warmup 5ms --appenders 1,4 --window 0,auto",
    "walctl bench --json --target 'p99<10s' --appenders 1 --duration 40ms --repeats 1 --warmup 5ms",
    "walctl bench --crash-test 1 --json",
    "dir=$(mktemp -d /dev/shm/walctl.XXXXXX); walctl bench $dir --disk --json; rmdir $dir",
];

fn see_everything(seen: &Mutex<Seen<'_>>) {
    let formats: Vec<&str> = walctl::formats::ALL.iter().map(|format| format.name).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(format) = formats.get(next.fetch_add(1, Ordering::Relaxed)) {
                    over_fixtures(format, seen);
                }
            });
        }
    });
    let mut seen = seen.lock().expect("no thread panicked while holding it");
    json_answers(&mut |line, ran| {
        // What another program made of an answer is not ours.
        if !line.contains("| sed") {
            seen.ran(command_of(line), ran, None);
        }
    });
    let sandbox = Sandbox::with("record alpha\nrecord beta\nsegment\nrecord gamma\nsegment\nrecord delta\ncut 10\n");
    for line in MORE {
        let ran = finish(sandbox.shell(line), b"");
        assert!(ran.stdout.contains('{') || ran.stderr.contains('{'), "{line}: {ran:?}");
        seen.ran(command_of(line), &ran, None);
    }
}

/// The command whose output a line of the shell shows.
fn command_of(line: &str) -> &str {
    let last = line.rfind("walctl ").map_or("", |at| &line[at + 7..]);
    last.split(' ').next().unwrap_or_default()
}

/// What formats say of records, as the end of the page.
fn facts(facts: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>) -> String {
    let mut text = String::from(
        "\n## Facts of formats\n\nThe keys of `meta` and the outermost keys of `decoded` in lines of `dump`, as they were met in the logs that the tests \
         have of each\nformat; a format may have others. The format's page, `src/formats/FORMAT/FORMAT.md`, says what they mean.\n\n| format | `meta` | `decoded` |\n|---|---|---|\n",
    );
    for (format, of) in facts {
        let list = |place: &str| of.get(place).map_or_else(String::new, |keys| Vec::from_iter(keys.clone()).join(", "));
        let _ = writeln!(text, "| `{format}` | {} | {} |", list("meta"), list("decoded"));
    }
    text
}

#[test]
fn the_reference_of_keys_has_every_key_and_no_other() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["generate", "json", "."]).code, 0);
    let tables = std::fs::read_to_string(sandbox.path().join("json.md")).expect("it was written");
    let shapes = shapes(&tables);
    assert!(shapes.len() > 12 && shapes.iter().all(|shape| shape.rows.len() > 1), "{shapes:?}");
    let seen = Seen { shapes: &shapes, met: BTreeSet::new(), wrong: BTreeSet::new(), facts: BTreeMap::new() };
    let seen = Mutex::new(seen);
    see_everything(&seen);
    let seen = seen.into_inner().expect("no thread panicked while holding it");
    let mut wrong: Vec<String> = seen.wrong.iter().cloned().collect();
    for (index, shape) in shapes.iter().enumerate() {
        let excused = |path: &String| {
            UNSEEN.iter().any(|(command, what, _)| {
                *command == shape.command && (what == path || what.strip_suffix('*').is_some_and(|head| path.starts_with(head)))
            })
        };
        let unseen = shape.rows.keys().filter(|path| !seen.met.contains(&(index, (*path).clone())) && !excused(path));
        wrong.extend(unseen.map(|path| format!("{}: no test met {path}", shape.command)));
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));

    let page = tables + &facts(&seen.facts);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    if std::fs::read_to_string(&path).unwrap_or_default() != page {
        assert!(std::env::var_os("UPDATE").is_some(), "docs/json.md is old; write it with: UPDATE=1 cargo test --test it json");
        std::fs::write(&path, page).expect("the repository can be written to");
    }
}

#[test]
fn a_key_that_is_not_in_the_reference_is_noticed() {
    let page = "\n## `walctl x LOG --json`\n\nIt is. Schema `walctl.x/1`.\n\n| `schema` | text | yes | 1 | a |\n| `many` | list of object | yes | 1 | \
                b |\n| `many[].one` | integer or null | yes | 1 | c |\n| `rare` | time |  | 1 | d |\n";
    let shapes = shapes(page);
    let faults = |line: &str| {
        let mut seen = Seen { shapes: &shapes, met: BTreeSet::new(), wrong: BTreeSet::new(), facts: BTreeMap::new() };
        seen.ran("x", &Ran { code: 0, stdout: line.to_owned(), stderr: String::new() }, None);
        Vec::from_iter(seen.wrong)
    };
    assert_eq!(faults(r#"{"schema": "walctl.x/1", "many": [{"one": null}], "rare": "2026-01-31T09:30:00.000000Z"}"#), [""; 0]);
    assert!(faults(r#"{"schema": "walctl.x/1", "many": [], "new": 1}"#)[0].ends_with("new is not in the reference"));
    assert!(faults(r#"{"schema": "walctl.x/1", "many": [{"one": "1"}]}"#)[0].contains("many[].one is no integer or null"));
    assert!(faults(r#"{"schema": "walctl.x/1", "many": [{}]}"#)[0].ends_with("many[].one is not always there"));
    assert!(faults(r#"{"schema": "walctl.x/1", "many": [], "rare": "yesterday"}"#)[0].contains("rare is no time"));
    assert!(faults(r#"{"schema": "walctl.y/1"}"#)[0].starts_with("an object of no shape"));
}
