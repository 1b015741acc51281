//! The repository's own rules: who imports whom, how long files are, what may be where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `src/`, and what it may import from its neighbours. The order is that of reading.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("disk", &["model"]),
    ("native", &["model", "disk"]),
    ("writer", &["model", "disk", "native"]),
    ("formats", &["model", "disk"]),
    ("ops", &["model", "disk", "formats"]),
    ("bench", &["model", "disk", "formats", "writer", "ops"]),
    // The binary sees the library's public face, under the library's name, and nothing through `crate`.
    ("cli", &[]),
];

/// The face for programs that embed the log: files beside the folders, which no folder imports.
const FACE: &[&str] = &["log", "options", "reader"];
/// What these may import.
const BELOW_THE_FACE: &[&str] = &["model", "disk", "writer", "ops", "log", "options", "reader"];

/// Files, or folders below, that may import more than their folder, each with its reason. One that is not needed any more is an error.
const BRIDGES: &[(&str, &str, &str)] = &[
    ("formats/native/", "native", "it is our own format, seen as a format"),
    ("reader", "native", "a record that is copied into another log keeps its kind"),
    ("reader", "formats", "a scan is given by its format and may be ended"),
    ("ops/mend/", "writer", "salvage writes a new log"),
    ("ops/keep/", "native", "only our own logs have segments that are let go"),
    ("ops/keep/", "writer", "the rule is the writer's: who appends lets segments go too"),
];

/// No file is longer than that without its tests, but for those that are named. The numbers may only fall.
const LONGEST: usize = 500;
// The map grows by a format's modules with each format.
const LONGER: &[(&str, usize)] = &[("src/lib.rs", 571)];
/// Files of tests, which may be longer.
const LONGEST_OF_TESTS: usize = 800;
/// A function fits on a screen.
const LONGEST_FUNCTION: usize = 70;

/// Files of the library that speak in flags, each with its reason.
const FLAGGED: &[(&str, &str)] = &[
    ("bench/", "what it advises is typed as flags of append"),
    ("model/damage.rs", "the catalogue names the command that shows more"),
    ("ops/mend/salvage.rs", "it asks for the key file"),
    ("formats/nodedb/warnings.rs", "it names the command that puts a record back"),
    ("formats/rivven/log.rs", "it names the command that reads a snapshot"),
    ("formats/allsource/join.rs", "it names the command that looks at one log of two"),
    ("formats/allsource/walk.rs", "it names the command that keeps a record"),
];

/// Type names that each format has once, for the same thing.
const ONE_A_FORMAT: &[&str] = &["Fragments", "Frame", "Header", "Own", "Walker"];
/// Formats without a folder of cases: what users see of our own logs is spread over the commands.
const WITHOUT_CASES: &[&str] = &["native"];

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

/// Whether a file consists of tests, which may look further, as tests at the end of a file may.
fn is_tests(file: &str) -> bool {
    file.ends_with("tests.rs") || file.contains("group_model/")
}

/// The lines of a file that are code: number and text.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = without_tests(text).lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The folders that a line names behind `crate::`.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|piece| piece.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
}

#[test]
fn folders_import_only_what_lies_below_them() {
    let (mut broken, mut used) = (Vec::new(), BTreeSet::new());
    for (file, text) in texts("src", &["rs"]) {
        let folder = file.split(['/', '.']).next().unwrap_or_default();
        if ["lib", "main"].contains(&folder) {
            continue;
        }
        let layer = LAYERS.iter().find(|(name, _)| *name == folder).map(|(_, allowed)| *allowed);
        let Some(allowed) = layer.or(FACE.contains(&folder).then_some(BELOW_THE_FACE)) else {
            broken.push(format!("src/{folder} is in no layer"));
            continue;
        };
        if is_tests(&file) {
            continue;
        }
        for (number, line) in code(&text) {
            for target in imported(line).filter(|target| *target != folder && !allowed.contains(target)) {
                match BRIDGES.iter().find(|(from, to, _)| file.starts_with(from) && *to == target) {
                    Some((from, to, _)) => drop(used.insert((*from, *to))),
                    // The binary's own folders are no neighbours of each other.
                    None if folder == "cli" && target == "cli" => {}
                    None => broken.push(format!("src/{file}:{number}: {folder} must not import {target}")),
                }
            }
        }
    }
    let stale = BRIDGES.iter().filter(|(from, to, _)| !used.contains(&(*from, *to)));
    broken.extend(stale.map(|(from, to, _)| format!("src/{from} does not import {to} any more: take the bridge away")));
    demand(&broken);
}

#[test]
fn formats_do_not_import_each_other() {
    let files = texts("src/formats", &["rs"]);
    let folders: BTreeSet<&str> = files.iter().filter_map(|(file, _)| Some(file.split_once('/')?.0)).collect();
    assert!(folders.len() > 4, "{folders:?}");
    let mut broken = Vec::new();
    for (file, text) in files.iter().filter(|(file, _)| file != "registry.rs" && !is_tests(file)) {
        let own = file.split(['/', '.']).next().unwrap_or_default();
        for (number, line) in code(text) {
            for other in folders.iter().filter(|other| **other != own) {
                let depth = file.matches('/').count();
                let above = format!("{}{other}::", "super::".repeat(depth + 1));
                if line.contains(&format!("formats::{other}::"))
                    || line.contains(&above) && !line.contains(&format!("super::{above}"))
                {
                    broken.push(format!("src/formats/{file}:{number}: a format must not import {other}"));
                }
            }
        }
    }
    demand(&broken);
}

#[test]
fn no_code_outside_a_formats_folder_asks_for_its_name() {
    let mut broken = Vec::new();
    let names = walctl::formats::ALL.iter().flat_map(|format| format.aliases.iter().chain([&format.name]));
    let marks: Vec<String> =
        names.flat_map(|name| [format!("\"{name}\""), format!("formats::{}::", name.replace('-', "_"))]).collect();
    for (file, text) in texts("src", &["rs"]).iter().filter(|(file, _)| !file.starts_with("formats/") && !is_tests(file)) {
        for (number, line) in code(text) {
            let named = marks.iter().find(|mark| line.contains(mark.as_str()));
            broken.extend(named.map(|mark| format!("src/{file}:{number}: {mark}: ask what the format states")));
        }
    }
    demand(&broken);
}

#[test]
fn what_is_shown_walks_nothing_and_looks_up_to_no_command() {
    let commands =
        ["about", "append", "bench", "browse", "diff", "dump", "generate", "repair", "rotate", "salvage", "stats", "verify"];
    let mut broken = Vec::new();
    for (file, text) in texts("src/cli/render", &["rs"]) {
        for (number, line) in code(&text) {
            let up = commands.iter().find(|command| line.contains(&format!("crate::cli::{command}")));
            broken.extend(up.map(|command| format!("src/cli/render/{file}:{number}: it looks up to {command}")));
            if ["Sink::new", "walk::", ".walk(", ".cursor(", ".open("].iter().any(|word| line.contains(word)) {
                broken.push(format!("src/cli/render/{file}:{number}: walking belongs to ops"));
            }
        }
    }
    for (file, text) in texts("src", &["rs"]).into_iter().filter(|(file, _)| !is_tests(file)) {
        let walks = code(&text).find(|(_, line)| line.contains("Sink::new("));
        if let Some((number, _)) = walks.filter(|_| !file.starts_with("formats/") && file != "ops/walk.rs") {
            broken.push(format!("src/{file}:{number}: segments are walked by ops::walk"));
        }
    }
    demand(&broken);
}

#[test]
fn each_format_is_complete() {
    let test = |file: &str| fs::read_to_string(root().join("tests/it").join(file)).expect("it is there");
    let run = test("formats.rs") + &test("formats_systems.rs");
    let readme = fs::read_to_string(root().join("README.md")).expect("it is there");
    let mut broken = Vec::new();
    for format in walctl::formats::ALL {
        let name = format.name;
        let own = name == "native";
        let page =
            if own { "src/native/FORMAT.md".to_owned() } else { format!("src/formats/{}/FORMAT.md", name.replace('-', "_")) };
        if !root().join(&page).exists() {
            broken.push(format!("{page} is missing: draw the bytes, and say what is valid"));
        }
        let has = |folder: String| fs::read_dir(root().join(folder)).is_ok_and(|mut entries| entries.next().is_some());
        if !own && !run.contains(&format!("    run(\"{name}\"")) {
            broken.push(format!("no test of tests/it/formats.rs or formats_systems.rs runs the fixtures of {name}"));
        }
        if !has(format!("tests/fixtures/{name}")) {
            broken.push(format!("tests/fixtures/{name} is missing: bytes of the real writer"));
        }
        if !WITHOUT_CASES.contains(&name) && !has(format!("tests/cases/{name}")) {
            broken.push(format!("tests/cases/{name} is missing: what users see"));
        }
        if !readme.contains(&format!("| `{name}` |")) {
            broken.push(format!("README.md has no row for {name}"));
        }
    }
    demand(&broken);
}

#[test]
fn the_library_knows_no_flag() {
    let (mut broken, mut used) = (Vec::new(), BTreeSet::new());
    for (file, text) in texts("src", &["rs"]) {
        if file.starts_with("cli/") || file == "main.rs" || is_tests(&file) {
            continue;
        }
        for (number, line) in code(&text) {
            let flag = line.match_indices("--").any(|(at, _)| line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase()));
            if !flag || !line.contains('"') && !line.trim_end().ends_with('\\') {
                continue;
            }
            match FLAGGED.iter().find(|(from, _)| file.starts_with(from)) {
                Some((from, _)) => drop(used.insert(*from)),
                None => broken.push(format!("src/{file}:{number}: flags are cli's: {}", line.trim())),
            }
        }
    }
    let stale = FLAGGED.iter().filter(|(from, _)| !used.contains(from));
    broken.extend(stale.map(|(from, _)| format!("src/{from} names no flag any more: take it from the list")));
    demand(&broken);
}

#[test]
fn no_source_holds_a_control_character() {
    let mut broken = Vec::new();
    for folder in ["src", "tests/it", "benches", "examples"] {
        for (file, text) in texts(folder, &["rs", "md"]) {
            let odd = text.lines().position(|line| line.chars().any(|c| c.is_control() && c != '\t'));
            broken.extend(odd.map(|line| format!("{folder}/{file}:{}: write it as an escape", line + 1)));
        }
    }
    demand(&broken);
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut broken = Vec::new();
    for (file, text) in texts("src", &["rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let begins = code.split("fn ").next().is_some_and(|before| {
                code.contains("fn ")
                    && before.split_whitespace().all(|w| matches!(w, "const" | "unsafe" | "extern") || w.starts_with("pub"))
            });
            if !begins || line.ends_with([';', '}']) {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let length = lines[at..].iter().position(|line| *line == end).map_or(0, |length| length + 1);
            if length > LONGEST_FUNCTION {
                broken.push(format!("src/{file}:{}: {length} lines, {LONGEST_FUNCTION} are allowed: {code}", at + 1));
            }
        }
    }
    demand(&broken);
}

#[test]
fn no_type_name_is_declared_twice() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in texts("src", &["rs"]) {
        if is_tests(&file) {
            continue;
        }
        for (number, line) in code(&text) {
            let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
            let (Some("struct" | "enum" | "trait" | "union"), Some(name)) = (words.next(), words.next()) else { continue };
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let per_format = file.starts_with("formats/") && ONE_A_FORMAT.contains(&name);
            if !per_format {
                places.entry(name.to_owned()).or_default().push(format!("src/{file}:{number}"));
            }
        }
    }
    let twice = places.iter().filter(|(_, at)| at.len() > 1);
    demand(&twice.map(|(name, at)| format!("{name}: {}", at.join(", "))).collect::<Vec<_>>());
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
            let usual = if is_tests(&file) || folder == "tests/it" { LONGEST_OF_TESTS } else { LONGEST };
            let limit = LONGER.iter().find(|(name, _)| *name == path).map_or(usual, |(_, limit)| *limit);
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
            // A path in one of the pages for people leads somewhere, unless it is a pattern.
            let paths = line.split('`').skip(1).step_by(2).filter(|_| page.ends_with(".md") && !page.contains('/'));
            for path in paths.filter(|path| path.starts_with("src/") || path.starts_with("tests/")) {
                let pattern = path.contains(['*', ' ', '(', '<']) || path.contains("NAME");
                if !pattern && page != "CHANGELOG.md" && !root().join(path).exists() {
                    broken.push(format!("{page}:{}: there is no {path}", number + 1));
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
    // A quarter of that when it is packed: most of it are other systems' files, and each of them earns its place in a test.
    assert!(bytes < 15 << 20, "the package has {bytes} bytes; who installs it downloads them all");
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
