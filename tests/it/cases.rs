//! Runs every `tests/cases/**/*.case` through the real binary.
//!
//! A case is a sentence, logs made from words, commands, and their answers:
//!
//! ```text
//! a torn tail is reported, and nothing is called lost
//! --- log                        the log LOG by a recipe; `--- log NAME` for another one
//! record alpha
//! --- fixture FORMAT/CASE        another system's log, copied to LOG from tests/fixtures, and its keys to KEYS
//! --- file NAME                  a file with this text
//! --- drawn                      an answer before any command: what lies where in the log that was made last. The recipe's own encoder
//!                                says so, or what the fixture's writer wrote down; walctl is not asked
//! --- $ walctl verify LOG        a line for the shell; what follows is its standard output
//! --- stderr                     its standard error, if there is any
//! --- exit 3                     its exit code, if it is not 0
//! ```
//! In an answer `[..]` stands for anything in that line. `UPDATE=1` rewrites answers that do not fit; `CASE=torn` runs only the cases
//! with that in their path.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::sandbox::{Ran, Sandbox, finish};
use crate::support::{fixture, recipe};

#[derive(Debug, PartialEq)]
struct Case {
    /// The sentence, as it stands there.
    says: String,
    /// What is made before, as it stands there.
    made: Vec<(Make, String)>,
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
enum Make {
    /// A log by this name, from a recipe.
    Log(String),
    /// A file by this name.
    File(String),
    /// LOG, and KEYS where it is encrypted, copied from this fixture.
    Fixture(String),
    /// An answer: how the log that was made last lies on disk, by whoever made it.
    Drawn,
}

#[derive(Debug, Default, PartialEq)]
struct Step {
    line: String,
    stdout: String,
    stderr: String,
    exit: i32,
}

#[test]
fn every_case_gets_the_answer_that_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let wanted = std::env::var("CASE").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&wanted));
    assert!(!paths.is_empty() || wanted.is_empty(), "no case has `{wanted}` in its path");
    let update = std::env::var_os("UPDATE").is_some();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = try_case(path, update) {
                        let name = path.strip_prefix(&root).unwrap_or(path).display();
                        failures.lock().expect("nobody panics while holding it").push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("nobody panicked while holding it");
    failures.sort();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), paths.len(), failures.join("\n"));
}

/// Runs the cases in which `--json` is typed, and hands on what those lines answer.
pub fn json_answers(each: &mut dyn FnMut(&str, &Ran)) {
    let mut paths = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"), &mut paths);
    for path in paths {
        let mut case = parse(&fs::read_to_string(&path).expect("it is text")).expect("it is a case");
        if !case.steps.iter().any(|step| step.line.contains("--json")) {
            continue;
        }
        let sandbox = Sandbox::new();
        make(&mut case, &sandbox).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        for step in &case.steps {
            let ran = finish(sandbox.shell(&step.line), b"");
            if step.line.contains("--json") {
                each(&step.line, &ran);
            }
        }
    }
}

/// What every step of every case was to answer: its line, its exit code and its standard output.
pub fn answered() -> Vec<(String, i32, String)> {
    let mut paths = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"), &mut paths);
    let parsed = |path: &PathBuf| parse(&fs::read_to_string(path).expect("it is text")).expect("it is a case");
    paths.iter().flat_map(|path| parsed(path).steps).map(|step| (step.line, step.exit, step.stdout)).collect()
}

/// The recipes of all cases, and where they stand.
pub fn recipes() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (mut paths, mut recipes) = (Vec::new(), Vec::new());
    collect(&root, &mut paths);
    for path in paths {
        let case = parse(&fs::read_to_string(&path).expect("it is text")).expect("it is a case");
        let name = path.strip_prefix(&root).expect("it lies below").display().to_string();
        for (what, recipe) in case.made {
            if let Make::Log(log) = what {
                recipes.push((format!("{name} {log}"), recipe));
            }
        }
    }
    recipes
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("the folder of cases can be listed").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "case") {
            into.push(path);
        }
    }
    into.sort();
}

fn try_case(path: &Path, update: bool) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut case = parse(&text)?;
    let sandbox = Sandbox::new();
    let mut why = make(&mut case, &sandbox)?;
    for step in &mut case.steps {
        let ran = finish(sandbox.shell(&step.line), b"");
        if ran.stderr.contains("panicked at") {
            return Err(format!("$ {}\n{}", step.line, ran.stderr));
        }
        if !step.fits(&ran) {
            let _ = writeln!(why, "$ {}\n{}", step.line, step.difference(&ran));
            let (stdout, stderr) = (renewed(&step.stdout, &ran.stdout), renewed(&step.stderr, &ran.stderr));
            *step = Step { line: step.line.clone(), stdout, stderr, exit: ran.code };
        }
        if mends(step) {
            still_mended(&sandbox)?;
        }
    }
    if why.is_empty() {
        return Ok(());
    }
    if update {
        return fs::write(path, case.print()).map_err(|e| e.to_string());
    }
    Err(why)
}

/// Makes what a case needs before its first step. What is wrong with its drawings, which are as they should be then.
fn make(case: &mut Case, sandbox: &Sandbox) -> Result<String, String> {
    let (mut drawing, mut why) = (String::new(), String::new());
    for (what, content) in &mut case.made {
        match what {
            Make::Log(name) => {
                drop(sandbox.log(name, content));
                drawing = recipe::cook(content)?.draw();
            }
            Make::File(name) => fs::write(sandbox.path().join(name), content).map_err(|e| e.to_string())?,
            Make::Fixture(name) => {
                sandbox.fixture(name)?;
                drawing = fixture::draw(name).unwrap_or_default();
            }
            Make::Drawn if drawing.is_empty() => return Err("there is no log to be drawn".into()),
            Make::Drawn if !same(content, &drawing) => {
                let _ = writeln!(why, "the log was to be\n{content}and is\n{drawing}");
                content.clone_from(&drawing);
            }
            Make::Drawn => {}
        }
    }
    Ok(why)
}

/// Whether the step was a repair of LOG that succeeded.
fn mends(step: &Step) -> bool {
    let other = ["--dry-run", "--undo", "--salvage", "|", "&&", ";"];
    step.exit == 0 && step.line.starts_with("walctl repair LOG") && !other.iter().any(|word| step.line.contains(word))
}

/// After each repair: verify is clean, and repairing again changes nothing.
fn still_mended(sandbox: &Sandbox) -> Result<(), String> {
    let before = sandbox.files("LOG");
    for words in [["verify", "LOG"], ["repair", "LOG"]] {
        let ran = sandbox.run(&words);
        if ran.code != 0 {
            return Err(format!(
                "after the repair, `walctl {} LOG` ends with {}:\n{}{}",
                words[0], ran.code, ran.stdout, ran.stderr
            ));
        }
    }
    if sandbox.files("LOG") != before {
        return Err("a second repair changed the log".into());
    }
    Ok(())
}

fn parse(text: &str) -> Result<Case, String> {
    let mut parts = text.split("\n--- ");
    let says = parts.next().unwrap_or_default().to_owned();
    let mut case = Case { says, made: Vec::new(), steps: Vec::new() };
    for part in parts {
        let (head, body) = part.split_once('\n').unwrap_or((part, ""));
        // The newline in front of the next `---` belongs to the body.
        let body = if body.is_empty() || body.ends_with('\n') { body.to_owned() } else { format!("{body}\n") };
        if let Some(line) = head.strip_prefix("$ ") {
            case.steps.push(Step { line: line.to_owned(), stdout: body, ..Step::default() });
        } else if head == "stderr" {
            case.steps.last_mut().ok_or("an answer without a command")?.stderr = body;
        } else if let Some(code) = head.strip_prefix("exit ") {
            case.steps.last_mut().ok_or("an answer without a command")?.exit = code.trim().parse().map_err(|_| "no exit code")?;
        } else if let Some(name) = head.strip_prefix("file ") {
            case.made.push((Make::File(name.to_owned()), body));
        } else if let Some(name) = head.strip_prefix("fixture ") {
            case.made.push((Make::Fixture(name.to_owned()), body));
        } else if head == "drawn" {
            case.made.push((Make::Drawn, body));
        } else if let Some(name) = head.strip_prefix("log") {
            let name = if name.is_empty() { "LOG" } else { name.trim() };
            case.made.push((Make::Log(name.to_owned()), body));
        } else {
            return Err(format!("`--- {head}` is no part of a case"));
        }
    }
    Ok(case)
}

impl Case {
    fn print(&self) -> String {
        let mut text = format!("{}\n", self.says.trim_end());
        for (what, content) in &self.made {
            let _ = match what {
                Make::Log(name) if name == "LOG" => write!(text, "--- log\n{content}"),
                Make::Log(name) => write!(text, "--- log {name}\n{content}"),
                Make::File(name) => write!(text, "--- file {name}\n{content}"),
                Make::Fixture(name) => write!(text, "--- fixture {name}\n{content}"),
                Make::Drawn => write!(text, "--- drawn\n{content}"),
            };
        }
        for step in &self.steps {
            let _ = write!(text, "--- $ {}\n{}", step.line, ended(&step.stdout));
            if !step.stderr.is_empty() {
                let _ = write!(text, "--- stderr\n{}", ended(&step.stderr));
            }
            if step.exit != 0 {
                let _ = writeln!(text, "--- exit {}", step.exit);
            }
        }
        text
    }
}

/// With a newline at its end, which a case cannot leave out.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

impl Step {
    fn fits(&self, ran: &Ran) -> bool {
        self.exit == ran.code && same(&self.stdout, &ended(&ran.stdout)) && same(&self.stderr, &ended(&ran.stderr))
    }

    fn difference(&self, ran: &Ran) -> String {
        let mut text = String::new();
        for (name, expected, found) in [("stdout", &self.stdout, &ran.stdout), ("stderr", &self.stderr, &ran.stderr)] {
            if !same(expected, &ended(found)) {
                let _ = write!(text, "{name} was to be\n{expected}and was\n{}", ended(found));
            }
        }
        if self.exit != ran.code {
            let _ = writeln!(text, "exit was to be {} and was {}", self.exit, ran.code);
        }
        text
    }
}

/// An answer to be written in place of another one: lines that still fit stay as they stand there, with what is left open in them.
pub fn renewed(expected: &str, found: &str) -> String {
    found.lines().map(|found| expected.lines().find(|line| like(line, found)).unwrap_or(found).to_owned() + "\n").collect()
}

pub fn same(expected: &str, found: &str) -> bool {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return true,
            (Some(pattern), Some(line)) if like(pattern, line) => {}
            _ => return false,
        }
    }
}

/// Whether a line is what was expected, where `[..]` stands for anything.
fn like(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once("[..]") else { return pattern == line };
    let Some(rest) = line.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| like(tail, &rest[at..]))
}

#[test]
fn a_case_prints_as_it_was_read() {
    let text = "it says so\n--- log\nrecord a\n--- log two\nrecord b\n--- file LIST\n1\n--- fixture a/b\n--- drawn\n     0  header\n--- $ \
                walctl verify LOG\nfine\n--- exit 3\n--- $ \
                walctl dump LOG\n--- stderr\nwarned\n";
    let case = parse(text).expect("it is a case");
    assert_eq!(case.print(), text);
    assert_eq!((case.steps[0].exit, case.steps[1].stderr.as_str(), case.made.len()), (3, "warned\n", 5));
    assert!(parse("x\n--- nonsense\n").is_err());
}

#[test]
fn two_dots_in_brackets_stand_for_anything_in_a_line() {
    for (pattern, line, fits) in [
        ("process [..] has it", "process 4121 has it", true),
        ("[..]", "", true),
        ("a[..]b[..]c", "a1b2c", true),
        ("a[..]b", "a1c", false),
        ("exact", "exact ", false),
    ] {
        assert_eq!(like(pattern, line), fits, "{pattern} {line}");
    }
    assert!(!same("a\nb\n", "a\n") && !same("a\n", "a\nb\n"));
    assert_eq!(renewed("at [..]\nold\n", "new\nat 12:30\n"), "new\nat [..]\n", "what is left open stays so");
}
