//! The public face of the library, as a page that changes only on purpose: `UPDATE=1 cargo test --test it api` rewrites it.
//!
//! It is gathered from the sources: what the crate's root exports, and each public function, field and variant in the files that declare it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The files that declare what the root exports.
const FACE: &[&str] = &[
    "src/log.rs",
    "src/options.rs",
    "src/reader.rs",
    "src/reader/bytes.rs",
    "src/reader/item.rs",
    "src/reader/iterate.rs",
    "src/model/error.rs",
    "src/model/lsn.rs",
    "src/model/keys.rs",
    "src/model/time.rs",
    "src/model/verdict.rs",
    "src/ops/report/verify.rs",
    "src/writer/counters.rs",
    "src/writer/frames.rs",
    "src/writer/group/ticket.rs",
    "src/writer/outcome.rs",
    "src/writer/retain.rs",
    "src/writer/retention.rs",
    "src/writer/sync.rs",
];

/// What is public in a file: its lines that begin with `pub`, with the lines that belong to an item that ends later, the variants of public
/// enums, and the setters that a macro makes.
fn public(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let (mut found, mut inside, mut setters): (Vec<String>, bool, bool) = (Vec::new(), false, false);
    let mut open: Option<String> = None;
    for line in text.lines() {
        let code = line.trim();
        if code.starts_with("//") || code.starts_with('#') {
            continue;
        }
        if let Some(begun) = &mut open {
            begun.push(' ');
            begun.push_str(code);
        } else if line.starts_with("setters! {") {
            setters = true;
        } else if (inside && line.starts_with("    ") && code != "}") || (setters && code.contains(") |")) {
            found.push(format!("    {}", code.split(" |").next().unwrap_or(code)));
        } else if code.starts_with("pub ") {
            open = Some(format!("{}{code}", " ".repeat(line.len() - line.trim_start().len())));
        }
        if let Some(begun) = open.take_if(|begun| begun.ends_with(['{', ';', ',', '}'])) {
            inside = begun.starts_with("pub enum");
            found.push(begun.trim_end_matches(['{', ' ', ',']).to_owned());
        }
        if line == "}" {
            (inside, setters) = (false, false);
        }
    }
    found
}

#[test]
fn the_public_face_is_as_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("it is in the repository");
    let mut page = String::from(
        "The public face of the library. Rewritten by UPDATE=1 cargo test --test it api; a line that goes or changes breaks programs.\n",
    );
    let map = read("src/lib.rs");
    let exports = map.lines().skip_while(|line| !line.starts_with("mod log;")).take_while(|line| !line.starts_with("///"));
    page.push('\n');
    exports.filter(|line| line.starts_with("pub ")).for_each(|line| writeln!(page, "{line}").expect("text takes text"));
    for file in FACE {
        writeln!(page, "\n# {file}\n").expect("text takes text");
        public(&read(file)).iter().for_each(|line| writeln!(page, "{line}").expect("text takes text"));
    }
    let kept = root.join("tests/api.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&kept, &page).expect("the repository can be written");
    }
    let before = fs::read_to_string(&kept).unwrap_or_default();
    let gone: Vec<&str> = before.lines().filter(|line| !page.lines().any(|now| now == *line)).collect();
    assert!(
        before == page,
        "the public face changed; gone or changed: {gone:#?}\nif that is meant: UPDATE=1 cargo test --test it api"
    );
}
