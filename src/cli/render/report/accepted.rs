//! Damage that is accepted, and acceptances that are void.

use std::io::{self, Write};

use walctl::model::units::count;
use walctl::ops::open::Input;
use walctl::ops::report::Report;

use super::place;
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};

/// How many are told; `--json` lists all.
const TOLD: usize = 40;

/// A line for each piece that is accepted, and for each acceptance that does not hold; one more for that, unless it is to be brief.
pub fn text(out: &mut Out, input: &Input, report: &Report, brief: bool) -> io::Result<()> {
    for accepted in report.accepted.iter().take(TOLD) {
        let (damage, label) = (&accepted.damage, out.paint(Ink::Warn, "accepted"));
        let lsns = damage.doubt.map(|doubt| format!(", LSN {}", input.format.numbers.show_range(doubt))).unwrap_or_default();
        writeln!(
            out,
            "{}: {label}: {}: {}, {}{lsns}, since {}: {}",
            place(input, &damage.span),
            damage.verdict(),
            damage.kind,
            count(damage.span.length, "byte"),
            accepted.since,
            escape::line(&accepted.reason)
        )?;
    }
    let more = report.accepted.len().saturating_sub(TOLD);
    if more > 0 {
        writeln!(out, "… and {more} more that are accepted; walctl verify --json lists all")?;
    }
    for void in report.void_acceptances.iter().take(TOLD) {
        let path = escape::line(&input.source.dir.join(&void.file).display().to_string());
        let (since, reason) = (void.since, escape::line(&void.reason));
        let label = if void.gone { "accepted, and gone" } else { "acceptance is void" };
        let label = out.paint(if void.gone { Ink::Dim } else { Ink::Bad }, label);
        let why = escape::line(&void.why);
        writeln!(out, "{path}:{}: {label}: {}: {why}", void.offset, void.kind)?;
        if !brief {
            writeln!(out, "  it was accepted at {since}: {reason}")?;
        }
    }
    let more = report.void_acceptances.len().saturating_sub(TOLD);
    if more > 0 {
        writeln!(out, "… and {more} more acceptances that do not hold; walctl verify --json lists all")?;
    }
    Ok(())
}

/// The same in a few words, for the line that a report ends with; empty where there is nothing to say.
pub fn words(report: &Report) -> String {
    let void = report.void_acceptances.iter().filter(|void| !void.gone).count() as u64;
    let mut words = match report.accepted.len() as u64 {
        0 => String::new(),
        1 => "; 1 piece of damage is accepted".to_owned(),
        pieces => format!("; {pieces} pieces of damage are accepted"),
    };
    match void {
        0 => {}
        1 => words += "; 1 acceptance is void",
        void => words += &format!("; {void} acceptances are void"),
    }
    words
}
