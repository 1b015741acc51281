//! `walctl bench` believes itself: over made-up runs, what comes first, the table, the advice, the page and the JSON never contradict
//! each other. A failure names the seed of the run.

use std::fs;

use serde_json::{Value, json};

use crate::support::medium::Coin;
use crate::support::sandbox::{Ran, Sandbox, browsed, installed};

const RUNS: u64 = 120;
const SETTINGS: [(&str, &str, &str, bool); 6] = [
    ("fdatasync", "auto", "zero", false),
    ("fdatasync", "0", "zero", false),
    ("fdatasync", "2ms", "zero", false),
    ("dsync", "auto", "zero", true),
    ("fdatasync", "auto", "none", false),
    ("none", "auto", "zero", false),
];

/// A number from 0 to 1.
fn any(coin: &mut Coin) -> f64 {
    coin.below(10_001) as f64 / 10_000.0
}

fn between(coin: &mut Coin, least: f64, most: f64) -> f64 {
    least * (most / least).powf(any(coin))
}

/// Median, smallest and largest of repeats that lie as far apart as `noise` says.
fn spread(coin: &mut Coin, middle: f64, noise: f64) -> Value {
    let (down, up) = (1.0 + noise * any(coin), 1.0 + noise * any(coin));
    json!({"median": middle, "min": middle / down, "max": middle * up})
}

fn cost(coin: &mut Coin, room: &str, way: &str, sync: f64) -> Value {
    let middle = sync * between(coin, 0.5, 2.0);
    json!({"room": room, "way": way, "bytes": 4096, "ns": spread(coin, middle, 0.5), "p99_ns": (middle * 3.0) as u64, "writes": 50})
}

fn disk(coin: &mut Coin, sync: f64) -> Value {
    let mut costs = Vec::new();
    for (room, way) in [("zero", "fdatasync"), ("extend", "fdatasync"), ("zero", "O_DSYNC"), ("zero", "O_DIRECT+fdatasync")] {
        if way == "fdatasync" || coin.below(2) == 0 {
            costs.push(cost(coin, room, way, sync));
        }
    }
    costs.into()
}

fn cell(coin: &mut Coin, appenders: u64, setting: (&str, &str, &str, bool), sync: f64, quirks: (f64, u64)) -> Value {
    let (sync_mode, window, preallocate, direct) = setting;
    let (noise, repeats) = quirks;
    let per_sync = (appenders as f64 * between(coin, 0.4, 1.0)).max(1.0);
    let syncs = 1e9 / sync * between(coin, 0.3, 4.0);
    let rate = syncs * per_sync;
    let mut figures = json!({"rate": spread(coin, rate, noise), "syncs": spread(coin, syncs, noise)});
    for (name, value) in [("bytes", rate * 128.0), ("acks-per-sync", per_sync), ("cpu", 1e4)] {
        figures[name] = spread(coin, value, 0.1);
    }
    let slow = between(coin, 1.0, 30.0);
    for (name, times) in [("p50", 1.0), ("p90", 2.0), ("p99", slow), ("p99.9", slow * 2.0), ("max", slow * 3.0)] {
        figures[name] = spread(coin, sync * times, noise);
    }
    for part in ["queue", "window", "write", "sync", "wake"] {
        let middle = sync * any(coin);
        figures[format!("mean-{part}")] = spread(coin, middle, noise);
    }
    let direct_flag = if direct { " --direct" } else { "" };
    let counts: Vec<u64> = (0..3).map(|_| coin.below(1000) as u64 + 1).collect();
    json!({
        "key": format!("{appenders} x 128 --sync {sync_mode} --window {window} --preallocate {preallocate}{direct_flag}"),
        "appenders": appenders, "size": "128", "sync": sync_mode, "window": window, "preallocate": preallocate, "direct": direct,
        "buffered": false, "inflight": 1, "rate": null, "durable": sync_mode != "none", "repeats": repeats, "figures": figures,
        "groups_by_size": {"1": 5, (per_sync as u64 + 1).to_string(): 9},
        "appends_by_ns": {"1000": counts[0], "20000": counts[1], "3000000": counts[2]},
        "rate_over_time": vec![vec![rate, rate * 0.5, 0.0]; repeats as usize], "lacking_count": 0,
    })
}

/// A run that never took place.
fn made_up(seed: u64) -> Value {
    let mut coin = Coin::new(seed);
    let coin = &mut coin;
    let sync = between(coin, 2e4, 2e7);
    let noise = [0.02, 0.2, 0.4, 2.0][coin.below(4)];
    let repeats = [1, 2, 3, 5, 9][coin.below(5)];
    // Some settings are left out, the defaults among them.
    let settings: Vec<_> = SETTINGS.into_iter().filter(|_| coin.below(3) > 0).collect();
    let mut cells = Vec::new();
    for appenders in [1, 16, 64] {
        for setting in &settings {
            cells.push(cell(coin, appenders, *setting, sync, (noise, repeats)));
        }
    }
    let grave = coin.below(6) == 0;
    let doubts = if grave { json!([{"name": "memory", "grave": true, "text": "it lies in memory"}]) } else { json!([]) };
    json!({
        "schema": "walctl.bench/1", "made": "2026-01-31T09:30:00.000000Z", "version": "0.0.1", "command_line": "walctl bench /srv",
        "place": {"dir": "/srv", "filesystem": "ext4", "device": "sda", "cpus": 2, "kernel": "6.1", "options": ["rw"]},
        "disk": disk(coin, sync), "disk_after": disk(coin, sync), "refused_ways": [], "trusted": !grave, "doubts": doubts,
        "cells": cells, "rounds": repeats, "interrupted": false, "notes": [], "targets": [], "seconds": 1.0,
        // What an older version said is not repeated.
        "advice": {"headline": "nothing beats the defaults: set nothing", "flags": "", "reasons": ["try `--preallocate none`"]},
    })
}

/// `12.2K` as a number.
fn number(text: &str) -> f64 {
    let (digits, times) = match text.strip_suffix('K') {
        Some(digits) => (digits, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    digits.parse::<f64>().unwrap_or_else(|why| panic!("{text}: {why}")) * times
}

fn median(cell: &Value, figure: &str) -> f64 {
    cell["figures"][figure]["median"].as_f64().expect("it was made")
}

/// The flags of a cell that are not the defaults, as they are typed.
fn changes(cell: &Value) -> String {
    let mut flags = Vec::new();
    for (name, default) in [("sync", "fdatasync"), ("window", "auto"), ("preallocate", "zero")] {
        if cell[name] != default {
            flags.push(format!("--{name} {}", cell[name].as_str().expect("text")));
        }
    }
    if cell["direct"] == true {
        flags.push("--direct".into());
    }
    flags.join(" ")
}

/// The run, and everything that was said about it.
struct Said {
    cells: Vec<Value>,
    text: String,
    again: Value,
    page: String,
}

impl Said {
    fn of(sandbox: &Sandbox, seed: u64) -> Said {
        let run = made_up(seed);
        fs::write(sandbox.path().join("run.json"), run.to_string()).expect("there is room");
        let show = |more: &[&str]| -> Ran { sandbox.run(&[&["bench", "--show", "run.json"], more].concat()) };
        let (text, again) = (show(&["--html", "a.html"]), show(&["--json"]));
        assert_eq!((text.code, again.code), (0, 0), "{text:?} {again:?}");
        let page = fs::read_to_string(sandbox.path().join("a.html")).expect("it was written");
        let again = serde_json::from_str(&again.stdout).expect("it is JSON");
        Said { cells: run["cells"].as_array().expect("cells").clone(), text: text.stdout, again, page }
    }

    fn advice(&self, part: &str) -> String {
        self.again["advice"][part].as_str().expect("it is told").to_owned()
    }

    fn reasons(&self) -> Vec<String> {
        let all = self.again["advice"]["reasons"].as_array().expect("it is told");
        all.iter().map(|reason| reason.as_str().expect("text").to_owned()).collect()
    }

    fn first(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    fn durable(&self) -> impl Iterator<Item = &Value> {
        self.cells.iter().filter(|cell| cell["durable"] == true)
    }

    /// No flag is urged that the headline does not name, and none that it names is spoken against.
    fn advises_one_thing(&self) {
        let (headline, flags) = (self.advice("headline"), self.advice("flags"));
        assert_eq!(!flags.is_empty(), headline.contains(&format!("`{flags}`")) && !flags.is_empty(), "{headline}: {flags}");
        assert!(flags.is_empty() || !headline.contains("set nothing"), "{headline}: {flags}");
        assert_eq!(self.text.contains("\npaste: "), !flags.is_empty(), "{}", self.text);
        for reason in self.reasons() {
            assert!(!["try `", "use `", "set `"].iter().any(|urge| reason.contains(urge)), "{headline}: {reason}");
            let right = reason.starts_with("`--preallocate zero` (the default) is right");
            assert!(!(right && flags.contains("--preallocate")), "{flags}: {reason}");
            let named = reason
                .split('`')
                .skip(1)
                .step_by(2)
                .any(|name| name.starts_with("--") && name != "--window auto" && !headline.contains(&format!("`{name}`")));
            let told = ["closest: ", "worst: ", "with `"].iter().any(|begin| reason.starts_with(begin));
            assert!(!named || told || right, "{headline}: {reason}");
            if let Some((_, merged)) = reason.split_once("; `").filter(|(begin, _)| begin.starts_with("with `")) {
                let default = merged.starts_with("--window auto`")
                    || headline.contains(&format!("`{}`", merged.split('`').next().unwrap_or_default()));
                assert!(
                    default || merged.starts_with(&format!("{flags}`")) || merged.ends_with("no clear gain"),
                    "{flags}: {reason}"
                );
            }
        }
    }

    /// A gain is that of two cells in the table.
    fn gain_is_in_the_table(&self) {
        let (headline, flags) = (self.advice("headline"), self.advice("flags"));
        let Some((_, rest)) = headline.split_once("`: ") else { return };
        let gain = rest.split(' ').next().expect("a number").to_owned();
        let base = self.durable().find(|cell| changes(cell).is_empty()).or(self.durable().next()).map(changes).expect("a base");
        let found = self.durable().filter(|cell| changes(cell) == flags).any(|cell| {
            let other = self.durable().find(|other| changes(other) == base && other["appenders"] == cell["appenders"]);
            other.is_some_and(|other| format!("{:.2}", median(cell, "rate") / median(other, "rate")) == gain)
        });
        assert!(found, "no two cells have {gain}: {headline}");
    }

    /// Nothing that is shown is above what is called the most.
    fn at_most_is_the_most(&self) {
        let line = self.text.lines().find(|line| line.starts_with("disk: ")).expect("the disk was measured");
        let most = line.split_once("at most ").or(line.split_once("the most that was seen is ")).expect("it is told").1;
        let most = number(most.split(' ').next().expect("a number"));
        for cell in self.durable() {
            let alone = if cell["appenders"] == 1 { median(cell, "rate") } else { 0.0 };
            let seen = median(cell, "syncs").max(alone);
            assert!(seen <= most * 1.01, "{seen} a second is above {line}");
        }
    }

    /// What comes first is a figure of the table, or says why there is none.
    fn first_is_true(&self) {
        let keys: Vec<&str> = self.again["quotable_keys"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let distrusted = self.again["trusted"] == false;
        let noisy = self.again["steadiness"] == "too-noisy";
        if distrusted || noisy || self.durable().next().is_none() {
            assert!(keys.is_empty() && !self.text.contains("to quote"), "{}", self.text);
        }
        match self.first() {
            first if distrusted && self.durable().next().is_some() => {
                assert!(first.starts_with("DO NOT TRUST THIS DISK: "), "{first}")
            }
            first if noisy => {
                assert!(first.starts_with("TOO NOISY TO MEASURE: "), "{first}");
                let next = self.text.lines().find(|line| line.starts_with("next: ")).expect("how to repeat is told");
                assert!(next.ends_with("walctl bench /srv --duration 3s --repeats 9"), "{next}");
            }
            first if keys.is_empty() => assert!(first.starts_with("/srv: "), "{first}"),
            first => {
                let quoted = self.cells.iter().find(|cell| cell["key"] == keys[0]).expect("it is in the table");
                let flags = self.advice("flags");
                let base = self.durable().find(|cell| changes(cell).is_empty()).or(self.durable().next()).map(changes);
                assert_eq!(Some(changes(quoted)), if flags.is_empty() { base } else { Some(flags) }, "{first}");
                let figure = first.strip_prefix("to quote: ").and_then(|rest| rest.split(' ').next()).expect("a figure");
                let told = median(quoted, "rate");
                assert!((number(figure) / told - 1.0).abs() < 0.01, "{first}: {told}");
            }
        }
        if noisy {
            assert_eq!(self.advice("flags"), "", "a noisy machine is no reason to set anything");
        }
    }

    /// The page says the same.
    fn page_is_alike(&self) {
        let plain = self.page.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&amp;", "&");
        assert!(plain.contains(&format!("<strong>{}</strong>", self.advice("headline"))) || self.cells.is_empty(), "{plain}");
        for reason in self.reasons().iter().filter(|_| !self.cells.is_empty()) {
            assert!(plain.contains(&format!("<li>{reason}</li>")), "{reason}");
        }
        if let Some((verdict, words)) = self.first().split_once(": ").filter(|(verdict, _)| *verdict != "/srv") {
            assert!(plain.contains(&format!("<strong>{}</strong>", verdict.to_lowercase())) && plain.contains(words), "{words}");
        }
    }
}

#[test]
fn over_made_up_runs_nothing_that_is_said_contradicts_the_rest() {
    let sandbox = Sandbox::new();
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 1..=RUNS {
        let said = Said::of(&sandbox, seed);
        let checked = std::panic::catch_unwind(|| {
            said.advises_one_thing();
            said.gain_is_in_the_table();
            said.at_most_is_the_most();
            said.first_is_true();
            said.page_is_alike();
        });
        assert!(checked.is_ok(), "seed {seed}:\n{}", said.text);
        kinds.insert((said.again["steadiness"].to_string(), said.advice("flags").is_empty(), said.again["trusted"].to_string()));
    }
    assert!(kinds.len() >= 8, "the runs are of many kinds: {kinds:?}");
}

#[test]
fn the_page_has_where_when_and_how_it_was_measured() {
    let sandbox = Sandbox::new();
    let run = (1..).map(made_up).find(|run| run["cells"].as_array().is_some_and(|cells| cells.len() > 9)).expect("there is one");
    fs::write(sandbox.path().join("run.json"), run.to_string()).expect("there is room");
    assert_eq!(sandbox.run(&["bench", "--show", "run.json", "--html", "a.html", "--svg", "a.svg", "--quiet"]).code, 0);
    let read = |name: &str| fs::read_to_string(sandbox.path().join(name)).expect("it was written");
    fs::write(sandbox.path().join("notes"), "my notes").expect("there is room");
    for flag in ["--html", "--svg"] {
        let over = |more: &[&str]| sandbox.run(&[&["bench", "--show", "run.json", "--quiet", flag, "notes"], more].concat()).code;
        assert_eq!((over(&[]), read("notes").as_str()), (2, "my notes"), "only its own files are written over");
        assert_eq!((over(&["--overwrite"]), over(&[])), (0, 0));
        fs::write(sandbox.path().join("notes"), "my notes").expect("there is room");
    }
    let page = read("a.html");
    for words in [
        "2026-01-31T09:30:00.000000Z",
        "<dd>0.0.1</dd>",
        "walctl bench /srv",
        "<dt>trust</dt>",
        "<dt>noise</dt>",
        "<dt>disk</dt><dd>sda",
        "prefers-color-scheme: dark",
        "name=\"viewport\"",
        "Content-Security-Policy",
        "<h2>The disk by itself</h2>",
    ] {
        assert!(page.contains(words), "the page lacks {words}");
    }
    for text in [page, read("a.svg")] {
        for words in [
            "Durable appends a second",
            "appends a second, logarithmic",
            "What more appenders bring",
            "appenders, logarithmic",
            "Latency, 16 x 128",
            "time from the call to the acknowledgement, logarithmic",
            "Where the time goes, 64 x 128",
            "Rate over time, 1 x 128",
            "<circle class=\"dot",
            "<title>16 x 128, ",
            "<title>queue: ",
        ] {
            assert!(text.contains(words), "no {words}");
        }
    }
}

#[test]
#[ignore = "slow: starts a browser"]
fn a_browser_shows_the_page_in_the_width_of_a_phone() {
    if !installed("chromium") {
        return;
    }
    let sandbox = Sandbox::new();
    for seed in [1, 2, 3] {
        fs::write(sandbox.path().join("run.json"), made_up(seed).to_string()).expect("there is room");
        sandbox.run(&["bench", "--show", "run.json", "--html", "a.html", "--quiet"]);
        let frame = "<iframe id=f src=a.html style='width:390px;height:800px;border:0'></iframe><pre id=o></pre><script>onload=()=>{let \
                     p=f.contentDocument,w=p.documentElement,out=[...p.querySelectorAll('svg text')].filter(t=>{let b=t.getBBox(),v=\
                     t.ownerSVGElement.viewBox.baseVal;return b.x<-1||b.x+b.width>v.width+1||b.y+b.height>v.height+1}).map(t=>t.textContent);\
                     o.textContent='widths '+w.scrollWidth+' '+w.clientWidth+' charts '+p.querySelectorAll('svg.chart').length+' outside ['+\
                     out.join('|')+']'}</script>";
        fs::write(sandbox.path().join("frame.html"), frame).expect("there is room");
        let shown = browsed(&sandbox, "frame.html");
        let (_, said) = shown.split_once("widths ").expect("the frame was measured");
        let words: Vec<&str> = said.split([' ', '<']).collect();
        assert_eq!(words[0], words[1], "nothing is wider than the screen: {said}");
        assert!(words[3].parse::<usize>().is_ok_and(|charts| charts > 5), "{said}");
        assert!(said.contains("outside []"), "every word of a chart lies within it: {said}");
    }
}
