//! What `diff` found, for people: both logs, where they part, ranges, one line of answer, and what to type next.

use std::io::{self, Write};

use walctl::formats::Numbers;
use walctl::model::{LsnRange, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::{Comparison, OnlyRange, RecordRange, RecordSeen, Uncompared, Which, Why};

use super::{LogNames, content};
use crate::cli::hint::show;
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};
use crate::cli::render::report::some_of;
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
    told.neither(out)?;
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
        let held = content::lines(self.logs, parting, Which::BOTH.map(|which| self.renumbered(which)));
        for which in Which::BOTH {
            let name = self.names.get(which);
            match &parting.sights[which.index()] {
                Some(seen) => writeln!(out, "  {name}: {}", sight(seen))?,
                None => writeln!(out, "  {name}: no such record")?,
            }
            if let Some(line) = &held[which.index()] {
                writeln!(out, "    {line}")?;
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

    fn neither(&self, out: &mut Out) -> io::Result<()> {
        let label = out.paint(Ink::Warn, "in neither");
        for one in self.found.in_neither.iter().take(self.limit) {
            let (name, other) = (self.names.get(one.which), self.names.get(one.which.other()));
            let kind = one.kind;
            let other = if one.both { format!("{other} has damage there, too") } else { format!("{other} has no such record") };
            let lsns = self.numbers.show_range(one.lsns);
            writeln!(out, "{label}: LSN {lsns}: {name} has damage there: {kind}; {other}")?;
        }
        self.more(out, "in neither", self.found.in_neither.len(), 0)
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
        let mut left = if left > 0 { format!("; {} not compared", count(left, "record")) } else { String::new() };
        let neither: Vec<String> = found.in_neither.iter().map(|one| self.numbers.show_range(one.lsns)).collect();
        if !neither.is_empty() {
            left += &format!("; LSN {} in neither", some_of(&neither));
        }
        let same = format!("{} in both", count(found.same, "equal record"));
        if !found.finds_no_difference() {
            let only: Vec<String> = Which::BOTH
                .into_iter()
                .filter(|which| found.only[which.index()].records > 0)
                .map(|which| format!("{} only in {}", found.only[which.index()].records, self.names.get(which)))
                .collect();
            let differing = (found.differing.records > 0).then(|| format!("{} with other content", found.differing.records));
            let what = only.into_iter().chain(differing).collect::<Vec<_>>().join(", ");
            writeln!(out, "{both}: {}; {same}, {what}{left}", out.paint(Ink::Bad, "not the same"))?;
            return self.about_the_logs(out);
        }
        let (answer, ink) = match found.is_same() {
            Some(true) if left.is_empty() => ("the same", Ink::Good),
            Some(true) => ("the same where both have records", Ink::Good),
            _ => ("no difference found", Ink::Warn),
        };
        writeln!(out, "{both}: {}; {same}{left}", out.paint(ink, answer))
    }

    /// What both logs have in common, and what not, where they are not the same.
    fn about_the_logs(&self, out: &mut Out) -> io::Result<()> {
        let whole = self.found.sides.iter().all(|side| side.verdict == Verdict::Clean);
        if whole && self.found.differing.records > 0 {
            writeln!(
                out,
                "  neither log is damaged: every checksum that was read is right, so the records were written with other content"
            )?;
        }
        let [a, b] = [&self.logs[0], &self.logs[1]].map(log_id);
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            writeln!(out, "  the logs have different ids: a segment of one does not fit into the other, records do")?;
        }
        Ok(())
    }

    /// The records of a log that was salvaged have other numbers there than those they are compared by.
    fn renumbered(&self, which: Which) -> bool {
        self.found.by_source_lsn && self.logs[which.index()].format.ours.is_some()
    }

    /// Records that one log lacks at its end, and that can be appended to it: which log lacks them, and which ones they are.
    fn lag(&self) -> Option<(Which, LsnRange)> {
        let found = self.found;
        let ours = self.logs.iter().all(|log| log.format.ours.is_some() && !log.source.alone);
        let idle = found.sides.iter().all(|side| side.verdict == Verdict::Clean && !side.live) && found.differing.records == 0;
        if !ours || !idle || found.uncompared.records > 0 || found.window.is_some() {
            return None;
        }
        let behind = Which::BOTH.into_iter().find(|which| found.only[which.index()].records == 0)?;
        let [OnlyRange { range, known_hole: false }] = &found.only[behind.other().index()].listed[..] else { return None };
        let ends = found.sides[behind.index()].lsns?.last;
        (range.lsns.first == ends.next() && found.only[behind.other().index()].beyond == 0).then_some((behind, range.lsns))
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
        if let Some((behind, LsnRange { first, last })) = self.lag() {
            let (from, to) = (self.path(behind.other()), self.path(behind));
            let key = typed.split_once(" --key-file ").map(|(_, file)| format!(" --key-file {file}")).unwrap_or_default();
            let command =
                format!("walctl dump {from}{typed} --lsn {first}..{last} --json | walctl append {to}{key} --json --keep-lsn");
            return writeln!(out, "next: if {} is to have them too: {}", self.names.get(behind), out.paint(Ink::Strong, command));
        }
        let shown = |which: &Which| {
            // The number there is another one if the log was salvaged, and a stream is gone.
            parting.sights[which.index()].is_some() && !self.renumbered(*which) && self.path(*which) != "./-"
        };
        let mut logs: Vec<String> = Which::BOTH.into_iter().filter(shown).map(|which| self.path(which)).collect();
        logs.dedup();
        if logs.is_empty() {
            return Ok(());
        }
        let command = format!("walctl dump {}{typed} --lsn {}", logs.join(" "), self.numbers.show(parting.lsn));
        writeln!(out, "next: {}", out.paint(Ink::Strong, command))
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
    let length = count(sight.length, "byte");
    format!("record of {length}, kind {kind}, at {}:{}{time}", escape::line(&sight.file), sight.offset)
}

/// The id that the segments of a log share, where its format has one.
fn log_id(log: &Input) -> Option<[u8; 16]> {
    let header = log.format.ours.and(log.format.header)?;
    log.source.segments.iter().find_map(|segment| header(&log.source, segment, &log.keys)).map(|facts| facts.log_id)
}
