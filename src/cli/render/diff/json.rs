//! What `diff` found, for programs: one object.

use std::io::{self, Write};

use walctl::model::{Damage, LsnRange};
use walctl::ops::open::Input;
use walctl::ops::read::{Comparison, InNeither, OnlyRange, RecordRange, RecordSeen, SideReport, Uncompared, Which};

use crate::cli::render::json::Object;
use crate::cli::render::out::Out;

/// Writes the object and a newline.
pub fn write(out: &mut Out, logs: &[Input; 2], found: &Comparison, limit: usize) -> io::Result<()> {
    let [a, b] = &found.sides;
    let parting = found.parting.as_ref();
    let sight = |which: Which| parting.and_then(|parting| parting.sights[which.index()].as_ref()).map(sight);
    let [only_a, only_b] = &found.only;
    let range = |only: &OnlyRange| ranged(&only.range).put("known_hole", only.known_hole);
    let object = Object::of("walctl.diff/1")
        .put("same", found.is_same())
        .put("a", side(&logs[0], a))
        .put("b", side(&logs[1], b))
        .put("by_source_lsn", found.by_source_lsn)
        .put("same_count", found.same)
        .put("parts_at_lsn", parting.map(|parting| parting.lsn))
        .put("parts_a", sight(Which::A))
        .put("parts_b", sight(Which::B))
        .put("only_a", only_a.listed.iter().take(limit).map(range).collect::<Vec<_>>())
        .put("only_a_count", only_a.records)
        .put("only_b", only_b.listed.iter().take(limit).map(range).collect::<Vec<_>>())
        .put("only_b_count", only_b.records)
        .put(
            "differing",
            found
                .differing
                .listed
                .iter()
                .take(limit)
                .map(|one| ranged(&one.range).put("differ_in", one.difference.words()))
                .collect::<Vec<_>>(),
        )
        .put("differing_count", found.differing.records)
        .put("not_compared", found.uncompared.listed.iter().take(limit).map(uncompared).collect::<Vec<_>>())
        .put("not_compared_count", found.uncompared.records)
        .put("in_neither", found.in_neither.iter().take(limit).map(neither).collect::<Vec<_>>());
    writeln!(out, "{}", object.end())
}

fn neither(one: &InNeither) -> Object {
    let both = if one.both { "both" } else { ["a", "b"][one.which.index()] };
    let object = Object::new().put("first_lsn", one.lsns.first).put("last_lsn", one.lsns.last);
    object.put("damaged_log", both).put("damage_kind", one.kind.name())
}

fn side(log: &Input, side: &SideReport) -> Object {
    let name = |damage: &Damage| side.source.segments.get(damage.span.place.segment.index()).map_or("", |s| &s.name).to_owned();
    let damage = side.damage.iter().map(|damage| {
        Object::new()
            .put("file", name(damage))
            .put("offset", damage.span.start())
            .put("length", damage.span.length)
            .put("verdict", damage.verdict().name())
            .put("kind", damage.kind.name())
            .put("lsn", damage.lsn)
    });
    Object::new()
        .put("log", log.source.path.display().to_string())
        .put("format", log.format.name)
        .put("verdict", side.verdict.name())
        .put("live", side.live)
        .put("records", side.records)
        .put("first_lsn", side.lsns.map(|lsns| lsns.first))
        .put("last_lsn", side.lsns.map(|lsns| lsns.last))
        .put("damage", damage.collect::<Vec<_>>())
        .put("damage_beyond_count", side.beyond)
        .put("unnumbered_count", side.unnumbered)
        .put("disordered_count", side.disordered)
}

fn ranged(range: &RecordRange) -> Object {
    let LsnRange { first, last } = range.lsns;
    Object::new().put("first_lsn", first).put("last_lsn", last).put("records", range.records)
}

fn uncompared(one: &Uncompared) -> Object {
    let lacking = one.why.lacking().map(|which| match which {
        Which::A => "a",
        Which::B => "b",
    });
    ranged(&one.range)
        .put("explained_by", one.why.name())
        .put("lacking_log", lacking)
        .put("damage_kind", one.why.damage().map(|kind| kind.name()))
}

fn sight(sight: &RecordSeen) -> Object {
    Object::new()
        .put("file", sight.file.as_str())
        .put("offset", sight.offset)
        .put("kind", sight.kind.as_str())
        .put("time", sight.time)
        .put("payload_bytes", sight.length)
}
