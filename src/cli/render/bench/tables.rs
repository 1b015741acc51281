//! Figures of a benchmark for other programs' tables: CSV and Markdown.

use std::io::{self, Write};

use super::json::figures;
use super::text::{label, rate, span};
use crate::cli::render::out::Out;
use walctl::bench::Session;

/// One line a cell, with median, smallest and largest of each figure; times in nanoseconds.
pub fn csv(out: &mut Out, found: &Session) -> io::Result<()> {
    let mut headed = false;
    for measured in &found.outcome.measured {
        let all = figures(&measured.figures);
        if !headed {
            headed = true;
            write!(out, "appenders,size,sync,window,preallocate,direct,buffered,inflight,target_rate,repeats")?;
            for (name, _) in &all {
                write!(out, ",{name},{name}_min,{name}_max")?;
            }
            writeln!(out)?;
        }
        let cell = &measured.cell;
        let size = cell.payloads.name().replace('"', "\"\"");
        write!(
            out,
            "{},\"{size}\",{},{},{},{},{},{}",
            cell.appenders, cell.sync, cell.window, cell.preallocate, cell.direct, cell.buffered, cell.inflight
        )?;
        write!(out, ",{},{}", cell.rate.map_or(String::new(), |rate| rate.to_string()), measured.figures.repeats)?;
        for (_, spread) in &all {
            write!(out, ",{},{},{}", spread.median, spread.min, spread.max)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A table to paste into a page.
pub fn markdown(out: &mut Out, found: &Session) -> io::Result<()> {
    writeln!(out, "| appenders | size | setting | appends/s | min-max | p50 | p99 | p99.9 | acks/sync | cpu/append |")?;
    writeln!(out, "|---:|---|---|---:|---|---:|---:|---:|---:|---:|")?;
    for measured in &found.outcome.measured {
        let f = &measured.figures;
        let at = |name: &str| f.percentile(name).map_or(String::new(), |s| span(s.median));
        writeln!(
            out,
            "| {} | {} | {} | {} | {}-{} | {} | {} | {} | {:.1} | {} |",
            measured.cell.appenders,
            measured.cell.payloads.name().replace('|', "\\|"),
            label(&measured.cell),
            rate(f.rate.median),
            rate(f.rate.min),
            rate(f.rate.max),
            at("p50"),
            at("p99"),
            at("p99.9"),
            f.amortization.median,
            span(f.cpu.median),
        )?;
    }
    if let Some(advice) = &found.advice {
        writeln!(out, "\n{}", advice.headline)?;
    }
    Ok(())
}
