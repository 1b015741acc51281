//! Which damage of a report is accepted, and which acceptances are void.

use std::collections::{HashMap, HashSet};

use super::around::around;
use super::entry::Acceptance;
use super::file::AcceptFile;
use crate::model::{Damage, DamageKind, Error, Result, SegmentId, Time, Verdict};
use crate::ops::far::sure;
use crate::ops::open::Input;
use crate::ops::report::Report;

/// Damage that is reported and decides nothing.
#[derive(Clone, Debug)]
pub struct AcceptedDamage {
    /// What is wrong.
    pub damage: Damage,
    /// When it was accepted.
    pub since: Time,
    /// Why.
    pub reason: String,
}

/// An acceptance that does not hold.
#[derive(Clone, Debug)]
pub struct VoidAcceptance {
    /// The segment.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What was accepted.
    pub kind: DamageKind,
    /// When it was accepted.
    pub since: Time,
    /// Why.
    pub reason: String,
    /// What has changed, in words.
    pub why: String,
    /// No damage stands there any more: then there is nothing to be accepted.
    pub gone: bool,
}

/// How the damage of a log and the acceptances of a file go together.
struct Sorted {
    /// For each piece of damage the acceptance that holds for it.
    holds: Vec<Option<Acceptance>>,
    void: Vec<(Acceptance, VoidAcceptance)>,
}

/// Takes what is accepted out of the damage of a report; its verdict is then about the rest.
pub fn accept(report: &mut Report, input: &Input, file: &AcceptFile) -> Result<()> {
    let sorted = sort(report, input, &file.entries());
    // What could not be read because the way to the log was lost has not changed.
    sure(&input.source, [])?;
    report.void_acceptances = sorted.void.into_iter().map(|(_, void)| void).collect();
    let mut left = Vec::new();
    for (damage, holds) in std::mem::take(&mut report.damage).into_iter().zip(sorted.holds) {
        match holds {
            Some(one) => report.accepted.push(AcceptedDamage { damage, since: one.since, reason: one.reason }),
            None => left.push(damage),
        }
    }
    report.damage = left;
    report.judge_again();
    Ok(())
}

/// Accepts all damage of a report, for a reason; how many pieces are new. What of it was accepted before stays as it was.
pub fn accept_new(report: &Report, input: &Input, file: &AcceptFile, reason: &str, now: Time) -> Result<usize> {
    let refuse = |why: String| Err(Error::Refused { path: report.log.clone(), why });
    if report.beyond > 0 {
        return refuse("there is more damage in it than is described, and what is not described cannot be accepted".into());
    }
    if report.unchecked() > 0 {
        return refuse("not all of it was looked at".into());
    }
    let sorted = sort(report, input, &file.entries());
    let mut new = Vec::new();
    for (damage, _) in report.damage.iter().zip(&sorted.holds).filter(|(_, holds)| holds.is_none()) {
        let segment = input.source.segments.get(damage.span.place.segment.index());
        if let (Some(pid), Some(segment)) = (report.live, segment.filter(|segment| !segment.followed)) {
            return refuse(format!("process {pid} is writing to {}: what stands at its end is not settled", segment.name));
        }
        new.push(now_of(report, input, damage, now, reason));
    }
    sure(&input.source, [])?;
    let here = identity(report);
    let replaced: Vec<Acceptance> = sorted.void.into_iter().map(|(one, _)| one).filter(|one| one.log == here).collect();
    if !new.is_empty() {
        file.add(&new, &replaced)?;
    }
    Ok(new.len())
}

/// Which log it is, for people and for what an acceptance replaces.
fn identity(report: &Report) -> String {
    let log = report.log.display().to_string();
    // A place in a bucket is the same wherever it is named.
    if log.contains("://") { log } else { std::path::absolute(&report.log).map_or(log, |path| path.display().to_string()) }
}

/// A piece of damage with what lies around it now.
fn now_of(report: &Report, input: &Input, damage: &Damage, now: Time, reason: &str) -> Acceptance {
    let segments = &input.source.segments;
    let file = segments.get(damage.span.place.segment.index()).map_or("", |segment| segment.name.as_str());
    let around = around(&input.source, &report.summaries, damage);
    Acceptance::of(damage, [&identity(report), report.format, file], around, now, reason)
}

fn sort(report: &Report, input: &Input, entries: &[Acceptance]) -> Sorted {
    let name = |damage: &Damage| {
        input.source.segments.get(damage.span.place.segment.index()).map_or("", |segment| segment.name.as_str())
    };
    let entries: Vec<&Acceptance> = entries.iter().filter(|one| one.format == report.format).collect();
    let mut about: HashMap<(&str, u64, DamageKind), Vec<usize>> = HashMap::new();
    for (at, one) in entries.iter().enumerate() {
        about.entry((&one.file, one.offset, one.kind)).or_default().push(at);
    }
    let mut sorted = Sorted { holds: report.damage.iter().map(|_| None).collect(), void: Vec::new() };
    let mut found: Vec<Option<Holding>> = vec![None; entries.len()];
    let mut by_file: HashMap<&str, Vec<&Damage>> = HashMap::new();
    for (damage, holds) in report.damage.iter().zip(&mut sorted.holds) {
        by_file.entry(name(damage)).or_default().push(damage);
        let Some(about) = about.get(&(name(damage), damage.span.start(), damage.kind)) else { continue };
        // Reading what lies around costs something, so it is done for damage alone that somebody has accepted.
        let now = now_of(report, input, damage, Time(0), "");
        for at in about {
            found[*at] = Some(match entries[*at].differs(&now) {
                _ if report.beyond > 0 => Holding::Changed("there is more damage in the log than is described".to_owned()),
                None => {
                    *holds = Some(entries[*at].clone());
                    Holding::Holds
                }
                Some(why) => Holding::Changed(why),
            });
        }
        // Where one holds, an older one for the same damage is of no interest.
        if holds.is_some() {
            about.iter().for_each(|at| found[*at] = Some(Holding::Holds));
        }
    }
    let here = identity(report);
    let unchecked: HashSet<&str> = report.segments.iter().filter(|s| !s.checked).map(|s| s.file.as_str()).collect();
    for (one, found) in entries.into_iter().zip(found) {
        let other = || by_file.get(one.file.as_str())?.iter().find(|damage| touches(one, damage));
        let (why, gone) = match (found, other()) {
            (Some(Holding::Holds), _) => continue,
            (Some(Holding::Changed(why)), _) => (why, false),
            (None, Some(now)) => {
                (format!("it is {} at {} with {} bytes now", now.kind, now.span.start(), now.span.length), false)
            }
            // The file may be about many logs: only what was accepted of this one can be gone from it.
            (None, None) if one.log == here && !unchecked.contains(one.file.as_str()) => {
                ("no damage stands there any more".to_owned(), true)
            }
            (None, None) => continue,
        };
        sorted.void.push((one.clone(), VoidAcceptance::of(one, why, gone)));
    }
    sorted
}

/// What became of an acceptance that is about a piece of damage.
#[derive(Clone, Debug)]
enum Holding {
    Holds,
    Changed(String),
}

impl VoidAcceptance {
    fn of(one: &Acceptance, why: String, gone: bool) -> VoidAcceptance {
        VoidAcceptance {
            file: one.file.clone(),
            offset: one.offset,
            length: one.length,
            kind: one.kind,
            since: one.since,
            reason: one.reason.clone(),
            why,
            gone,
        }
    }
}

/// Whether they share a byte, or a place where none are.
fn touches(one: &Acceptance, damage: &Damage) -> bool {
    one.offset <= damage.span.end() && damage.span.start() <= one.offset.saturating_add(one.length)
}

impl Report {
    /// What the damage means that is left.
    fn judge_again(&mut self) {
        let mut worst: HashMap<SegmentId, Verdict> = HashMap::new();
        for damage in &self.damage {
            let known = worst.entry(damage.span.place.segment).or_insert(Verdict::Clean);
            *known = (*known).max(damage.verdict());
        }
        for segment in &mut self.segments {
            segment.verdict = worst.get(&segment.id).copied().unwrap_or(Verdict::Clean);
        }
        self.verdict = worst.into_values().max().unwrap_or(Verdict::Clean);
    }
}
