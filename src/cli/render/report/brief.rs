//! A report in one line a damage, and one for a clean log: for many logs, for grep and for pagers that show little.

use std::io::{self, Write};

use walctl::model::units::count;
use walctl::model::{Acknowledged, Damage, DamageKind};
use walctl::ops::open::Input;
use walctl::ops::report::Report;

use super::text::{ink, outcome};
use super::{LookedBeside, accepted, log_path, place};
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};

/// Writes the lines. The words are those of the long report.
pub fn write(out: &mut Out, input: &Input, report: &Report, beside: &LookedBeside, whose: &str) -> io::Result<()> {
    for damage in &report.damage {
        one_damage(out, input, damage)?;
    }
    if report.beyond > 0 {
        writeln!(out, "{}: {} more pieces of damage are not listed", log_path(input), report.beyond)?;
    }
    accepted::text(out, input, report, true)?;
    if let Some(media) = &beside.media {
        for span in &media.differing {
            let label = out.paint(Ink::Bad, "medium differs");
            writeln!(out, "{}: {label}: {} from the page cache", place(input, span), count(span.length, "byte"))?;
        }
    }
    if let Some((path, found)) = &beside.ledger
        && !found.is_met()
    {
        let lost = out.paint(Ink::Bad, DamageKind::LedgerLost);
        let name = escape::line(&path.display().to_string());
        let wrong = found.lacking + found.different.len() as u64;
        writeln!(
            out,
            "{}: {lost}: {wrong} of {} in {name} lacking or different",
            log_path(input),
            count(found.listed, "record")
        )?;
    }
    if report.damage.is_empty() && report.beyond == 0 { outcome(out, input, report, whose) } else { Ok(()) }
}

fn one_damage(out: &mut Out, input: &Input, damage: &Damage) -> io::Result<()> {
    let verdict = out.paint(ink(damage.verdict()), damage.verdict());
    let numbers = input.format.numbers;
    let lsns = match (damage.doubt, damage.lsn) {
        (Some(doubt), _) => format!(", LSN {}", numbers.show_range(doubt)),
        (None, Some(lsn)) => format!(", LSN {}", numbers.show(lsn)),
        (None, None) => String::new(),
    };
    let promise = match damage.acknowledged() {
        Acknowledged::Yes => "acknowledged",
        Acknowledged::No => "not acknowledged",
        Acknowledged::Unknown => "acknowledged or not is unknown",
    };
    let extent = count(damage.span.length, "byte");
    writeln!(out, "{}: {verdict}: {}, {extent}{lsns}, {promise}", place(input, &damage.span), damage.kind)
}
