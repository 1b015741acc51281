//! Pins: what readers still need of a log, kept in its folder, so that a restart lets nothing of it go.
//!
//! A pin is a file `NAME.pin` of one line of JSON that names the last LSN that was read; it is written as a reader's cursor is, so that
//! either can stand for the other. It is replaced whole: a crash leaves the old one or the new one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::retain::Pin;
use crate::disk::{Disk, EntryKind, Open, begin_file, read_full, unfinished, write_full};
use crate::model::{Error, Lsn, Result};
use crate::native::{segment_lsn, segment_name};

/// The ending of a pin's file, after the pin's name.
const SUFFIX: &str = ".pin";
/// A pin is one short line. Something longer is another file.
const LONGEST: usize = 4096;
/// The longest name of a pin.
const LONGEST_NAME: usize = 64;

/// The pins of a log that is written.
#[derive(Debug)]
pub(super) struct Pins {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    kept: Mutex<BTreeMap<String, Lsn>>,
}

/// The pins that are kept in a log's folder, in the order of their names.
pub fn kept_pins(disk: &dyn Disk, dir: &Path) -> Result<Vec<Pin>> {
    let mut pins = Vec::new();
    for entry in disk.list(dir)?.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        let Some(name) = entry.name.strip_suffix(SUFFIX).filter(|name| is_name(name)) else { continue };
        pins.push(Pin { name: name.to_owned(), ..read_cursor(disk, &dir.join(&entry.name))? });
    }
    pins.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pins)
}

/// What a pin or a reader's cursor says. It keeps what it names, or everything if it names nothing.
pub(super) fn read_cursor(disk: &dyn Disk, path: &Path) -> Result<Pin> {
    let mut bytes = [0; LONGEST];
    let file = disk.open(path, Open::READ)?;
    let count = read_full(file.as_ref(), &mut bytes, 0)?;
    let value: Option<serde_json::Value> = serde_json::from_slice(&bytes[..count]).ok();
    let segment = value.as_ref().and_then(|value| segment_lsn(value.get("segment")?.as_str()?));
    let Some((value, segment)) = value.zip(segment) else {
        return Err(Error::Input { what: format!("{} is no cursor in a log of walctl's own", path.display()) });
    };
    let read = value.get("lsn").and_then(serde_json::Value::as_u64).map(Lsn);
    Ok(Pin { name: path.display().to_string(), read, segment: Some(segment) })
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') && segment_lsn(name).is_none()
}

impl Pins {
    /// Those of the log in `dir`.
    pub fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Pins> {
        let kept = kept_pins(disk.as_ref(), dir)?;
        let lsns = kept.into_iter().map(|pin| (pin.name, pin.read.unwrap_or(Lsn(0))));
        Ok(Pins { disk: disk.clone(), dir: dir.to_owned(), kept: Mutex::new(lsns.collect()) })
    }

    /// The pins as they stand. While this is held, none is set, moved or taken away.
    pub fn hold(&self) -> MutexGuard<'_, BTreeMap<String, Lsn>> {
        // Each change is made on the disk first, and then here in one step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or moves a pin, durably. What it needs must be there.
    pub fn set(&self, name: &str, read: Lsn) -> Result<()> {
        if !is_name(name) {
            let what =
                format!("`{name}` is no name for a pin: up to {LONGEST_NAME} letters, digits, dots, dashes and underscores");
            return Err(Error::Input { what });
        }
        let mut kept = self.hold();
        let firsts = self.disk.list(&self.dir)?.into_iter().filter_map(|entry| segment_lsn(&entry.name));
        let first = firsts.min().unwrap_or(Lsn::FIRST);
        if read.next() < first {
            let why = format!("it begins with LSN {first}: LSN {} was let go before it was pinned", read.next());
            return Err(Error::Refused { path: self.dir.clone(), why });
        }
        let path = self.path(name);
        let new = unfinished(&path);
        let file = begin_file(self.disk.as_ref(), &new)?;
        let line = format!("{{\"segment\":\"{}\",\"lsn\":{read},\"offset\":0}}\n", segment_name(first));
        write_full(file.as_ref(), line.as_bytes(), 0)?;
        file.sync_all()?;
        self.disk.rename(&new, &path)?;
        self.disk.sync_dir(&self.dir)?;
        kept.insert(name.to_owned(), read);
        Ok(())
    }

    /// Takes a pin away; whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let mut kept = self.hold();
        if !kept.contains_key(name) {
            return Ok(false);
        }
        self.disk.remove(&self.path(name))?;
        self.disk.sync_dir(&self.dir)?;
        kept.remove(name);
        Ok(true)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }
}

/// A pin that a log's writer keeps.
pub(super) fn pin(name: &str, read: Lsn) -> Pin {
    Pin { name: name.to_owned(), read: Some(read), segment: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Luck, SimDisk};

    fn log() -> (SimDisk, Arc<dyn Disk>) {
        let sim = SimDisk::new();
        sim.create_dir(Path::new("/log")).expect("a folder can be made");
        sim.sync_dir(Path::new("/")).expect("it syncs");
        (sim.clone(), Arc::new(sim))
    }

    #[test]
    fn a_pin_outlives_a_crash_and_a_name_that_leads_elsewhere_is_refused() {
        let (sim, disk) = log();
        let pins = Pins::open(&disk, Path::new("/log")).expect("it lists");
        pins.set("replica-2", Lsn(7)).expect("the disk is well");
        pins.set("replica-2", Lsn(9)).expect("the disk is well");
        pins.set("b", Lsn(0)).expect("the disk is well");
        assert!(pins.remove("b").expect("the disk is well") && !pins.remove("b").expect("the disk is well"));
        for wrong in ["", "../x", "a/b", ".hidden", "a b", &"x".repeat(65)] {
            assert!(matches!(pins.set(wrong, Lsn(1)), Err(Error::Input { .. })), "{wrong:?}");
        }
        let after = sim.after_power_failure(Luck::None);
        let kept = kept_pins(&after, Path::new("/log")).expect("it lists");
        assert_eq!(kept.iter().map(|pin| (pin.name.as_str(), pin.read)).collect::<Vec<_>>(), [("replica-2", Some(Lsn(9)))]);
    }

    #[test]
    fn a_pin_on_what_is_gone_is_refused() {
        let (sim, disk) = log();
        sim.open(&Path::new("/log").join(segment_name(Lsn(11))), Open::CREATE).expect("a file can be made");
        let pins = Pins::open(&disk, Path::new("/log")).expect("it lists");
        assert!(matches!(pins.set("late", Lsn(9)), Err(Error::Refused { .. })));
        pins.set("just", Lsn(10)).expect("11 is still there");
    }
}
