//! `walctl explain` knows every word that a user can meet, and its examples are real output.
//!
//! `UPDATE=1 cargo test --test it explain` writes the examples anew from the cases and from what is told of fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use walctl::model::{CATALOGUE, Verdict};

use crate::cases::answered;
use crate::support::sandbox::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is told of fixtures: commands with their exit code, and lines.
fn told() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root().join("tests/told")).expect("it is there").flatten().map(|e| e.path()).collect();
    names.sort();
    names
        .iter()
        .flat_map(|path| fs::read_to_string(path).expect("it is text").lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn words() -> Vec<serde_json::Value> {
    let ran = Sandbox::new().run(&["explain", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn name(word: &serde_json::Value) -> &str {
    word["name"].as_str().expect("a word has a name")
}

/// Examples for the words that have none of their own, each the first of its sort that stands in the cases, or else in what is told.
fn examples() -> String {
    let steps = answered();
    let lines: Vec<String> = steps.iter().flat_map(|(_, _, stdout)| stdout.lines().map(str::to_owned)).chain(told()).collect();
    let plain = |line: &&String| line.starts_with("LOG") && line.len() < 260 && !line.contains("[..]");
    let mut examples = BTreeMap::new();
    for word in words() {
        let name = name(&word).to_owned();
        let found = match word["class"].as_str() {
            Some("damage") => lines.iter().filter(plain).find(|line| {
                let after = line.split(": ").nth(2).unwrap_or_default();
                after == name || after.starts_with(&format!("{name} where ")) || after.starts_with(&format!("{name}, "))
            }),
            Some("verdict") => lines.iter().filter(plain).find(|line| line.starts_with(&format!("LOG: {name}; "))),
            Some("warning") => {
                lines.iter().filter(|line| line.starts_with("LOG")).find(|line| line.contains(&format!(": {name}: ")))
            }
            Some("exit code") => {
                let code: i32 = name.parse().expect("an exit code is a number");
                let step = steps.iter().find(|(line, exit, _)| *exit == code && line.starts_with("walctl ") && line.len() < 60);
                let line = step.map(|(line, ..)| format!("{line}; echo $? prints {name}"));
                line.map(|line| examples.insert(name.clone(), line));
                None
            }
            _ => None,
        };
        if let Some(line) = found {
            examples.insert(name, line.clone());
        }
    }
    examples.into_iter().map(|(name, line)| format!("{name}\t{line}\n")).collect()
}

/// Whether the example of a word is still in the cases or in what is told: others may come before it there, which is no fault.
fn still_stands(line: &str, steps: &[(String, i32, String)], told: &[String]) -> bool {
    let (_, example) = line.split_once('\t').unwrap_or_default();
    let shown = steps.iter().any(|(_, _, stdout)| stdout.lines().any(|line| line == example));
    let ended = |(line, exit, _): &(String, i32, String)| format!("{line}; echo $? prints {exit}") == example;
    shown || told.iter().any(|line| line == example) || steps.iter().any(ended)
}

#[test]
fn examples_are_what_walctl_has_printed() {
    let path = root().join("src/cli/reference/examples.txt");
    let (stored, found) = (fs::read_to_string(&path).expect("it is there"), examples());
    assert!(found.lines().count() > 60, "too few examples were found:\n{found}");
    let names = |text: &str| text.lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned())).collect::<Vec<_>>();
    let (steps, told) = (answered(), told());
    let gone: Vec<&str> = stored.lines().filter(|line| !still_stands(line, &steps, &told)).collect();
    if !gone.is_empty() || names(&stored) != names(&found) {
        let old = "the examples are old; write them with: UPDATE=1 cargo test --test it explain";
        assert!(std::env::var_os("UPDATE").is_some(), "{old}\nthese are printed nowhere: {gone:?}");
        fs::write(path, found).expect("the repository can be written to");
    }
}

#[test]
fn every_kind_of_damage_and_verdict_and_warning_is_explained() {
    let known = words();
    let known: Vec<&str> = known.iter().map(name).collect();
    for entry in &CATALOGUE {
        assert!(known.contains(&entry.name), "{}", entry.name);
    }
    for verdict in Verdict::ALL {
        assert!(known.contains(&verdict.name()), "{verdict}");
    }
    let mut met = 0;
    let all =
        answered().into_iter().flat_map(|(_, _, stdout)| stdout.lines().map(str::to_owned).collect::<Vec<_>>()).chain(told());
    for line in all.filter(|line| line.starts_with("LOG/")) {
        // `LOG/FILE:OFFSET: NAME: TEXT` is a warning; damage has a verdict there.
        let parts: Vec<&str> = line.splitn(3, ": ").collect();
        let [place, word, _] = parts[..] else { continue };
        let is_place =
            place.rsplit_once(':').is_some_and(|(_, offset)| offset.bytes().all(|b| b.is_ascii_digit()) && !offset.is_empty());
        let is_name = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit());
        if is_place && is_name && word != "known hole" {
            assert!(known.contains(&word), "`{word}` is not explained: {line}");
            met += 1;
        }
    }
    assert!(met > 100, "only {met} words were met");
}

#[test]
fn no_warning_is_explained_that_no_format_gives() {
    let mut sources = String::new();
    let mut folders = vec![root().join("src/formats")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is there").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => sources += &fs::read_to_string(path).unwrap_or_default(),
            }
        }
    }
    for word in words().iter().filter(|word| word["class"] == "warning") {
        assert!(sources.contains(&format!("\"{}\"", name(word))), "{}", name(word));
    }
}

#[test]
fn words_are_explained_by_name_and_by_path_and_what_is_near_is_suggested() {
    let sandbox = Sandbox::new();
    let say = |words: &[&str]| sandbox.run(&[&["explain"], words].concat());
    let torn = say(&["torn"]).stdout;
    assert!(
        torn.starts_with("torn (verdict): ") && torn.contains("\n  exit code: 3\n") && torn.contains("\n  example: LOG: torn; "),
        "{torn}"
    );
    let key = say(&["damage[].doubt_first_lsn"]).stdout;
    assert!(key.starts_with("doubt_first_lsn (key): The first LSN that may be lost.\n"), "{key}");
    assert!(key.contains("\n  example: walctl verify LOG --json | jq '.damage[].doubt_first_lsn'\n"), "{key}");
    let wrong = say(&["bad-cheksum"]);
    assert_eq!(wrong.code, 2);
    assert_eq!(
        wrong.stderr,
        "walctl explain: no word bad-cheksum; near: bad-checksum (walctl explain lists all)\nnext: walctl explain bad-checksum\n"
    );
    let none = say(&["qqqqqqqq"]);
    assert_eq!((none.code, none.stderr.as_str()), (2, "walctl explain: no word qqqqqqqq\nnext: walctl explain\n"));
    for (typed, shown) in [
        ("known hole", &["known hole (term)", "known_hole (key)"][..]),
        ("Known_Hole", &["known hole (term)"]),
        ("hole", &["known hole (term)"]),
        ("acked", &["acknowledged (term)"]),
        ("SEALED", &["sealed (term)", "sealed (key)"]),
        ("etcd", &["etcd (format)"]),
        ("gap", &["gap (term)", "missing-segment"]),
        ("undo", &["walctl repair LOG --undo"]),
    ] {
        let said = say(&[typed]).stdout;
        assert!(shown.iter().all(|shown| said.contains(shown)), "{typed}: {said}");
    }
    let all = say(&[]).stdout;
    for name in ["bad-checksum", "suspect", "opening-would-cut", "130", "damage_beyond_count"] {
        assert!(all.contains(name), "{name}: {all}");
    }
    assert!(say(&["encrypted"]).stdout.contains("encrypted (warning)") && say(&["encrypted"]).stdout.contains("encrypted (key)"));
}
