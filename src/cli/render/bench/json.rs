//! What `bench --json` prints: one object, with everything that was found.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use walctl::bench::{
    BenchPlace, Cell, Cost, CrashPlan, CrashVerdict, Figures, Measured, PARTS, PERCENTILES, Probe, Spread, is_split,
};

use super::text::share;
use crate::cli::render::out::Out;
use walctl::bench::Session;

/// All figures of a cell by their names, those of gates among them. Times are in nanoseconds.
pub fn figures(figures: &Figures) -> Vec<(String, Spread)> {
    let mut all = vec![
        ("rate".to_owned(), figures.rate),
        ("bytes".to_owned(), figures.bytes),
        ("syncs".to_owned(), figures.syncs),
        ("acks-per-sync".to_owned(), figures.amortization),
        ("cpu".to_owned(), figures.cpu),
    ];
    all.extend(figures.amplification.map(|a| ("amplification".to_owned(), a)));
    all.extend(PERCENTILES.iter().zip(figures.latency).map(|((name, _), spread)| ((*name).to_owned(), spread)));
    all.extend(PARTS.iter().zip(figures.parts).map(|(name, spread)| (format!("mean-{name}"), spread)));
    all
}

fn spread(spread: &Spread) -> Value {
    json!({"median": spread.median, "min": spread.min, "max": spread.max})
}

fn place(place: &BenchPlace) -> Value {
    json!({"dir": place.dir.display().to_string(), "filesystem": place.filesystem, "mount_point": place.mount_point,
        "options": place.options, "source": place.source, "device": place.device, "model": place.model,
        "write_cache": place.write_cache, "rotational": place.spins, "kernel": place.kernel, "cpus": place.cpus})
}

/// Load and settings of a cell.
fn settings(cell: &Cell) -> Value {
    json!({"key": cell.key(), "appenders": cell.appenders, "size": cell.payloads.name(), "sync": cell.sync.to_string(),
        "window": cell.window.to_string(), "preallocate": cell.preallocate.to_string(), "direct": cell.direct, "buffered": cell.buffered,
        "inflight": cell.inflight, "rate": cell.rate})
}

fn cell(found: &Session, measured: &Measured) -> Value {
    let cell = &measured.cell;
    let all: Map<String, Value> = figures(&measured.figures).iter().map(|(name, s)| (name.clone(), spread(s))).collect();
    let groups: Map<String, Value> = measured
        .figures
        .groups
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(size, count)| (size.to_string(), json!(count)))
        .collect();
    let figures = json!({"durable": cell.sync.promises(), "repeats": measured.figures.repeats,
        "figures": all, "groups": groups, "share_of_disk": share(found, measured), "noise": measured.figures.noise(),
        "two_cohorts": is_split(cell.appenders, measured.figures.amortization.median, &measured.figures.groups),
        "lacking": measured.figures.lacking});
    let both = [settings(cell), figures].into_iter().filter_map(|part| part.as_object().cloned());
    both.flatten().collect::<Map<String, Value>>().into()
}

fn costs(probe: &Probe) -> Vec<Value> {
    let one = |c: &Cost| {
        json!({"room": c.room.name(), "way": c.way.name(), "bytes": c.bytes, "ns": spread(&c.median), "p99_ns": c.p99,
            "writes": c.writes})
    };
    probe.costs.iter().map(one).collect()
}

/// Everything that a run found.
pub fn found(out: &mut Out, found: &Session) -> io::Result<()> {
    let doubts: Vec<Value> = found.doubts.iter().map(|d| json!({"name": d.name, "grave": d.grave, "words": d.words})).collect();
    let cells: Vec<Value> = found.outcome.measured.iter().map(|m| cell(found, m)).collect();
    let targets: Vec<Value> = found
        .targets
        .iter()
        .map(|t| {
            let steps: Vec<Value> = t
                .steps
                .iter()
                .map(|s| json!({"rate": s.rate, "reached": s.reached, "latency_ns": s.latency, "kept": s.kept}))
                .collect();
            json!({"key": t.cell.key(), "cell": settings(&t.cell), "rate": t.rate, "steps": steps})
        })
        .collect();
    let advice = found.advice.as_ref().map(|a| json!({"headline": a.headline, "flags": a.flags, "reasons": a.reasons}));
    let value = json!({"bench": 1, "place": place(&found.place), "disk": costs(&found.probe), "disk_after": costs(&found.after), "refused": found.probe.refused,
        "trusted": !found.doubts.iter().any(|d| d.grave), "doubts": doubts, "cells": cells, "rounds": found.outcome.rounds,
        "interrupted": found.outcome.interrupted, "notes": found.outcome.notes, "advice": advice, "targets": targets,
        "seconds": found.took.as_secs_f64()});
    writeln!(out, "{value}")
}

/// What a crash test found.
pub fn crash(out: &mut Out, where_: &BenchPlace, plan: &CrashPlan, verdict: &CrashVerdict) -> io::Result<()> {
    let value = json!({"bench": 1, "place": place(where_), "flags": plan.flags, "power": plan.image.is_some(),
        "crashes": verdict.crashes, "acknowledged": verdict.acknowledged, "lost": verdict.lost, "different": verdict.different,
        "torn": verdict.torn, "worse": verdict.worse, "findings": verdict.findings, "kept": verdict.is_kept()});
    writeln!(out, "{value}")
}
