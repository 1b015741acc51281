//! Completions and manual pages are what the binary would write, and work in real shells.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::sandbox::{Sandbox, finish, have};

fn files(dir: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeMap::new() };
    let read = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).expect("it is text"))
    };
    entries.map(|entry| read(entry.expect("the folder can be listed"))).collect()
}

fn checked_in_is_generated(what: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(what);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["generate", what, "new"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (new, old) = (files(&sandbox.path().join("new")), files(&folder));
    if new == old {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).expect("the repository can be written to");
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            fs::remove_file(folder.join(name)).expect("the repository can be written to");
        }
        for (name, text) in new {
            // Whole at once: another test, or another run, may be reading it.
            let half = root.join("target").join(format!("{name}.new-{}", std::process::id()));
            fs::write(&half, text).and_then(|()| fs::rename(&half, folder.join(name))).expect("the repository can be written to");
        }
        return;
    }
    let names: Vec<&String> = new.keys().chain(old.keys()).filter(|name| new.get(*name) != old.get(*name)).collect();
    panic!("{what}/ differs from what the binary writes: {names:?}\nrefresh it with: UPDATE=1 cargo test --test it generated");
}

/// What the binary writes, in a folder of its own: what is checked in may be written anew while it is read.
fn made(what: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["generate", what, "made"]).code, 0);
    let folder = sandbox.path().join("made");
    (sandbox, folder)
}

#[test]
fn the_completions_are_those_of_the_command_line() {
    checked_in_is_generated("completions");
}

#[test]
fn the_manual_is_that_of_the_command_line() {
    checked_in_is_generated("man");
}

#[test]
fn both_packages_hold_the_program_and_all_that_is_generated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // In the unpacked package stands what cargo made of it; beside it, what was written.
    let written = ["Cargo.toml.orig", "Cargo.toml"].map(|name| root.join(name));
    let written = written.iter().find(|path| path.is_file()).expect("the package has one");
    let cargo = fs::read_to_string(written).expect("it is text");
    for kind in ["[package.metadata.deb]", "[package.metadata.generate-rpm]"] {
        let (_, section) = cargo.split_once(&format!("\n{kind}\n")).expect("it is told what goes in");
        let (_, assets) = section.split_once("assets = [").expect("it has files");
        let assets = assets.split("\n]").next().unwrap_or_default();
        let sources: Vec<&str> = assets.lines().filter_map(|line| line.split('"').nth(1)).collect();
        for needed in [
            "target/release/walctl",
            "man/*.1",
            "completions/walctl.bash",
            "completions/_walctl",
            "completions/walctl.fish",
            "README.md",
            "docs/*.md",
        ] {
            assert!(sources.contains(&needed), "{kind} lacks {needed}");
        }
        for source in sources.iter().filter(|source| !source.starts_with("target/")) {
            let (folder, name) = source.rsplit_once('/').unwrap_or((".", source));
            let (begin, end) = name.split_once('*').unwrap_or((name, ""));
            let names = fs::read_dir(root.join(folder)).expect("the folder is there").filter_map(Result::ok);
            let found = names
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .any(|file| file.starts_with(begin) && file.ends_with(end));
            assert!(found, "{kind} names {source}, which is not there");
        }
    }
}

#[test]
fn generating_twice_gives_the_same_bytes() {
    let sandbox = Sandbox::new();
    for (what, dir) in [("man", "a"), ("man", "b"), ("completions", "c"), ("completions", "d")] {
        assert_eq!(sandbox.run(&["generate", what, dir]).code, 0);
    }
    assert_eq!(files(&sandbox.path().join("a")), files(&sandbox.path().join("b")));
    assert_eq!(files(&sandbox.path().join("c")), files(&sandbox.path().join("d")));
}

#[test]
fn the_manual_tells_every_exit_code_and_every_kind_of_damage() {
    let (_sandbox, man) = made("man");
    let pages = files(&man);
    let verify = &pages["walctl-verify.1"];
    for entry in &walctl::model::CATALOGUE {
        assert!(verify.contains(&entry.name.replace('-', r"\-")), "{}", entry.name);
    }
    for (name, page) in &pages {
        for code in [0, 1, 2, 3, 4, 5, 6, 7, 130] {
            assert!(page.contains(&format!("\\fB{code}\\fR")), "{name}: {code}");
        }
        assert!(!page.contains("generate"), "{name} tells of what is hidden");
        for section in ["EXAMPLES", "FILES", "ENVIRONMENT", "\"EXIT STATUS\""] {
            let (_, rest) = page.split_once(&format!(".SH {section}\n")).unwrap_or_else(|| panic!("{name} has no {section}"));
            assert!(!rest.is_empty() && !rest.starts_with(".SH"), "{name}: {section} is empty");
        }
    }
}

#[test]
fn the_manual_formats_without_a_warning() {
    if !have("groff") {
        return;
    }
    let (_sandbox, man) = made("man");
    for name in files(&man).into_keys() {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(man.join(&name));
        let ran = finish(groff, b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{name}");
    }
}

fn completions(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name).display().to_string()
}

#[test]
fn bash_completes_commands_and_flags() {
    if !have("bash") {
        return;
    }
    let script = format!(
        "source '{}'\n\
         ask() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _walctl walctl \"${{COMP_WORDS[COMP_CWORD]}}\" \
         \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo \"${{COMPREPLY[@]}}\"; }}\n\
         ask walctl ver\nask walctl verify --js\nask walctl dump --color a",
        completions("walctl.bash")
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &script]);
    let ran = finish(bash, b"");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines, ["verify", "--json", "auto always"], "{ran:?}");
}

#[test]
fn fish_completes_commands_and_flags() {
    if !have("fish") {
        return;
    }
    let sandbox = Sandbox::new();
    let script = format!(
        "source '{}'; complete -C 'walctl ver'; complete -C 'walctl verify --js'; complete -C 'walctl dump --color a'",
        completions("walctl.fish")
    );
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c", &script]).env("HOME", sandbox.path()).current_dir(sandbox.path());
    let ran = finish(fish, b"");
    let words: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["verify", "--json", "always", "auto"], "{ran:?}");
}

#[test]
fn zsh_takes_the_completions_and_knows_the_commands() {
    if !have("zsh") {
        return;
    }
    let sandbox = Sandbox::new();
    // A real completion needs a terminal; here the function is loaded by the completion system, and lists what it would offer.
    let script = format!(
        "fpath=('{}' $fpath); autoload -Uz compinit && compinit -u -D && autoload -Uz _walctl && \
         echo ${{_comps[walctl]}} && (( $+functions[_walctl] )) && echo loaded && \
         _describe() {{ print -l -- ${{(P)2:-}} ${{(P)3:-}} ${{(P)4:-}} }} && _arguments() {{ : }} && \
         autoload +X _walctl && source '{}/_walctl' 2>/dev/null; _walctl_commands",
        completions(""),
        completions("")
    );
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-c", &script]).env("HOME", sandbox.path()).current_dir(sandbox.path());
    let ran = finish(zsh, b"");
    assert!(ran.stdout.starts_with("_walctl\nloaded\n"), "{ran:?}");
    assert!(ran.stdout.contains("verify:"), "{ran:?}");
}
