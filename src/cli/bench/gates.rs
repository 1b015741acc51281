//! `--baseline` and `--fail-if`: what an earlier run printed, read again, and rules held against it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use walctl::bench::{BenchPlace, Measured, Measurements, Rule, Ruling, Spread};
use walctl::disk::Stream;

use crate::cli::exit::{CommandFailure, Exit};
use crate::cli::interrupt;
use crate::cli::render::bench::json;
use crate::cli::render::out::Out;

/// An earlier run.
#[derive(Debug, Default)]
pub struct Baseline {
    place: BenchPlace,
    /// Figures by the key of their cell and their name.
    figures: BTreeMap<String, BTreeMap<String, Spread>>,
}

/// A result is not longer.
const LONGEST: u64 = 16 << 20;

/// Reads what `bench --json` printed.
pub fn read(path: &Path) -> anyhow::Result<Baseline> {
    use std::io::Read;
    let mut text = String::new();
    Stream::open("read the baseline", path, interrupt::caught)?
        .take(LONGEST)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read the baseline {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is nothing that `walctl bench --json` printed", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Baseline> {
    let value: Value = serde_json::from_str(text)?;
    let cells = value["cells"].as_array().context("there are no cells")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = &value["place"];
    let options = place["options"].as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default();
    let mut baseline = Baseline {
        place: BenchPlace {
            filesystem: text(&place["filesystem"]),
            options,
            device: text(&place["device"]),
            model: text(&place["model"]),
            write_cache: text(&place["write_cache"]),
            kernel: text(&place["kernel"]),
            cpus: usize::try_from(place["cpus"].as_u64().unwrap_or(0))?,
            ..BenchPlace::default()
        },
        figures: BTreeMap::new(),
    };
    for cell in cells {
        let key = cell["key"].as_str().context("a cell has no key")?;
        let mut figures = BTreeMap::new();
        for (name, spread) in cell["figures"].as_object().context("a cell has no figures")? {
            let number = |field: &str| spread[field].as_f64().filter(|n| n.is_finite());
            if let (Some(median), Some(min), Some(max)) = (number("median"), number("min"), number("max")) {
                figures.insert(name.clone(), Spread { median, min, max });
            }
        }
        baseline.figures.insert(key.to_owned(), figures);
    }
    Ok(baseline)
}

/// Refuses to compare what cannot be compared, unless told.
pub fn refuse_unlike(baseline: &Baseline, place: &BenchPlace, told: bool) -> anyhow::Result<()> {
    let unlike = place.unlike(&baseline.place);
    if told || unlike.is_empty() {
        return Ok(());
    }
    Err(CommandFailure {
        exit: Exit::Failed,
        message: format!("the baseline is from another kind of machine: {}", unlike.join("; ")),
        next: Some("measure a baseline here: walctl bench --json > run.json; or compare all the same with --unlike".into()),
    }
    .into())
}

/// Holds the rules against every cell; the worst counts.
pub fn hold(rules: &[Rule], baseline: Option<&Baseline>, outcome: &Measurements, out: &mut Out) -> anyhow::Result<Exit> {
    let (mut broken, mut compared) = (Vec::new(), 0);
    for rule in rules {
        for measured in &outcome.measured {
            let before = baseline.map(|b| b.figures.get(&measured.cell.key()));
            if rule.is_relative() && before.flatten().is_none() {
                continue;
            }
            let Some(now) = figure(measured, &rule.figure) else { continue };
            compared += 1;
            match rule.rule(&now, before.flatten().and_then(|figures| figures.get(&rule.figure))) {
                Ruling::Kept => {}
                Ruling::Noise(words) => {
                    out.note(format!("{}: {words}; repeats overlap, so it is not held against it", measured.cell.key()))
                }
                Ruling::Broken(words) => broken.push(format!("{}: {words}", measured.cell.key())),
            }
        }
    }
    if !rules.is_empty() && compared == 0 {
        let message = "no cell of this run has a counterpart in the baseline: nothing was compared".to_owned();
        return Err(CommandFailure { exit: Exit::Failed, message, next: Some("run both with the same flags".into()) }.into());
    }
    if broken.is_empty() {
        return Ok(Exit::Done);
    }
    let next = Some("run it again before believing it: a disk has bad minutes".into());
    Err(CommandFailure { exit: Exit::GateMissed, message: broken.join("; "), next }.into())
}

fn figure(measured: &Measured, name: &str) -> Option<Spread> {
    json::figures(&measured.figures).into_iter().find(|(n, _)| n == name).map(|(_, spread)| spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_read_and_junk_is_refused() {
        let text = r#"{"place": {"filesystem": "ext4", "cpus": 2, "options": ["rw"]},
            "cells": [{"key": "k", "figures": {"p99": {"median": 2, "min": 1, "max": 3}, "odd": 1}}]}"#;
        let baseline = parse(text).expect("it is a result");
        assert_eq!(baseline.figures["k"]["p99"], Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert!(refuse_unlike(&baseline, &baseline.place, false).is_ok());
        let other = BenchPlace { filesystem: "xfs".into(), cpus: 2, options: vec!["rw".into()], ..BenchPlace::default() };
        assert!(refuse_unlike(&baseline, &other, false).is_err() && refuse_unlike(&baseline, &other, true).is_ok());
        for junk in ["", "{}", "[]", r#"{"cells": [{}]}"#, r#"{"cells": [{"key": "k"}]}"#] {
            assert!(parse(junk).is_err(), "{junk}");
        }
    }
}
