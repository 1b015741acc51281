//! `--baseline` and `--fail-if`: what an earlier run printed, read again, and rules held against it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use walctl::bench::{BenchPlace, Measured, Measurements, Rule, Ruling, Spread};

use super::saved;
use crate::cli::exit::{CommandFailure, Exit};
use crate::cli::render::bench::json;
use crate::cli::render::out::Out;

/// An earlier run.
#[derive(Debug, Default)]
pub struct Baseline {
    place: BenchPlace,
    /// Figures by the key of their cell and their name.
    figures: BTreeMap<String, BTreeMap<String, Spread>>,
}

/// Reads what `bench --json` printed.
pub fn read(path: &Path) -> anyhow::Result<Baseline> {
    parse(&saved::value("read the baseline", path)?).with_context(|| saved::not_ours(path))
}

fn parse(value: &Value) -> anyhow::Result<Baseline> {
    let cells = value["cells"].as_array().context("there are no cells")?;
    let mut baseline = Baseline { place: saved::place(&value["place"]), figures: BTreeMap::new() };
    for cell in cells {
        let key = cell["key"].as_str().context("a cell has no key")?;
        let mut figures = BTreeMap::new();
        for (name, spread) in cell["figures"].as_object().context("a cell has no figures")? {
            if let Some(spread) = saved::spread(spread) {
                figures.insert(name.clone(), spread);
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
        let parse = |text: &str| parse(&serde_json::from_str(text).expect("it is JSON"));
        let baseline = parse(text).expect("it is a result");
        assert_eq!(baseline.figures["k"]["p99"], Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert!(refuse_unlike(&baseline, &baseline.place, false).is_ok());
        let other = BenchPlace { filesystem: "xfs".into(), cpus: 2, options: vec!["rw".into()], ..BenchPlace::default() };
        assert!(refuse_unlike(&baseline, &other, false).is_err() && refuse_unlike(&baseline, &other, true).is_ok());
        for junk in ["{}", "[]", r#"{"cells": [{}]}"#, r#"{"cells": [{"key": "k"}]}"#] {
            assert!(parse(junk).is_err(), "{junk}");
        }
    }
}
