//! What `diff` found, for people: both logs, where they part, ranges, one line of answer, and what to type next.

use std::io::{self, Write};

use walctl::formats::Numbers;
use walctl::model::{LsnRange, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::{Comparison, OnlyRange, RecordRange, RecordSeen, Uncompared, Which, Why};

use super::LogNames;
use crate::cli::hint::show;
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};
use walctl::model::units::count;

/// Writes the report. `typed` are the flags without which the logs would not be found again.
pub fn write(
    out: &mut Out,
    logs: &[Input; 2],
    names: &LogNames,
    found: &Comparison,
    limit: usize,
    typed: &str,
) -> io::Result<()> {
    // A log of ours that was salvaged from the other one has the numbers of that.
    let source = logs.iter().find(|log| log.format.ours.is_none()).unwrap_or(&logs[0]);
    let told = DiffText { logs, names, found, limit, numbers: source.format.numbers };
    told.sides(out)?;
    told.parting(out)?;
    told.differing(out)?;
    for which in Which::BOTH {
        told.only(out, which)?;
    }
    told.uncompared(out)?;
    told.answer(out)?;
    told.next(out, typed)
}

struct DiffText<'a> {
    logs: &'a [Input; 2],
    names: &'a LogNames,
    found: &'a Comparison,
    limit: usize,
    numbers: Numbers,
}

impl DiffText<'_> {
    fn sides(&self, out: &mut Out) -> io::Result<()> {
        for which in Which::BOTH {
            let (side, log) = (&self.found.sides[which.index()], &self.logs[which.index()]);
            let records = match side.lsns {
                Some(lsns) => format!("{}, LSN {}", count(side.records, "record"), self.numbers.show_range(lsns)),
                None => "no records".to_owned(),
            };
            let mut line = format!("{}: {}: {records}", self.names.get(which), log.format.name);
            if side.verdict != Verdict::Clean {
                let regions = count(side.damage.len() as u64 + side.beyond, "bad region");
                line += &format!("; {}: {regions}", out.paint(super::super::report::text::ink(side.verdict), side.verdict));
            }
            if side.unnumbered > 0 {
                line += &format!("; {} without a number, not compared", count(side.unnumbered, "record"));
            }
            if side.live {
                line += "; it is being written";
            }
            writeln!(out, "{line}")?;
        }
        if self.found.by_source_lsn {
            writeln!(out, "LSNs are those of the log that the other one was salvaged from")?;
        }
        Ok(())
    }

    fn parting(&self, out: &mut Out) -> io::Result<()> {
        let Some(parting) = &self.found.parting else { return Ok(()) };
        let lsn = self.numbers.show(parting.lsn);
        writeln!(out, "{} at LSN {lsn}", out.paint(Ink::Bad, "they part"))?;
        for which in Which::BOTH {
            let name = self.names.get(which);
            match &parting.sights[which.index()] {
                Some(seen) => writeln!(out, "  {name}: {}", sight(seen))?,
                None => writeln!(out, "  {name}: no such record")?,
            }
        }
        Ok(())
    }

    fn differing(&self, out: &mut Out) -> io::Result<()> {
        let differing = &self.found.differing;
        let label = out.paint(Ink::Bad, "differ");
        for one in differing.listed.iter().take(self.limit) {
            writeln!(out, "{label}: {} in {}", self.range(&one.range), one.difference.words().join(" and "))?;
        }
        self.more(out, "differ", differing.listed.len(), differing.beyond)
    }

    fn only(&self, out: &mut Out, which: Which) -> io::Result<()> {
        let only = &self.found.only[which.index()];
        let (name, other) = (self.names.get(which), self.names.get(which.other()));
        let label = out.paint(Ink::Bad, format!("only in {name}"));
        let end = self.found.sides[which.other().index()].lsns.map(|lsns| lsns.last);
        for OnlyRange { range, known_hole } in only.listed.iter().take(self.limit) {
            let where_ = match end {
                _ if *known_hole => format!(": {other} has a known hole there"),
                None => format!(": {other} has no records"),
                Some(end) if range.lsns.first > end => format!(": {other} ends before: it lags, or lost its end"),
                Some(_) => String::new(),
            };
            writeln!(out, "{label}: {}{where_}", self.range(range))?;
        }
        self.more(out, &format!("only in {name}"), only.listed.len(), only.beyond)
    }

    fn uncompared(&self, out: &mut Out) -> io::Result<()> {
        let uncompared = &self.found.uncompared;
        for one in uncompared.listed.iter().take(self.limit) {
            let label = match one.why {
                Why::Damage(..) | Why::Encrypted => out.paint(Ink::Warn, "could not be compared"),
                _ => out.paint(Ink::Dim, "not compared"),
            };
            writeln!(out, "{label}: {}: {}", self.range(&one.range), self.why(one))?;
        }
        self.more(out, "not compared", uncompared.listed.len(), uncompared.beyond)
    }

    fn why(&self, one: &Uncompared) -> String {
        let name = |which: Which| self.names.get(which);
        match one.why {
            Why::Damage(which, kind) => format!("{} has damage there: {kind}", name(which)),
            Why::Encrypted => "encrypted, and none of the keys opens both".to_owned(),
            Why::Pruned(which) => {
                format!("before the first record of {}: it was pruned, or its first segments are gone", name(which))
            }
            Why::Removed(which) => format!("retention removed them from {} before they were read", name(which)),
            Why::Meanwhile(which) => format!("written to {} after reading began", name(which.other())),
        }
    }

    fn more(&self, out: &mut Out, sort: &str, listed: usize, beyond: u64) -> io::Result<()> {
        let more = listed.saturating_sub(self.limit) as u64 + beyond;
        if more > 0 {
            writeln!(
                out,
                "{sort}: … and {}; --limit {} lists more",
                count(more, "further range"),
                self.limit.saturating_mul(10).max(1)
            )?;
        }
        Ok(())
    }

    fn answer(&self, out: &mut Out) -> io::Result<()> {
        let found = self.found;
        let both = format!("{} and {}", self.names.get(Which::A), self.names.get(Which::B));
        let left = found.uncompared.records;
        let left = if left > 0 { format!("; {} not compared", count(left, "record")) } else { String::new() };
        let same = format!("{} in both", count(found.same, "equal record"));
        if !found.finds_no_difference() {
            let only: Vec<String> = Which::BOTH
                .into_iter()
                .filter(|which| found.only[which.index()].records > 0)
                .map(|which| format!("{} only in {}", found.only[which.index()].records, self.names.get(which)))
                .collect();
            let differing = (found.differing.records > 0).then(|| format!("{} with other content", found.differing.records));
            let what = only.into_iter().chain(differing).collect::<Vec<_>>().join(", ");
            return writeln!(out, "{both}: {}; {same}, {what}{left}", out.paint(Ink::Bad, "not the same"));
        }
        let (answer, ink) = match found.is_same() {
            Some(true) if left.is_empty() => ("the same", Ink::Good),
            Some(true) => ("the same where both have records", Ink::Good),
            _ => ("no difference found", Ink::Warn),
        };
        writeln!(out, "{both}: {}; {same}{left}", out.paint(ink, answer))
    }

    fn next(&self, out: &mut Out, typed: &str) -> io::Result<()> {
        for which in Which::BOTH {
            let side = &self.found.sides[which.index()];
            // A stream is gone.
            if self.path(which) == "./-" {
                continue;
            }
            if side.verdict != Verdict::Clean {
                writeln!(out, "next: {}", out.paint(Ink::Strong, format!("walctl verify {}{typed}", self.path(which))))?;
            }
        }
        let Some(parting) = &self.found.parting else { return Ok(()) };
        for which in Which::BOTH.into_iter().filter(|which| parting.sights[which.index()].is_some()) {
            // The number there is another one if the log was salvaged.
            let renumbered = self.found.by_source_lsn && self.logs[which.index()].format.ours.is_some();
            if renumbered || self.path(which) == "./-" {
                continue;
            }
            let lsn = self.numbers.show(parting.lsn);
            let command = format!("walctl dump {}{typed} --lsn {lsn}", self.path(which));
            writeln!(out, "next: {}", out.paint(Ink::Strong, command))?;
        }
        Ok(())
    }

    fn path(&self, which: Which) -> String {
        show(&self.logs[which.index()].source.path)
    }

    fn range(&self, range: &RecordRange) -> String {
        let LsnRange { first, last } = range.lsns;
        let alone = first == last && range.records == 1;
        let records = if alone { String::new() } else { format!(" ({})", count(range.records, "record")) };
        format!("LSN {}{records}", self.numbers.show_range(range.lsns))
    }
}

fn sight(sight: &RecordSeen) -> String {
    let time = sight.time.map(|time| format!(", written at {time}")).unwrap_or_default();
    let kind = escape::line(&sight.kind);
    format!("{kind} of {} at {}:{}{time}", count(sight.length, "byte"), escape::line(&sight.file), sight.offset)
}
