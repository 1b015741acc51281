//! A run that `bench --json` printed, read back: to be shown another way, or held against rules, without measuring anything.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use walctl::bench::{
    BenchPlace, Cell, Cost, Doubt, Figures, FoundRate, Measured, Measurements, PARTS, PERCENTILES, Payloads, Probe, Room,
    Session, Spread, SyncWay, TriedRate,
};
use walctl::disk::Stream;
use walctl::model::Time;

use crate::cli::interrupt;
use crate::cli::render::escape;

/// A result is not longer.
const LONGEST: u64 = 16 << 20;
/// No group has more records.
const LARGEST_GROUP: usize = 1 << 20;

/// What stands in a file that `bench --json` printed.
pub fn value(doing: &'static str, path: &Path) -> anyhow::Result<Value> {
    use std::io::Read;
    let mut text = String::new();
    Stream::open(doing, path, interrupt::caught)?
        .take(LONGEST)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot {doing} {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| not_ours(path))
}

/// What is said of a file with anything else in it.
pub fn not_ours(path: &Path) -> String {
    format!("{} is nothing that `walctl bench --json` printed", path.display())
}

/// The whole run.
pub fn read(path: &Path) -> anyhow::Result<Session> {
    let value = value("read the run", path)?;
    session(&value).with_context(|| not_ours(path))
}

fn session(from: &Value) -> anyhow::Result<Session> {
    let measured = all(&from["cells"], |cell| Some(Measured { cell: settings(cell)?, figures: figures(cell)? }));
    let mut found = Session {
        made: text(&from["made"]).as_deref().and_then(Time::parse),
        version: text(&from["version"]).unwrap_or_default(),
        command: text(&from["command_line"]).unwrap_or_default(),
        place: place(&from["place"]),
        probe: Probe { costs: costs(&from["disk"])?, refused: words(&from["refused_ways"]) },
        after: Probe { costs: costs(&from["disk_after"])?, refused: Vec::new() },
        doubts: all(&from["doubts"], |doubt| {
            let (name, words) = (text(&doubt["name"])?.into(), text(&doubt["text"])?);
            Some(Doubt { name, grave: doubt["grave"].as_bool()?, words })
        })
        .context("its doubts are not complete")?,
        outcome: Measurements {
            measured: measured.context("its cells are not complete")?,
            rounds: from["rounds"]
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .context("it does not say how many rounds there were")?,
            interrupted: from["interrupted"].as_bool().context("it does not say whether it was interrupted")?,
            notes: words(&from["notes"]),
        },
        advice: None,
        targets: all(&from["targets"], target).context("its targets are not complete")?,
        took: from["seconds"].as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default(),
    };
    // What to set is said anew: an older version may have said what the figures do not bear out.
    if from["advice"].is_object() {
        found.conclude();
    }
    Ok(found)
}

/// Where a run took place.
pub fn place(from: &Value) -> BenchPlace {
    let part = |name: &str| text(&from[name]).unwrap_or_default();
    BenchPlace {
        dir: part("dir").into(),
        filesystem: part("filesystem"),
        mount_point: part("mount_point"),
        options: words(&from["options"]),
        source: part("source"),
        device: part("device"),
        model: part("model"),
        write_cache: part("write_cache"),
        spins: from["rotational"].as_bool(),
        kernel: part("kernel"),
        cpus: from["cpus"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
        ..BenchPlace::default()
    }
}

fn all<T>(from: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    from.as_array()?.iter().map(read).collect()
}

/// A text, safe to be shown: the file may come from anywhere.
fn text(from: &Value) -> Option<String> {
    from.as_str().map(escape::line)
}

fn words(from: &Value) -> Vec<String> {
    from.as_array().into_iter().flatten().filter_map(text).collect()
}

/// A figure over the repeats; `None` where a number is lacking. None is below zero, and bars count on that.
pub fn spread(from: &Value) -> Option<Spread> {
    let number = |name: &str| from[name].as_f64().filter(|n| n.is_finite() && *n >= 0.0);
    Some(Spread { median: number("median")?, min: number("min")?, max: number("max")? })
}

fn costs(from: &Value) -> anyhow::Result<Vec<Cost>> {
    let ways = || SyncWay::DURABLE.into_iter().chain([SyncWay::None]);
    let cost = |from: &Value| {
        Some(Cost {
            room: Room::ALL.into_iter().find(|room| from["room"] == room.name())?,
            way: ways().find(|way| from["way"] == way.name())?,
            bytes: usize::try_from(from["bytes"].as_u64()?).ok()?,
            median: spread(&from["ns"])?,
            p99: from["p99_ns"].as_u64()?,
            writes: usize::try_from(from["writes"].as_u64()?).ok()?,
        })
    };
    all(from, cost).context("what it says of the disk is not complete")
}

/// The settings of a cell. What was appended is known by its name alone.
fn settings(from: &Value) -> Option<Cell> {
    let count = |name: &str| usize::try_from(from[name].as_u64()?).ok();
    Some(Cell {
        appenders: count("appenders")?,
        payloads: Payloads::named(&text(&from["size"])?),
        sync: from["sync"].as_str()?.parse().ok()?,
        window: from["window"].as_str()?.parse().ok()?,
        preallocate: from["preallocate"].as_str()?.parse().ok()?,
        direct: from["direct"].as_bool()?,
        buffered: from["buffered"].as_bool()?,
        inflight: count("inflight")?,
        rate: from["rate"].as_f64(),
    })
}

fn figures(from: &Value) -> Option<Figures> {
    let named = |name: &str| spread(&from["figures"][name]);
    let mut groups = Vec::new();
    for (size, count) in from["groups_by_size"].as_object()? {
        let size = size.parse::<usize>().ok().filter(|size| *size <= LARGEST_GROUP)?;
        groups.resize(groups.len().max(size + 1), 0);
        groups[size] = count.as_u64()?;
    }
    let mut figures = Figures {
        distribution: distribution(&from["appends_by_ns"])?,
        over_time: over_time(&from["rate_over_time"])?,
        repeats: usize::try_from(from["repeats"].as_u64()?).ok()?,
        rate: named("rate")?,
        bytes: named("bytes")?,
        syncs: named("syncs")?,
        amortization: named("acks-per-sync")?,
        latency: [Spread::flat(0.0); PERCENTILES.len()],
        parts: [Spread::flat(0.0); PARTS.len()],
        cpu: named("cpu")?,
        amplification: named("amplification"),
        groups,
        lacking: from["lacking_count"].as_u64()?,
    };
    for (spread, (name, _)) in figures.latency.iter_mut().zip(PERCENTILES) {
        *spread = named(name)?;
    }
    for (spread, part) in figures.parts.iter_mut().zip(PARTS) {
        *spread = named(&format!("mean-{part}"))?;
    }
    Some(figures)
}

/// How many appends took how long; nothing in runs of older versions.
fn distribution(from: &Value) -> Option<Vec<(u64, u64)>> {
    let step = |(upper, count): (&String, &Value)| Some((upper.parse().ok()?, count.as_u64()?));
    let mut steps: Vec<(u64, u64)> = from.as_object().into_iter().flatten().map(step).collect::<Option<_>>()?;
    steps.sort_unstable();
    Some(steps)
}

/// The rate in parts of each repeat; nothing in runs of older versions.
fn over_time(from: &Value) -> Option<Vec<Vec<f64>>> {
    let rate = |from: &Value| from.as_f64().filter(|n| n.is_finite() && *n >= 0.0);
    from.as_array().into_iter().flatten().map(|repeat| repeat.as_array()?.iter().map(rate).collect()).collect()
}

fn target(from: &Value) -> Option<FoundRate> {
    let step = |from: &Value| {
        let number = |name: &str| from[name].as_f64().filter(|n| n.is_finite());
        let (rate, reached, latency) = (number("rate")?, number("reached_rate")?, number("latency_ns")?);
        Some(TriedRate { rate, reached, latency, kept: from["sustained"].as_bool()? })
    };
    Some(FoundRate { cell: settings(&from["cell"])?, rate: from["rate"].as_f64(), steps: all(&from["steps"], step)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_run_is_refused_and_takes_no_memory_by_what_it_says() {
        let whole =
            r#"{"place":{},"disk":[],"disk_after":[],"doubts":[],"cells":[],"targets":[],"rounds":1,"interrupted":false}"#;
        let parse = |text: &str| session(&serde_json::from_str(text).expect("it is JSON"));
        assert!(parse(whole).is_ok());
        for lacking in ["disk", "disk_after", "doubts", "cells", "targets", "rounds", "interrupted"] {
            let mut value: Value = serde_json::from_str(whole).expect("it is JSON");
            value.as_object_mut().expect("an object").remove(lacking);
            assert!(session(&value).is_err(), "{lacking}");
        }
        for wrong in [r#""cells":[{}]"#, r#""targets":[1]"#, r#""doubts":[{"name":1}]"#, r#""disk":[{"room":"attic"}]"#] {
            let name = wrong.split(':').next().expect("it has a name");
            assert!(parse(&whole.replacen(&format!("{name}:[]"), wrong, 1)).is_err(), "{wrong}");
        }
        let groups = serde_json::json!({"groups_by_size": {"99999999999": 1}});
        assert!(figures(&groups).is_none());
    }
}
