//! The guides in `docs/` are true: every `console` block is run, and answers what stands there.
//!
//! The blocks of a page are run one after the other in one folder. `UPDATE=1 cargo test --test it guides` writes the answers anew. In an
//! answer `[..]` stands for anything in that line, and times are not compared. `<!-- fixture NAME PATH -->` puts a log of another system there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cases::{renewed, same};
use crate::support::fixture;
use crate::support::sandbox::{Sandbox, finish};

/// A command and its answer. A line that ends in `\` goes on in the next one.
struct Step {
    line: String,
    answer: String,
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { line: command.to_owned(), answer: String::new() }),
            (None, Some(step)) if goes_on => {
                let _ = write!(step.line, "\n{line}");
            }
            (None, Some(step)) => {
                let _ = writeln!(step.answer, "{line}");
            }
            (None, None) => panic!("a block begins with a command, not with: {line}"),
        }
        goes_on = line.ends_with('\\') && (goes_on || line.starts_with("$ "));
    }
    steps
}

/// Times are others each day.
fn blind(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let begin = at.saturating_sub(10);
        let time = rest.get(begin..begin + 27).filter(|time| {
            time.ends_with('Z')
                && time.bytes().enumerate().all(|(i, b)| matches!(i, 4 | 7 | 10 | 13 | 16 | 19 | 26) || b.is_ascii_digit())
        });
        let end = if time.is_some() { begin + 27 } else { at + 1 };
        out += if time.is_some() { &rest[..begin] } else { &rest[..end] };
        out += if time.is_some() { "TIME" } else { "" };
        rest = &rest[end..];
    }
    out + rest
}

/// Lines that differ only in their times stay as they were.
fn again(old: &str, new: &str) -> String {
    let keep = |line: &str| old.lines().find(|known| blind(known) == blind(line)).unwrap_or(line).to_owned() + "\n";
    renewed(old, new).lines().map(keep).collect()
}

fn try_page(path: &Path) {
    let text = fs::read_to_string(path).expect("it is text");
    let sandbox = Sandbox::new();
    let run = path.with_file_name("run.json");
    fs::copy(run, sandbox.path().join("run.json")).expect("a saved run of bench lies beside the guides");
    for wanted in text.lines().filter_map(|line| line.strip_prefix("<!-- fixture ")?.strip_suffix(" -->")) {
        let (name, to) = wanted.split_once(' ').expect("a fixture and a path");
        fixture::copy(name, &sandbox.path().join(to)).unwrap_or_else(|why| panic!("{why}"));
    }
    let (mut page, mut wrong, mut ran) = (String::new(), String::new(), 0);
    for (index, part) in text.split("```console\n").enumerate() {
        let Some((block, rest)) = part.split_once("```").filter(|_| index > 0) else {
            page += part;
            continue;
        };
        page += "```console\n";
        for step in steps(block) {
            let done = finish(sandbox.shell(&step.line), b"");
            let found = format!("{}{}", done.stdout, done.stderr);
            let fits = same(&blind(&step.answer), &blind(&found));
            if !fits {
                let _ = writeln!(wrong, "$ {}\nwas to answer\n{}and answers\n{found}", step.line, step.answer);
            }
            let answer = if fits { step.answer } else { again(&step.answer, &found) };
            let _ = write!(page, "$ {}\n{answer}", step.line);
            ran += 1;
        }
        page += "```";
        page += rest;
    }
    assert!(ran > 0, "{} shows no command", path.display());
    if !wrong.is_empty() {
        assert!(
            std::env::var_os("UPDATE").is_some(),
            "{}:\n{wrong}\nrefresh it with: UPDATE=1 cargo test --test it guides",
            path.display()
        );
        fs::write(path, page).expect("the repository can be written to");
    }
}

#[test]
fn every_transcript_of_the_guides_is_what_a_terminal_shows() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages: Vec<PathBuf> = fs::read_dir(docs).expect("there are guides").flatten().map(|entry| entry.path()).collect();
    pages.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("```console\n")));
    pages.sort();
    assert!(pages.len() >= 3, "{pages:?}");
    for page in pages {
        try_page(&page);
    }
}

#[test]
fn times_are_not_compared_and_all_else_is() {
    let line = "before 2026-01-31T09:30:00.000000Z, Torn at T";
    assert_eq!(blind(line), "before TIME, Torn at T");
    assert_eq!(blind("T"), "T");
    let both = steps("$ a \\\n  b\nanswer\n$ c\n");
    assert_eq!((both[0].line.as_str(), both[0].answer.as_str(), both[1].line.as_str()), ("a \\\n  b", "answer\n", "c"));
}
