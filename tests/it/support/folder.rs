//! A log as files in memory, and a disk in memory that holds it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, EntryKind, Open, SimDisk, write_full};
use walctl::formats::Format;
use walctl::model::Keys;
use walctl::ops::open::{Choice, Input, open};

/// The files of a folder by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A disk in memory with these files in a folder.
pub fn disk_with(files: &Files, dir: &Path) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(dir).expect("an empty disk takes a folder");
    for (name, bytes) in files {
        let file = disk.open(&dir.join(name), Open::CREATE).expect("the name is free");
        write_full(file.as_ref(), bytes, 0).expect("there is room");
    }
    disk
}

/// All files of a folder.
pub fn files_in(disk: &dyn Disk, dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in disk.list(dir).expect("the folder is there").into_iter().filter(|e| e.kind == EntryKind::File) {
        let file = disk.open(&dir.join(&entry.name), Open::READ).expect("the file is there");
        let mut bytes = vec![0; usize::try_from(entry.length).expect("small")];
        let count = walctl::disk::read_full(file.as_ref(), &mut bytes, 0).expect("it can be read");
        bytes.truncate(count);
        files.insert(entry.name, bytes);
    }
    files
}

/// Opens the log in a folder.
pub fn reopen(disk: &Arc<dyn Disk>, dir: &Path, format: Option<&'static Format>, keys: &Keys) -> walctl::model::Result<Input> {
    let choice = Choice { format, keys: keys.clone(), ..Choice::default() };
    Ok(open(disk, dir, &choice)?.remove(0))
}
