//! The README's transcript and tables are true.

use std::fs;
use std::path::Path;

use walctl::formats::{ALL, Format};

use crate::support::sandbox::{Sandbox, finish};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is a README")
}

/// Whether the table under a heading has these rows. `UPDATE=1` makes it so.
fn demand_table(heading: &str, rows: &[Vec<String>]) {
    let text = readme();
    let (before, rest) = text.split_once(&format!("## {heading}\n")).expect("the section is there");
    let start = rest.find("|---|").expect("the section has a table");
    let start = start + rest[start..].find('\n').expect("a line ends") + 1;
    let end = start + rest[start..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum::<usize>();
    let expected: String = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    if rest[start..end] == expected {
        return;
    }
    let text = format!("{before}## {heading}\n{}{expected}{}", &rest[..start], &rest[end..]);
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "the table under `{heading}` should be\n{expected}refresh it with: UPDATE=1 cargo test --test it readme -- --test-threads 1"
    );
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), text).expect("the repository can be written to");
}

#[test]
fn the_transcript_is_what_a_terminal_shows() {
    let text = readme();
    let (_, transcript) = text.split_once("```console\n").expect("there is a transcript");
    let transcript = transcript.split("```").next().unwrap_or_default();
    let sandbox = Sandbox::new();
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in transcript.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push((command.to_owned(), String::new())),
            None => {
                let answer = &mut steps.last_mut().expect("it begins with a command").1;
                answer.push_str(line);
                answer.push('\n');
            }
        }
    }
    assert!(steps.len() >= 3, "a transcript shows more than {} commands", steps.len());
    for (command, answer) in steps {
        let ran = finish(sandbox.shell(&command), b"");
        assert_eq!(blind(&format!("{}{}", ran.stdout, ran.stderr)), blind(&answer), "$ {command}");
    }
}

#[test]
fn the_worked_example_of_the_format_page_is_a_log() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/native/FORMAT.md")).expect("there is a page");
    let (_, example) = page.split_once("# An example\n").expect("it has an example");
    let block = example.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("with bytes in it");
    let mut bytes = Vec::new();
    for line in block.lines() {
        let at = usize::from_str_radix(&line[..6], 16).expect("a line begins with its offset");
        bytes.resize(at, 0);
        bytes.extend(line[8..55].split(' ').filter_map(|byte| u8::from_str_radix(byte, 16).ok()));
    }
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path().join("wal")).expect("a folder can be made");
    fs::write(sandbox.path().join("wal/00000000000000000001.wal"), &bytes).expect("a file can be written");
    let verified = sandbox.run(&["verify", "wal", "--deep"]);
    assert_eq!((verified.code, bytes.len()), (0, 4192), "{}", verified.stdout);
    assert!(verified.stdout.contains("2 records, LSN 1-2"), "{}", verified.stdout);
    assert_eq!(sandbox.run(&["dump", "wal", "--raw"]).stdout, "hello\nworld!!!\n");
}

/// Without what differs from day to day: times.
fn blind(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        let is_time = word.len() >= 27 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T';
        out.push_str(if is_time { "TIME" } else { word.trim_end_matches(' ') });
    }
    out
}

#[test]
fn the_tables_are_those_of_the_program() {
    let help = Sandbox::new().run(&["--help"]).stdout;
    let (_, commands) = help.split_once("Commands:\n").expect("help lists commands");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in commands.lines().take_while(|line| !line.is_empty()) {
        match (line.strip_prefix("   "), rows.last_mut()) {
            // A sentence that is longer than a line goes on below.
            (Some(rest), Some(row)) => row[1] += &format!(" {}", rest.trim()),
            _ => {
                let (name, about) = line.trim().split_once(' ').expect("a command and what it does");
                rows.push(vec![format!("`{name}`"), about.trim().to_owned()]);
            }
        }
    }
    let commands = rows;
    demand_table("Commands", &commands);

    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/walctl.1")).expect("it is checked in");
    let (_, section) = page.split_once(".SH \"EXIT STATUS\"\n").expect("the manual has exit codes");
    let section = section.split(".PP").next().unwrap_or_default().replace("\\-", "-");
    let exits: Vec<Vec<String>> = section
        .split(".TP\n")
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (code, sentence) = entry.trim().split_once('\n').expect("a code and a sentence");
            vec![code.trim_start_matches("\\fB").trim_end_matches("\\fR").to_owned(), sentence.to_owned()]
        })
        .collect();
    assert_eq!(exits.len(), 9);
    demand_table("Exit codes", &exits);

    let cuts = |format: &Format| if format.mending.never().is_some() { "refuses" } else { "cuts" };
    let row = |format: &&Format| vec![format!("`{}`", format.name), format.title.to_owned(), cuts(format).to_owned()];
    demand_table("Formats", &ALL.iter().map(row).collect::<Vec<_>>());
}

/// What the line that installs prints is shown right below it. `UPDATE=1` writes it.
#[test]
fn the_demo_behind_the_install_line_prints_what_stands_below_it() {
    let text = readme();
    let (before, rest) = text.split_once("cargo install --locked --path . && ").expect("there is a line that installs");
    let (line, rest) = rest.split_once('\n').expect("a line ends");
    let (between, rest) = rest.split_once("```text\n").expect("what it prints stands below it");
    let (shown, after) = rest.split_once("```").expect("a block ends");
    assert!(between.len() < 80, "right below it: {between}");
    let ran = finish(Sandbox::new().shell(line), b"");
    if blind(shown) == blind(&ran.stdout) {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "it prints\n{}refresh it with: UPDATE=1 cargo test --test it readme",
        ran.stdout
    );
    let text = format!("{before}cargo install --locked --path . && {line}\n{between}```text\n{}```{after}", ran.stdout);
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), text).expect("the repository can be written to");
}

/// The library's example is that of its first page, which is compiled and run.
#[test]
fn the_library_is_shown_before_bench_and_as_on_its_own_page() {
    let text = readme();
    let (_, block) = text.split_once("```rust\n").expect("the library is shown");
    assert!(text.find("```rust") < text.find("$ walctl bench"), "it stands before bench");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("there is a library");
    let lines: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("//! ")).map(|line| line.replace("&dir", "\"wal\"")).collect();
    let code: Vec<&str> = block.split("```").next().unwrap_or_default().lines().filter(|line| !line.is_empty()).collect();
    assert!(code.len() > 8, "{code:?}");
    for line in code {
        assert!(lines.iter().any(|known| known == line), "not on the library's page: {line}");
    }
}

#[test]
fn it_says_how_to_install_and_to_test_in_two_commands() {
    let text = readme();
    let blocks: Vec<&str> = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    let first = "cargo install --locked --path . && printf 'alpha\\nbeta\\n' | walctl append wal && walctl verify wal";
    assert_eq!((blocks.first(), blocks.last()), (Some(&first), Some(&"cargo test")));
}
