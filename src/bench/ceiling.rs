//! What the disk would allow: all appenders served by each sync, and nothing but syncs.

use super::plan::Measured;
use super::probe::{Probe, Room, SyncWay};
use super::setting::Cell;
use crate::writer::{Preallocate, SyncMode};

/// What a closed loop reaches of what the disk allows, by all that was seen of the disk: before the cells, after them, and while
/// they ran, for some machines answer a busy disk sooner than an idle one. None where nothing is known.
#[must_use]
pub fn share(one: &Measured, all: &[Measured], probes: [&Probe; 2]) -> Option<f64> {
    let cell = &one.cell;
    if cell.rate.is_some() || cell.inflight > 1 {
        return None;
    }
    let (way, room) = made_of(cell)?;
    let alone = probes.into_iter().filter_map(|probe| Some(probe.cost(room, way, 4096)?.median.median));
    let alike = all.iter().filter(|m| made_of(&m.cell) == Some((way, room)));
    let busy = alike.map(|m| 1e9 / m.figures.syncs.median.max(1e-9));
    let sync = alone.chain(busy).min_by(f64::total_cmp)?;
    Some(one.figures.rate.median * sync / 1e9 / cell.appenders as f64)
}

/// How a cell makes its groups durable, and in which room.
fn made_of(cell: &Cell) -> Option<(SyncWay, Room)> {
    let room = match cell.preallocate {
        Preallocate::Zero | Preallocate::Recycle => Room::Zero,
        Preallocate::Fallocate => Room::Fallocate,
        Preallocate::None | Preallocate::Sparse => Room::Extend,
    };
    let past = cell.direct || (room == Room::Zero && !cell.buffered);
    let way = match (cell.sync, past) {
        (SyncMode::Fdatasync, true) => SyncWay::DirectFdatasync,
        (SyncMode::Fdatasync, false) => SyncWay::Fdatasync,
        (SyncMode::Fsync, _) => SyncWay::Fsync,
        (SyncMode::Dsync, false) => SyncWay::Dsync,
        (SyncMode::Dsync, true) => SyncWay::DirectDsync,
        _ => return None,
    };
    Some((way, room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::{Figures, Run, Spread};
    use crate::bench::payloads::Payloads;
    use crate::bench::probe::Cost;
    use crate::writer::Window;

    #[test]
    fn nothing_reaches_more_than_all_even_when_the_disk_was_slower_alone() {
        let cell = Cell {
            appenders: 4,
            payloads: Payloads::fixed(128),
            sync: SyncMode::Fdatasync,
            window: Window::Auto,
            preallocate: Preallocate::Zero,
            direct: false,
            buffered: false,
            inflight: 1,
            rate: None,
        };
        let run = Run { seconds: 1.0, acked: 400, records: 400, syncs: 200, ..Run::default() };
        let one = Measured { cell, figures: Figures::of(&[run]).expect("there is a run") };
        let took = |millis: f64| Probe {
            costs: vec![Cost {
                room: Room::Zero,
                way: SyncWay::DirectFdatasync,
                bytes: 4096,
                median: Spread::flat(millis * 1e6),
                p99: 0,
                writes: 9,
            }],
            refused: Vec::new(),
        };
        let share = |before, after| share(&one, std::slice::from_ref(&one), [&took(before), &took(after)]).expect("it is known");
        // 200 syncs a second came, so one took 5 ms at most, and four appenders could have had 800.
        assert!((share(50.0, 50.0) - 0.5).abs() < 1e-9);
        assert!((share(50.0, 1.0) - 0.1).abs() < 1e-9);
    }
}
