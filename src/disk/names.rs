//! The names on a disk that forgets: what each stands for, and which of them would survive.
//!
//! A name belongs to a folder by the folder's number, whatever that is called and wherever it is moved: so what was synced into a folder
//! is found in it under its old name or its new one, whichever survived.

use super::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::model::{Error, Result};

/// The folder above everything.
const ROOT: usize = 0;

/// A name, with the number of its folder.
pub type Name = (usize, OsString);

/// What a name stands for, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file.
    File(usize),
    /// A folder.
    Folder(usize),
}

/// All names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// What is seen.
    now: BTreeMap<Name, Target>,
    /// What was synced.
    stable: BTreeMap<Name, Target>,
    /// What was done since, in order.
    unsynced: Vec<NameChange>,
    /// How many folders were made.
    folders: usize,
}

#[derive(Clone, Debug)]
enum NameChange {
    Link(Name, Target),
    Rename(Name, Name),
    Unlink(Name),
}

impl NameChange {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> usize {
        match self {
            NameChange::Link((folder, _), _) | NameChange::Rename(_, (folder, _)) | NameChange::Unlink((folder, _)) => *folder,
        }
    }

    fn apply(&self, names: &mut BTreeMap<Name, Target>) {
        match self {
            NameChange::Link(name, target) => {
                names.insert(name.clone(), *target);
            }
            NameChange::Rename(from, to) => {
                if let Some(target) = names.remove(from) {
                    names.insert(to.clone(), target);
                }
            }
            NameChange::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl Names {
    /// What stands at a path.
    pub fn find(&self, path: &Path) -> Option<Target> {
        let mut here = Target::Folder(ROOT);
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Target::Folder(folder) = here else { return None };
            here = *self.now.get(&(folder, name.to_owned()))?;
        }
        Some(here)
    }

    /// The name at the end of a path, of something that is there or may be made there.
    pub fn name(&self, doing: &'static str, path: &Path) -> Result<Name> {
        let folder = path.parent().and_then(|above| self.find(above));
        match (folder, path.file_name()) {
            (Some(Target::Folder(folder)), Some(name)) => Ok((folder, name.to_owned())),
            (Some(Target::File(_)), Some(_)) => Err(errno(doing, path, Errno::NOTDIR)),
            _ => Err(errno(doing, path, Errno::NOENT)),
        }
    }

    /// The names in a folder, in their order.
    pub fn in_folder(&self, folder: usize) -> impl Iterator<Item = (&OsStr, Target)> {
        let names = self.now.range((folder, OsString::new())..).take_while(move |((above, _), _)| *above == folder);
        names.map(|((_, name), target)| (name.as_os_str(), *target))
    }

    /// Each file that can be found, by its path.
    pub fn each_file(&self, take: &mut dyn FnMut(&Path, usize)) {
        let mut folders = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, target) in self.in_folder(folder) {
                match target {
                    Target::File(node) => take(&path.join(name), node),
                    Target::Folder(inner) => folders.push((path.join(name), inner)),
                }
            }
        }
    }

    /// Whether anything that can be found is this.
    pub fn has(&self, target: Target) -> bool {
        self.now.values().any(|found| *found == target)
    }

    /// Gives something a name.
    pub fn link(&mut self, name: Name, target: Target) {
        self.change(NameChange::Link(name, target));
    }

    /// Makes a folder.
    pub fn link_folder(&mut self, name: Name) {
        self.folders += 1;
        self.change(NameChange::Link(name, Target::Folder(self.folders)));
    }

    /// Gives something a name that never survives.
    pub fn link_for_now(&mut self, name: Name, target: Target) {
        self.now.insert(name, target);
    }

    /// Gives what has one name the other one.
    pub fn rename(&mut self, from: Name, to: Name) {
        self.change(NameChange::Rename(from, to));
    }

    /// Takes a name away.
    pub fn unlink(&mut self, name: Name) {
        self.change(NameChange::Unlink(name));
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    /// Makes what was done in a folder durable.
    pub fn sync(&mut self, folder: usize) {
        let stable = &mut self.stable;
        self.unsynced.retain(|change| {
            let here = change.folder() == folder;
            if here {
                change.apply(stable);
            }
            !here
        });
    }

    /// How many changes are not durable.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// The names after the power failed: of the changes that are not durable, those that survive by their number.
    pub fn after(&self, mut survives: impl FnMut(usize) -> bool) -> Names {
        let mut names = self.stable.clone();
        for (_, change) in self.unsynced.iter().enumerate().filter(|(index, _)| survives(*index)) {
            change.apply(&mut names);
        }
        Names { now: names.clone(), stable: names, unsynced: Vec::new(), folders: self.folders }
    }
}

/// The system answers with this error number.
pub fn errno(doing: &'static str, path: &Path, number: Errno) -> Error {
    Error::io(doing, path)(number.into())
}
