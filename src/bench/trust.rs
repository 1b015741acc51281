//! Is this disk lying? Pure rules from the facts of a place and the cost of its syncs to warnings in words.

use std::borrow::Cow;

use super::machine::BenchPlace;
use super::probe::{Probe, Room, SyncWay};

/// Something that speaks against what the disk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// One word for programs.
    pub name: Cow<'static, str>,
    /// An acknowledgement here does not survive a power failure; else it is only worth knowing.
    pub grave: bool,
    /// In words.
    pub words: String,
}

/// No medium made of more than memory is that fast, in nanoseconds.
const MEMORY_NS: f64 = 8_000.0;
/// No turning disk is that fast without a cache.
const SPINNING_NS: f64 = 1_000_000.0;
/// Bytes a second that no disk takes.
const IMPOSSIBLE_RATE: f64 = 40e9;

/// What speaks against trusting the disk; the grave first.
#[must_use]
pub fn doubts(place: &BenchPlace, probe: &Probe) -> Vec<Doubt> {
    let mut found = of_place(place);
    found.extend(of_times(place, probe));
    found.sort_by_key(|doubt| !doubt.grave);
    found
}

fn of_place(place: &BenchPlace) -> Vec<Doubt> {
    let mut found = Vec::new();
    let mut say = |name: &'static str, grave, words: String| found.push(Doubt { name: name.into(), grave, words });
    if !place.swallowers.is_empty() {
        say(
            "swallowed",
            true,
            format!("{} is loaded into this process and swallows syncs: nothing is durable", place.swallowers.join(", ")),
        );
    }
    match place.filesystem.as_str() {
        kind @ ("tmpfs" | "ramfs" | "rootfs") => {
            say("memory", true, format!("{kind} lies in memory: a sync does nothing, and all is gone when the power is"));
        }
        "overlay" => say(
            "overlay",
            false,
            "overlay is a container's layer: it goes when the container goes, and unless mounted volatile syncs reach the disk below".into(),
        ),
        kind if kind.starts_with("fuse") || ["9p", "virtiofs", "nfs", "nfs4", "cifs", "smb3", "ceph"].contains(&kind) => {
            say("remote", false, format!("{kind} is served by another program or machine: a sync is what that one makes of it"));
        }
        _ => {}
    }
    let has = |option: &str| place.options.iter().any(|o| o == option);
    if has("nobarrier") || has("barrier=0") {
        say("no-barrier", true, "mounted without barriers: syncs do not empty the device's write cache".into());
    }
    if has("volatile") {
        say("volatile", true, "mounted volatile: syncs do nothing".into());
    }
    if place.device.starts_with("zram") || place.device.starts_with("ram") {
        say("memory", true, format!("{} is memory that looks like a disk: all is gone when the power is", place.device));
    }
    found
}

fn of_times(place: &BenchPlace, probe: &Probe) -> Vec<Doubt> {
    let mut found = Vec::new();
    let nanos = |room, way, bytes| probe.cost(room, way, bytes).map(|cost| cost.median.median);
    let Some(sync) = nanos(Room::Zero, SyncWay::Fdatasync, 4096) else { return found };
    let us = |ns: f64| format!("{:.1} us", ns / 1000.0);
    let mut say = |name: &'static str, words| found.push(Doubt { name: name.into(), grave: true, words });
    if let Some(none) = nanos(Room::Zero, SyncWay::None, 4096)
        && sync < none * 1.5 + 2000.0
    {
        say("sync-is-free", format!("a write with a sync takes {}, without one {}: the sync does nothing", us(sync), us(none)));
    }
    let large = nanos(Room::Zero, SyncWay::Fdatasync, 1 << 20);
    if let Some(large) = large
        && 1_048_576.0 / (large / 1e9) > IMPOSSIBLE_RATE
    {
        let words =
            format!("a durable write of 1 MiB takes {}, one of 4 KiB {}: no disk takes that much so fast", us(large), us(sync));
        say("size-does-not-matter", words);
    }
    if sync < MEMORY_NS {
        say("too-fast", format!("a durable write takes {}: only memory is that fast", us(sync)));
    } else if place.spins == Some(true) && sync < SPINNING_NS && !is_virtual(&place.device) {
        let words = format!(
            "{} says that it spins, and a durable write takes {}: a turning disk needs milliseconds",
            place.device,
            us(sync)
        );
        say("too-fast-for-its-class", words);
    }
    found
}

/// Virtual disks say that they spin because that is the default.
fn is_virtual(device: &str) -> bool {
    ["vd", "xvd", "nbd", "loop", "dm-", "md"].iter().any(|start| device.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Spread;
    use crate::bench::probe::Cost;

    fn cost(way: SyncWay, bytes: usize, micros: f64) -> Cost {
        Cost { room: Room::Zero, way, bytes, median: Spread::flat(micros * 1000.0), p99: 0, writes: 100 }
    }

    fn names(place: &BenchPlace, costs: &[(SyncWay, usize, f64)]) -> Vec<String> {
        let costs = costs.iter().map(|(way, bytes, us)| cost(*way, *bytes, *us)).collect();
        doubts(place, &Probe { costs, refused: Vec::new() }).into_iter().map(|d| d.name.into_owned()).collect()
    }

    #[test]
    fn an_honest_disk_is_not_doubted() {
        let honest = [(SyncWay::Fdatasync, 4096, 130.0), (SyncWay::None, 4096, 2.0), (SyncWay::Fdatasync, 1 << 20, 620.0)];
        assert!(
            names(
                &BenchPlace { filesystem: "ext4".into(), device: "vda".into(), spins: Some(true), ..Default::default() },
                &honest
            )
            .is_empty()
        );
        // Flash with a battery: a sync of 15 us is possible.
        let quick = [(SyncWay::Fdatasync, 4096, 15.0), (SyncWay::None, 4096, 2.0), (SyncWay::Fdatasync, 1 << 20, 200.0)];
        assert!(names(&BenchPlace { device: "nvme0n1".into(), ..Default::default() }, &quick).is_empty());
    }

    #[test]
    fn each_lie_has_its_name() {
        let place = BenchPlace::default();
        let free = [(SyncWay::Fdatasync, 4096, 2.2), (SyncWay::None, 4096, 2.0), (SyncWay::Fdatasync, 1 << 20, 20.0)];
        assert_eq!(names(&place, &free), ["sync-is-free", "size-does-not-matter", "too-fast"]);
        let spinning = BenchPlace { device: "sda".into(), spins: Some(true), ..Default::default() };
        let fast = [(SyncWay::Fdatasync, 4096, 90.0), (SyncWay::None, 4096, 2.0)];
        assert_eq!(names(&spinning, &fast), ["too-fast-for-its-class"]);
        for (place, name) in [
            (BenchPlace { filesystem: "tmpfs".into(), ..Default::default() }, "memory"),
            (BenchPlace { filesystem: "overlay".into(), ..Default::default() }, "overlay"),
            (BenchPlace { filesystem: "nfs4".into(), ..Default::default() }, "remote"),
            (BenchPlace { device: "zram0".into(), ..Default::default() }, "memory"),
            (BenchPlace { options: vec!["nobarrier".into()], ..Default::default() }, "no-barrier"),
            (BenchPlace { swallowers: vec!["libeatmydata.so".into()], ..Default::default() }, "swallowed"),
        ] {
            assert_eq!(names(&place, &[]), [name]);
        }
    }

    #[test]
    fn what_is_grave_comes_first() {
        let place = BenchPlace { filesystem: "overlay".into(), options: vec!["volatile".into()], ..Default::default() };
        assert_eq!(names(&place, &[]), ["volatile", "overlay"]);
    }
}
