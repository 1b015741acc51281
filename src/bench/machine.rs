//! Where a benchmark runs: filesystem, mount, device, write cache, kernel, and what stands between us and the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::{Error, Result};

/// Facts of a folder, as the system tells them. What it does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BenchPlace {
    /// The folder that was named.
    pub dir: PathBuf,
    /// The filesystem's type: `ext4`.
    pub filesystem: String,
    /// Where it is mounted.
    pub mount_point: String,
    /// The options of mount and filesystem.
    pub options: Vec<String>,
    /// What is mounted: `/dev/vda1`.
    pub source: String,
    /// The whole disk's name: `vda`; empty when there is none.
    pub device: String,
    /// What the device says it is.
    pub model: String,
    /// `write back` or `write through`: whether the device keeps writes in memory that a power failure empties.
    pub write_cache: String,
    /// The device says that it spins.
    pub spins: Option<bool>,
    /// Kernel release.
    pub kernel: String,
    /// Processors that we may use.
    pub cpus: usize,
    /// Libraries in this process that swallow syncs.
    pub swallowers: Vec<String>,
    /// Where the device counts what it does.
    pub stat: Option<PathBuf>,
}

/// Looks around. `preloaded` is the value of LD_PRELOAD, where there is one.
pub fn look_around(dir: &Path, preloaded: Option<&str>) -> Result<BenchPlace> {
    let real = fs::canonicalize(dir).map_err(Error::io("look at", dir))?;
    let meta = fs::metadata(&real).map_err(Error::io("look at", dir))?;
    let mut place = BenchPlace { dir: dir.to_owned(), cpus: cpus(), ..BenchPlace::default() };
    if let Some(mount) = fs::read_to_string("/proc/self/mountinfo").ok().and_then(|text| mount_of(&text, &real)) {
        (place.filesystem, place.mount_point, place.source, place.options) = mount;
    }
    let number = meta.dev();
    let node = format!("/sys/dev/block/{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
    let device = fs::canonicalize(node).ok().or_else(|| {
        // Filesystems with devices of their own (btrfs) have numbers that lead nowhere: the mounted device does.
        let number = fs::metadata(&place.source).ok()?.rdev();
        fs::canonicalize(format!("/sys/dev/block/{}:{}", rustix::fs::major(number), rustix::fs::minor(number))).ok()
    });
    if let Some(device) = device {
        let disk =
            if device.join("partition").exists() { device.parent().map_or(device.clone(), Path::to_owned) } else { device };
        let read = |name: &str| fs::read_to_string(disk.join(name)).unwrap_or_default().trim().to_owned();
        place.device = disk.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        place.model = [read("device/model"), read("loop/backing_file")].into_iter().find(|m| !m.is_empty()).unwrap_or_default();
        place.write_cache = read("queue/write_cache");
        place.spins = match read("queue/rotational").as_str() {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        };
        place.stat = Some(disk.join("stat"));
    }
    place.kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    place.swallowers = swallowers(&maps, preloaded.unwrap_or_default());
    Ok(place)
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Type, mount point, source and options.
type Mount = (String, String, String, Vec<String>);

/// The mount on which a path lies.
fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mut best: Option<(usize, Mount)> = None;
    for line in mountinfo.lines() {
        // 36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/vda1 rw,errors=continue
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (mut left, mut right) = (left.split(' ').skip(4), right.split(' '));
        let (Some(point), Some(own)) = (left.next(), left.next()) else { continue };
        let (Some(kind), Some(source)) = (right.next(), right.next()) else { continue };
        let point = unescape(point);
        if !path.starts_with(&point) {
            continue;
        }
        let mut options: Vec<String> =
            own.split(',').chain(right.next().unwrap_or_default().split(',')).map(str::to_owned).collect();
        options.retain(|option| !option.is_empty());
        options.sort();
        options.dedup();
        // A later mount on the same point hides the earlier one.
        if best.as_ref().is_none_or(|(length, _)| point.len() >= *length) {
            best = Some((point.len(), (kind.to_owned(), point, unescape(source), options)));
        }
    }
    best.map(|(_, mount)| mount)
}

/// The kernel writes blanks in paths as octal numbers.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn swallowers(maps: &str, preloaded: &str) -> Vec<String> {
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let named = preloaded.split([' ', ':']);
    let mut found: Vec<String> = mapped
        .chain(named)
        .filter_map(|path| path.rsplit('/').next())
        .filter(|name| ["eatmydata", "nosync", "libeat"].iter().any(|word| name.contains(word)))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

impl BenchPlace {
    /// What must be equal for two runs to be comparable, and is not, in words.
    #[must_use]
    pub fn unlike(&self, other: &BenchPlace) -> Vec<String> {
        let mut unlike = Vec::new();
        let mut compare = |what: &str, a: &str, b: &str| {
            if a != b {
                unlike.push(format!("{what} was {} and is {}", named(b), named(a)));
            }
        };
        compare("the filesystem", &self.filesystem, &other.filesystem);
        compare("the device", &self.device, &other.device);
        compare("the device's model", &self.model, &other.model);
        compare("the write cache", &self.write_cache, &other.write_cache);
        compare("the number of processors", &self.cpus.to_string(), &other.cpus.to_string());
        compare("the kernel", &self.kernel, &other.kernel);
        compare("the list of mount options", &self.options.join(","), &other.options.join(","));
        unlike
    }
}

fn named(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_and_latest_mount_counts() {
        let text = "1 0 254:0 / / rw,relatime - ext4 /dev/vda rw,barrier=0\n\
                    2 1 0:20 / /tmp rw - tmpfs tmpfs rw,size=1k\n\
                    3 1 7:0 / /tmp/a\\040b rw - xfs /dev/loop0 rw\n\
                    4 1 7:1 / /tmp rw - ext4 /dev/loop1 rw\n\
                    nonsense";
        let kind = |path: &str| mount_of(text, Path::new(path)).map(|m| m.0);
        assert_eq!(kind("/var/x").as_deref(), Some("ext4"));
        assert_eq!(kind("/tmp/x").as_deref(), Some("ext4"));
        assert_eq!(kind("/tmp/a b/c").as_deref(), Some("xfs"));
        assert_eq!(kind("/tmpfoo").as_deref(), Some("ext4"));
        let root = mount_of(text, Path::new("/var")).expect("there is a root");
        assert!(root.3.contains(&"barrier=0".to_owned()));
    }

    #[test]
    fn a_library_that_swallows_syncs_is_found_by_mapping_and_by_name() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 12 /usr/lib/libeatmydata.so.1.3.0\n7f02-7f03 rw-p 00000000 00:00 0\n";
        assert_eq!(swallowers(maps, ""), ["libeatmydata.so.1.3.0"]);
        assert_eq!(swallowers("", "/a/libfoo.so:libeatmydata.so"), ["libeatmydata.so"]);
        assert!(swallowers("7f00-7f01 r-xp 0 fe:00 12 /usr/lib/libc.so.6", "").is_empty());
    }

    #[test]
    fn machines_that_differ_say_in_what() {
        let here = BenchPlace { filesystem: "ext4".into(), cpus: 2, ..BenchPlace::default() };
        let there = BenchPlace { filesystem: "xfs".into(), cpus: 2, ..BenchPlace::default() };
        assert!(here.unlike(&here).is_empty());
        assert_eq!(here.unlike(&there), ["the filesystem was xfs and is ext4"]);
    }
}
