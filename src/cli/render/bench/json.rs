//! What `bench --json` prints: one object, with everything that was found.

use std::io::{self, Write};

use walctl::bench::{
    Advice, BenchPlace, Cell, Cost, CrashPlan, CrashVerdict, Doubt, Figures, FoundRate, Measured, PARTS, PERCENTILES, Probe,
    Spread, TriedRate, is_split,
};

use super::text::share;
use crate::cli::render::json::Object;
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

fn spread(spread: &Spread) -> Object {
    Object::new().put("median", spread.median).put("min", spread.min).put("max", spread.max)
}

fn place(place: &BenchPlace) -> Object {
    Object::new()
        .put("dir", place.dir.display().to_string())
        .put("filesystem", place.filesystem.as_str())
        .put("mount_point", place.mount_point.as_str())
        .put("options", place.options.clone())
        .put("source", place.source.as_str())
        .put("device", place.device.as_str())
        .put("model", place.model.as_str())
        .put("write_cache", place.write_cache.as_str())
        .put("rotational", place.spins)
        .put("kernel", place.kernel.as_str())
        .put("cpus", place.cpus)
}

/// Load and settings of a cell.
fn settings(cell: &Cell) -> Object {
    Object::new()
        .put("key", cell.key())
        .put("appenders", cell.appenders)
        .put("size", cell.payloads.name())
        .put("sync", cell.sync.to_string())
        .put("window", cell.window.to_string())
        .put("preallocate", cell.preallocate.to_string())
        .put("direct", cell.direct)
        .put("buffered", cell.buffered)
        .put("inflight", cell.inflight)
        .put("rate", cell.rate)
}

fn cell(found: &Session, measured: &Measured) -> Object {
    let (cell, of) = (&measured.cell, &measured.figures);
    let all = figures(of).iter().fold(Object::new(), |all, (name, figure)| all.put(name, spread(figure)));
    let sizes = of.groups.iter().enumerate().filter(|(_, count)| **count > 0);
    let groups = sizes.fold(Object::new(), |all, (size, count)| all.put(&size.to_string(), *count));
    let times = of.distribution.iter().fold(Object::new(), |all, (upper, count)| all.put(&upper.to_string(), *count));
    settings(cell)
        .put("durable", cell.sync.promises())
        .put("repeats", of.repeats)
        .put("figures", all)
        .put("groups_by_size", groups)
        .put("appends_by_ns", times)
        .put("rate_over_time", of.over_time.clone())
        .put("share_of_disk", share(found, measured))
        .put("noise", of.noise())
        .put("two_cohorts", is_split(cell.appenders, of.amortization.median, &of.groups))
        .put("lacking_count", of.lacking)
}

fn costs(probe: &Probe) -> Vec<Object> {
    let one = |cost: &Cost| {
        Object::new()
            .put("room", cost.room.name())
            .put("way", cost.way.name())
            .put("bytes", cost.bytes)
            .put("ns", spread(&cost.median))
            .put("p99_ns", cost.p99)
            .put("writes", cost.writes)
    };
    probe.costs.iter().map(one).collect()
}

/// Everything that a run found.
pub fn found(out: &mut Out, found: &Session) -> io::Result<()> {
    let doubt = |doubt: &Doubt| {
        Object::new().put("name", doubt.name.as_ref()).put("grave", doubt.grave).put("text", doubt.words.as_str())
    };
    let step = |step: &TriedRate| {
        Object::new()
            .put("rate", step.rate)
            .put("reached_rate", step.reached)
            .put("latency_ns", step.latency)
            .put("sustained", step.kept)
    };
    let target = |target: &FoundRate| {
        Object::new()
            .put("key", target.cell.key())
            .put("cell", settings(&target.cell))
            .put("rate", target.rate)
            .put("steps", target.steps.iter().map(step).collect::<Vec<_>>())
    };
    let advice = |advice: &Advice| {
        Object::new()
            .put("headline", advice.headline.as_str())
            .put("flags", advice.flags.as_str())
            .put("reasons", advice.reasons.clone())
    };
    let quoted = found.quotable().iter().map(|measured| measured.cell.key()).collect::<Vec<_>>();
    let object = Object::of("walctl.bench/1")
        .put("made", found.made)
        .put("version", found.version.as_str())
        .put("command_line", found.command.as_str())
        .put("steadiness", found.steadiness().name())
        .put("quotable_keys", quoted)
        .put("place", place(&found.place))
        .put("disk", costs(&found.probe))
        .put("disk_after", costs(&found.after))
        .put("refused_ways", found.probe.refused.clone())
        .put("trusted", !found.is_distrusted())
        .put("doubts", found.doubts.iter().map(doubt).collect::<Vec<_>>())
        .put("cells", found.outcome.measured.iter().map(|measured| cell(found, measured)).collect::<Vec<_>>())
        .put("rounds", found.outcome.rounds)
        .put("interrupted", found.outcome.interrupted)
        .put("notes", found.outcome.notes.clone())
        .put("advice", found.advice.as_ref().map(advice))
        .put("targets", found.targets.iter().map(target).collect::<Vec<_>>())
        .put("seconds", found.took.as_secs_f64());
    writeln!(out, "{}", object.end())
}

/// What a crash test found.
pub fn crash(out: &mut Out, where_: &BenchPlace, plan: &CrashPlan, verdict: &CrashVerdict) -> io::Result<()> {
    let object = Object::of("walctl.crash-test/1")
        .put("place", place(where_))
        .put("flags", plan.flags.join(" "))
        .put("power", plan.image.is_some())
        .put("crashes", verdict.crashes)
        .put("acknowledged_count", verdict.acknowledged)
        .put("lost_count", verdict.lost)
        .put("different_count", verdict.different)
        .put("torn_count", verdict.torn)
        .put("worse_count", verdict.worse)
        .put("findings", verdict.findings.clone())
        .put("promises_kept", verdict.is_kept());
    writeln!(out, "{}", object.end())
}
