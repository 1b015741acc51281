//! `verify --html` and `--markdown`: what is in the report, what is not, and what it is never written over.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::sandbox::{Sandbox, browsed, finish, installed};

const HURT: &str = "record alpha\nrecord TOP-SECRET-ONE\nflip @2+42 1\nrecord TOP-SECRET-TWO\nsegment\nrecord delta\nsegment\nrecord epsilon\n\
                    segment\nrecord zeta\nrecord eta\ncut 10\ndrop segment 3\n";

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path().join(name)).expect("the report was written")
}

/// Every tag that is opened is closed, in order, and there is none that could load or run anything.
fn demand_plain_page(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {piece}"));
        let name = tag.split([' ', '/', '\n']).find(|word| !word.is_empty()).unwrap_or_default();
        let known = [
            "!doctype", "!--", "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "code", "pre", "b", "i",
            "a", "br", "ul", "li", "dl", "dt", "dd", "div", "span", "section", "strong", "svg", "rect",
        ];
        assert!(known.contains(&name), "<{tag}>");
        assert!(
            !tag.contains("onload") && !tag.contains("src=") && (!tag.contains("href=") || tag.contains("href=\"#")),
            "<{tag}>"
        );
        match tag {
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "<{tag}>"),
            _ if tag.starts_with('!') || tag.ends_with('/') || ["meta", "br"].contains(&name) => {}
            _ => open.push(name),
        }
    }
    assert_eq!(open, [""; 0], "tags that are never closed");
}

#[test]
fn the_report_has_the_verdict_the_bytes_the_times_the_files_and_the_machine() {
    let sandbox = Sandbox::with(HURT);
    let ran = sandbox.run(&["verify", "LOG", "--html", "report.html", "--markdown", "report.md"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.stderr, "report written to report.html\nreport written to report.md\n");
    let (html, markdown) = (read(&sandbox, "report.html"), read(&sandbox, "report.md"));
    demand_plain_page(&html);
    let segment = "00000000000000000001.wal";
    let mut sum = Command::new("sha256sum");
    sum.arg(sandbox.path().join("LOG").join(segment));
    let sum = finish(sum, b"").stdout;
    let sum = sum.split(' ').next().expect("a sum comes first");
    assert_eq!(sum.len(), 64);
    for (what, page) in [("html", &html), ("markdown", &markdown)] {
        for said in [
            "corrupt",
            "missing-segment",
            "cut-short",
            "LSN 2",
            "written at 2023-11-14T22:13:20.000000Z",
            "57 4c 46 31",
            "walctl repair LOG --salvage LOG-salvaged",
            "walctl verify LOG --html report.html --markdown report.md",
            "Linux ",
            sum,
            segment,
        ] {
            assert!(page.contains(said), "{what} lacks `{said}`:\n{page}");
        }
    }
    let first = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(
        first("class=\"verdict bad\"") < first("What to do") && first("What to do") < first("class=\"damage\""),
        "verdict first"
    );
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("name=\"viewport\""));
    let clean = Sandbox::with("record alpha\n");
    assert_eq!(clean.run(&["verify", "LOG", "--html", "report.html", "--quiet"]).code, 0);
    assert!(read(&clean, "report.html").contains("class=\"verdict clean\""));
}

#[test]
fn payloads_are_not_in_it_unless_they_are_asked_for() {
    let sandbox = Sandbox::with(HURT);
    let secret = ["TOP-SECRET", "53 45 43 52", "SECRET"];
    for (page, file) in [("--html", "a.html"), ("--markdown", "a.md")] {
        sandbox.run(&["verify", "LOG", page, file]);
        let text = read(&sandbox, file);
        assert!(secret.iter().all(|secret| !text.contains(secret)) && text.contains("xx xx xx"), "{text}");
        sandbox.run(&["verify", "LOG", page, file, "--show-payloads"]);
        assert!(read(&sandbox, file).contains("53 45 43 52"));
    }
}

#[test]
fn names_and_words_from_outside_become_no_markup() {
    let sandbox = Sandbox::new();
    let name = "<script>alert(1)</script>&\"'`|[x](y)\x1b[31m";
    sandbox.log(&format!("{}/wal", name.replace('/', "∕")), HURT);
    let dir = name.replace('/', "∕");
    let ran = sandbox.run(&[
        "verify",
        &format!("{dir}/wal"),
        "nowhere<img src=x>",
        "--html",
        "a.html",
        "--markdown",
        "a.md",
        "--show-payloads",
    ]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let (html, markdown) = (read(&sandbox, "a.html"), read(&sandbox, "a.md"));
    demand_plain_page(&html);
    assert!(html.contains("&lt;script&gt;") && html.contains("nowhere&lt;img"), "{html}");
    for page in [&html, &markdown] {
        assert!(!page.contains('\x1b'), "nothing steers a terminal");
    }
    for line in markdown.lines().skip(1).filter(|line| !line.starts_with("    ")) {
        let plain = line.replace("\\`", "").replace("\\|", "").replace("\\[", "");
        assert!(!plain.contains('<') && !plain.contains("[x]("), "{line}");
    }
}

#[test]
fn only_its_own_reports_are_written_over() {
    let sandbox = Sandbox::with(HURT);
    let path = sandbox.path().join("notes.html");
    fs::write(&path, "my notes").expect("room");
    let ran = sandbox.run(&["verify", "LOG", "--html", "notes.html"]);
    let why = "walctl verify: notes.html is there and is no report of walctl; it is left alone\nnext: name another file, or write over this one: walctl verify LOG --html notes.html --overwrite\n";
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (2, "", why));
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "my notes");
    assert_eq!(sandbox.run(&["verify", "LOG", "--html", "notes.html", "--overwrite"]).code, 4);
    assert!(read(&sandbox, "notes.html").contains("corrupt"));
    // Now it is a report, and another one may take its place.
    assert_eq!(sandbox.run(&["verify", "LOG", "--html", "notes.html"]).code, 4);
    std::os::unix::fs::symlink("notes.html", sandbox.path().join("link.html")).expect("links can be made");
    assert_eq!(
        sandbox.run(&["verify", "LOG", "--html", "link.html", "--overwrite"]).code,
        2,
        "nothing is written through a link"
    );
    let gone = sandbox.run(&["verify", "LOG", "--html", "nowhere/a.html"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    let left: Vec<String> =
        sandbox.files(".").into_iter().map(|(name, _)| name).filter(|name| name.contains("unfinished")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn of_many_logs_those_with_damage_are_told_and_the_others_named() {
    let sandbox = Sandbox::new();
    sandbox.log("srv/a/wal", HURT);
    sandbox.log("srv/b/wal", "record alpha\n");
    sandbox.log("srv/c/wal", "record alpha\nrecord beta\ncut 10\n");
    assert_eq!(sandbox.run(&["verify", "srv", "--html", "a.html", "--quiet"]).code, 4);
    let html = read(&sandbox, "a.html");
    demand_plain_page(&html);
    assert!(html.contains("<title>2 of 3 logs are not clean</title>"), "{html}");
    assert!(html.contains("All is well in") && html.contains("<li>srv/b/wal: clean"), "{html}");
    assert_eq!(html.matches("class=\"verdict ").count(), 2);
    let ids = html.matches("id=\"damage-").count();
    for number in 1..=ids {
        assert_eq!(html.matches(&format!("id=\"damage-{number}\"")).count(), 1, "each piece has a number of its own");
    }
}

#[test]
fn ten_thousand_pieces_of_damage_and_many_segments_make_a_page_that_opens() {
    let sandbox = Sandbox::new();
    let mut recipe = String::new();
    for _ in 0..10_000 {
        recipe += "record a\nrecord b\n";
    }
    let dir = sandbox.log("LOG", &recipe);
    let path = dir.join("00000000000000000001.wal");
    let mut bytes = fs::read(&path).expect("it is there");
    let frame = (bytes.len() - 4096) / 20_000;
    (0..10_000).for_each(|index| bytes[4096 + (index * 2 + 1) * frame + 20] ^= 0x55);
    fs::write(&path, bytes).expect("room");
    let segments: String = (0..1000).map(|index| format!("record {index}\nsegment\n")).collect();
    sandbox.log("MANY", &segments);
    let begun = Instant::now();
    let ran = sandbox.run(&["verify", "LOG", "MANY", "--html", "a.html", "--markdown", "a.md", "--quiet"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
    for file in ["a.html", "a.md"] {
        let page = read(&sandbox, file);
        assert!(page.len() < 400_000, "{file} has {} bytes", page.len());
        assert!(page.contains("more; walctl verify --json lists all"), "{file} says that there is more");
    }
    demand_plain_page(&read(&sandbox, "a.html"));
}

#[test]
#[ignore = "slow: starts a browser"]
fn a_browser_shows_it_in_the_width_of_a_phone() {
    if !installed("chromium") {
        return;
    }
    let sandbox = Sandbox::with(HURT);
    sandbox.run(&["verify", "LOG", "--html", "a.html", "--quiet"]);
    // The page itself runs nothing, so it is looked at from the outside: in a frame as narrow as a phone, by a page that may.
    let frame = "<iframe id=f src=a.html style='width:390px;height:800px;border:0'></iframe><pre id=o></pre><script>onload=()=>{let \
                 d=f.contentDocument.documentElement;o.textContent='widths '+d.scrollWidth+' '+d.clientWidth+' damage '+\
                 f.contentDocument.querySelectorAll('.damage').length}</script>";
    fs::write(sandbox.path().join("frame.html"), frame).expect("room");
    let shown = browsed(&sandbox, "frame.html");
    let (_, said) = shown.split_once("widths ").expect("the frame was measured");
    let words: Vec<&str> = said.split([' ', '<']).collect();
    assert_eq!(words[0], words[1], "nothing is wider than the screen: {shown}");
    assert!(words[2] == "damage" && words[3] != "0", "{shown}");
}

#[test]
fn records_that_were_lost_and_accepted_are_counted_and_a_gap_marks_no_whole_segment() {
    let sandbox = Sandbox::with("record alpha\nsegment\nrecord beta\nrecord gamma\nsegment\nrecord delta\ndrop segment 2\n");
    let pages = ["verify", "LOG", "--html", "a.html", "--markdown", "a.md"];
    assert_eq!(sandbox.run(&pages).code, 4);
    for page in [read(&sandbox, "a.html"), read(&sandbox, "a.md")] {
        assert!(page.contains("1. missing-segment behind it: LSN 2-3, up to 2 records"), "{page}");
    }
    let row = |page: &str| page.lines().find(|line| line.contains("---#")).expect("a segment is drawn").to_owned();
    assert!(!row(&read(&sandbox, "a.md")).contains('X'), "no byte of the segment before the gap is damaged");
    assert_eq!(sandbox.run(&["repair", "LOG", "--accept-hole", "2..3", "--yes"]).code, 0);
    assert_eq!(sandbox.run(&pages).code, 0);
    for page in [read(&sandbox, "a.html"), read(&sandbox, "a.md")] {
        assert!(page.contains("Up to 2 records (LSN 2-3) were lost, and the loss was accepted."), "{page}");
        assert!(!page.contains("none is missing") && !page.contains("No record is known to be missing"), "{page}");
    }
}
