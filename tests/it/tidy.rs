//! The repository's own rules: who imports whom, how long files are, what may be where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `src/`, and what it may import from its neighbours. The order is that of reading.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("disk", &["model"]),
    ("native", &["model", "disk"]),
    ("writer", &["model", "disk", "native"]),
    ("formats", &["model", "disk"]),
    ("ops", &["model", "disk", "native", "formats"]),
    ("bench", &["model", "disk", "formats", "writer", "ops"]),
    // The binary sees the library's public face, under the library's name, and nothing through `crate`.
    ("cli", &[]),
];

/// Files, or folders below, that may import more than their folder, each with its reason.
const BRIDGES: &[(&str, &str, &str)] =
    &[("formats/native/", "native", "it is our own format, seen as a format"), ("ops/mend/", "writer", "it writes a new log")];

/// No file is longer than that without its tests, but for those that are named. The numbers may only fall.
const LONGEST: usize = 650;
const LONGER: &[(&str, usize)] = &[("tests/it/properties.rs", 792)];

/// Words that only the binary may use.
const SPEAKING: &[&str] =
    &["println!", "print!(", "io::stdout()", "io::stderr()", "process::exit", "env::var", "env::args", "clap::", "anyhow::"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below a folder, with its path from there.
fn texts(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    fn walk(dir: &Path, paths: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("the repository can be listed") {
            let path = entry.expect("the repository can be listed").path();
            if path.is_dir() { walk(&path, paths) } else { paths.push(path) }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| extensions.iter().any(|wanted| e == *wanted)));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root().join(folder)).expect("it was found there").display().to_string();
        (name, fs::read_to_string(&path).expect("it is text"))
    };
    paths.into_iter().map(read).collect()
}

fn demand(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The part of a source file before its tests, which may look further.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn folders_import_only_what_lies_below_them() {
    let mut broken = Vec::new();
    for (file, text) in texts("src", &["rs"]) {
        let Some((folder, _)) = file.split_once('/') else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
            broken.push(format!("src/{folder} is in no layer"));
            continue;
        };
        // A file of tests may look further, as tests at the end of a file may.
        if file.ends_with("tests.rs") {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for piece in line.split("crate::").skip(1) {
                let target = piece.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let bridge = BRIDGES.iter().any(|(from, to, _)| file.starts_with(from) && *to == target);
                if target != folder && !allowed.contains(&target) && !bridge {
                    broken.push(format!("src/{file}:{}: {folder} must not import {target}", number + 1));
                }
            }
        }
    }
    demand(&broken);
}

#[test]
fn formats_do_not_import_each_other() {
    let shared = ["format", "registry"];
    let files = texts("src/formats", &["rs"]);
    let names: Vec<&str> = files.iter().map(|(file, _)| file.split(['/', '.']).next().unwrap_or_default()).collect();
    let mut broken = Vec::new();
    for (file, text) in &files {
        let own = file.split(['/', '.']).next().unwrap_or_default();
        if own == "registry" {
            continue;
        }
        for name in names.iter().filter(|name| **name != own && !shared.contains(name)) {
            let at = [format!("use super::{name}::"), format!("crate::formats::{name}::")];
            if at.iter().any(|path| without_tests(text).contains(path)) && !file.contains('/') {
                broken.push(format!("src/formats/{file}: a format must not import {name}"));
            }
        }
    }
    demand(&broken);
}

#[test]
fn every_file_is_on_a_map() {
    let mut broken = Vec::new();
    for (folder, maps) in [("src", &["lib.rs", "main.rs"][..]), ("tests/it", &["main.rs"])] {
        let files = texts(folder, &["rs"]);
        for (file, _) in &files {
            let name = Path::new(file).file_stem().expect("a file has a name").to_string_lossy().into_owned();
            if maps.contains(&file.as_str()) {
                continue;
            }
            let declaration = format!("mod {name};");
            // Either on the map, or in the file that has the folder's name.
            let parent = Path::new(file).parent().map(|dir| format!("{}.rs", dir.display())).unwrap_or_default();
            let declared = files
                .iter()
                .filter(|(other, _)| maps.contains(&other.as_str()) || *other == parent)
                .any(|(_, text)| text.contains(&declaration));
            if !declared {
                broken.push(format!("{folder}/{file} is on no map: `{declaration}` is missing"));
            }
        }
    }
    demand(&broken);
}

#[test]
fn the_first_line_of_a_file_says_which_question_it_answers() {
    let mut broken = Vec::new();
    for folder in ["src", "tests/it"] {
        for (file, text) in texts(folder, &["rs"]) {
            let first = text.lines().next().unwrap_or_default();
            if !first.starts_with("//! ") || !first.ends_with(['.', ':']) && text.lines().nth(1) == Some("//!") {
                broken.push(format!("{folder}/{file}: {first}"));
            }
        }
    }
    demand(&broken);
}

#[test]
fn no_file_grows_past_what_can_be_read() {
    let mut broken = Vec::new();
    for folder in ["src", "tests/it"] {
        for (file, text) in texts(folder, &["rs"]) {
            let (path, lines) = (format!("{folder}/{file}"), without_tests(&text).lines().count());
            let limit = LONGER.iter().find(|(name, _)| *name == path).map_or(LONGEST, |(_, limit)| *limit);
            if lines > limit {
                broken.push(format!("{path} has {lines} lines, {limit} are allowed: look for the second question in it"));
            }
        }
    }
    for (file, limit) in LONGER {
        let lines = fs::read_to_string(root().join(file)).map_or(0, |text| without_tests(&text).lines().count());
        if lines + 50 < *limit {
            broken.push(format!("{file} has only {lines} lines now: lower its limit of {limit}"));
        }
    }
    demand(&broken);
}

#[test]
fn only_the_binary_speaks() {
    let mut broken = Vec::new();
    for (file, text) in texts("src", &["rs"]) {
        if file.starts_with("cli/") || file == "main.rs" {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.trim_start();
            if let Some(word) = SPEAKING.iter().find(|word| !code.starts_with("//") && code.contains(**word)) {
                broken.push(format!("src/{file}:{}: `{word}` belongs to cli", number + 1));
            }
        }
    }
    demand(&broken);
}

#[test]
fn the_architecture_names_every_folder_and_the_changelog_the_version() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    for (folder, _) in LAYERS {
        assert!(architecture.contains(&format!("`src/{folder}`")), "ARCHITECTURE.md does not name src/{folder}");
    }
    for entry in fs::read_dir(root().join("src")).expect("the repository can be listed") {
        let entry = entry.expect("the repository can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            !entry.path().is_dir() || architecture.contains(&format!("`src/{name}`")),
            "ARCHITECTURE.md does not name src/{name}"
        );
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("it is there");
    assert!(changelog.contains(&format!("\n## {}", env!("CARGO_PKG_VERSION"))), "CHANGELOG.md lacks this version");
}

#[test]
fn texts_name_only_what_is_in_the_repository() {
    let mut pages: Vec<(String, String)> = Vec::new();
    for folder in ["src", "tests/it", "tests/cases", ".ci"] {
        let found = texts(folder, &["rs", "md", "case"]);
        pages.extend(found.into_iter().map(|(file, text)| (format!("{folder}/{file}"), text)));
    }
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.toml", ".ci/run"] {
        pages.push((page.to_owned(), fs::read_to_string(root().join(page)).expect("it is there")));
    }
    // Assembled, so that this file does not break its own rule.
    let elsewhere = [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["\u{a7}", ""]].map(|parts| parts.concat());
    let ours = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "FORMAT.md", "MAKE.md", "CONTRIBUTING.md"];
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = elsewhere.iter().find(|word| line.contains(word.as_str())) {
                broken.push(format!("{page}:{}: `{word}` leads out of the repository", number + 1));
            }
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
            for word in words.filter(|word| word.ends_with(".md") && word.starts_with(|c: char| c.is_ascii_uppercase())) {
                if !ours.contains(&word) {
                    broken.push(format!("{page}:{}: {word} is not in the repository", number + 1));
                }
            }
        }
    }
    demand(&broken);
}

#[test]
fn the_package_holds_what_its_tests_read_and_stays_small() {
    // In the unpacked package there is nothing to compare with.
    if root().join("Cargo.toml.orig").exists() {
        return;
    }
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let listed =
        cargo.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(root()).output().expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed: BTreeSet<String> = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
    let mut lacking = Vec::new();
    for folder in ["tests", "man", "completions", ".ci"] {
        let mut paths = Vec::new();
        all_files(&root().join(folder), &mut paths);
        for path in paths {
            let name = path.strip_prefix(root()).expect("it lies below").display().to_string();
            // A package of its own, for .ci/run alone: cargo never packs one into another.
            if !listed.contains(&name) && !name.starts_with("tests/crates/") {
                lacking.push(format!("{name} is not in the package; `exclude` in Cargo.toml keeps it out"));
            }
        }
    }
    demand(&lacking);
    let bytes: u64 = listed.iter().filter_map(|name| fs::metadata(root().join(name)).ok()).map(|file| file.len()).sum();
    assert!(bytes < 12 << 20, "the package has {bytes} bytes; who installs it downloads them all");
}

fn all_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn no_line_ends_with_blanks_and_no_text_with_a_tab() {
    let mut broken = Vec::new();
    for (file, text) in texts("src", &["rs", "md"]).into_iter().chain(texts("tests/it", &["rs"])) {
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t']) || line.contains('\t') {
                broken.push(format!("{file}:{}", number + 1));
            }
        }
    }
    demand(&broken);
}
