//! A disk that keeps only what was synced: what else of it survives a power cut is decided by a seeded coin, piece by piece.
//!
//! A file is what was synced, and behind that each state that a piece of it had since. When the power fails any of these states may be
//! the one that is there, of each piece by itself and of the length too. Of what happened to names in a folder since that was synced,
//! any part may be there, as long as it can be: a file that was never made is not renamed.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// The number of the folder that everything is in.
pub const ROOT: u64 = 1;

/// What is on the disk, and what only seems to be.
#[derive(Debug)]
pub struct Medium {
    /// So many bytes are written whole or not at all.
    piece: usize,
    nodes: BTreeMap<u64, Node>,
    last_number: u64,
    /// Operations so far that change something or sync it.
    pub operations: u64,
    /// The power fails in this one.
    pub cut_at: Option<u64>,
    /// The power has failed.
    pub dead: bool,
    pub syncs: u64,
    /// The sync that fails: what it should have synced is given up, and the next one knows nothing of it.
    pub fail_sync: Option<u64>,
    /// Ranges that cannot be read, by the file's name.
    pub bad: Vec<(String, Range<u64>)>,
    coin: Coin,
}

#[derive(Debug)]
pub enum Node {
    Folder(Folder),
    File(Content),
}

/// Names and the numbers behind them.
#[derive(Debug, Default)]
pub struct Folder {
    pub names: BTreeMap<String, u64>,
    synced: BTreeMap<String, u64>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Put(String, u64),
    Drop(String),
    Move(String, String),
}

#[derive(Debug, Default)]
pub struct Content {
    /// What a reader sees.
    pub bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Every length since the last sync.
    lengths: Vec<usize>,
    /// What each piece that was touched since the last sync has been, in order.
    states: BTreeMap<usize, Vec<Vec<u8>>>,
}

/// Falls the same way for the same seed.
#[derive(Clone, Copy, Debug)]
pub struct Coin(u64);

impl Coin {
    pub fn new(seed: u64) -> Coin {
        Coin(seed)
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("it is below a usize")
    }

    /// One of several states, the first as likely as all others together.
    fn state(&mut self, count: usize) -> usize {
        if count == 1 || self.below(2) == 0 { 0 } else { 1 + self.below(count - 1) }
    }
}

impl Folder {
    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.since.push(change);
    }

    fn sync(&mut self) {
        self.synced = self.names.clone();
        self.since.clear();
    }

    fn survivors(&self, coin: &mut Coin) -> BTreeMap<String, u64> {
        let mut names = self.synced.clone();
        self.since.iter().filter(|_| coin.below(2) == 0).for_each(|change| apply(&mut names, change));
        names
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: &Change) {
    match change {
        Change::Put(name, number) => drop(names.insert(name.clone(), *number)),
        Change::Drop(name) => drop(names.remove(name)),
        Change::Move(from, to) => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
    }
}

/// A part of the bytes, with zeros for what lies behind their end.
fn padded(bytes: &[u8], range: Range<usize>) -> Vec<u8> {
    let mut part = bytes.get(range.start.min(bytes.len())..range.end.min(bytes.len())).unwrap_or_default().to_vec();
    part.resize(range.len(), 0);
    part
}

/// Puts a piece where it belongs, as far as the bytes reach.
fn lay(bytes: &mut [u8], at: usize, piece: &[u8]) {
    let end = bytes.len().min(at + piece.len());
    if at < end {
        bytes[at..end].copy_from_slice(&piece[..end - at]);
    }
}

impl Content {
    fn touched(&mut self, range: Range<usize>, piece: usize) {
        for index in range.start / piece..range.end.div_ceil(piece) {
            let state = padded(&self.bytes, index * piece..(index + 1) * piece);
            self.states.entry(index).or_default().push(state);
        }
        if self.bytes.len() != self.lengths.last().copied().unwrap_or(self.synced.len()) {
            self.lengths.push(self.bytes.len());
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8], piece: usize) {
        let end = offset + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[offset..end].copy_from_slice(bytes);
        self.touched(offset..end, piece);
    }

    fn set_length(&mut self, length: usize, piece: usize) {
        let before = self.bytes.len();
        self.bytes.resize(length, 0);
        // What is cut off is gone from the piece that the cut goes through; growing adds zeros, which are there without being written.
        let changed = if length < before { length..before } else { 0..0 };
        self.touched(changed, piece);
    }

    fn sync(&mut self, piece: usize) {
        self.synced.resize(self.bytes.len(), 0);
        self.lengths.clear();
        for (index, states) in std::mem::take(&mut self.states) {
            lay(&mut self.synced, index * piece, states.last().expect("a touched piece has a state"));
        }
    }

    /// Only what was written there, and the length: what a write that syncs itself does.
    fn sync_part(&mut self, range: Range<usize>, piece: usize) {
        self.synced.resize(self.bytes.len(), 0);
        self.lengths.clear();
        for index in range.start / piece..range.end.div_ceil(piece) {
            if let Some(states) = self.states.remove(&index) {
                lay(&mut self.synced, index * piece, states.last().expect("a touched piece has a state"));
            }
        }
    }

    /// What the disk itself gives back, past the cache: a piece that was given up is not what the cache shows.
    fn past_cache(&self, piece: usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        bytes.resize(self.bytes.len(), 0);
        for (index, states) in &self.states {
            lay(&mut bytes, index * piece, states.last().expect("a touched piece has a state"));
        }
        bytes
    }

    fn survivors(&self, piece: usize, coin: &mut Coin) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let chosen = coin.state(self.lengths.len() + 1);
        if chosen > 0 {
            bytes.resize(self.lengths[chosen - 1], 0);
        }
        for (index, states) in &self.states {
            let chosen = coin.state(states.len() + 1);
            if chosen > 0 {
                lay(&mut bytes, index * piece, &states[chosen - 1]);
            }
        }
        bytes
    }
}

type Answer<T> = Result<T, i32>;

impl Medium {
    pub fn new(piece: usize, seed: u64) -> Medium {
        Medium {
            piece,
            nodes: BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]),
            last_number: ROOT,
            operations: 0,
            cut_at: None,
            dead: false,
            syncs: 0,
            fail_sync: None,
            bad: Vec::new(),
            coin: Coin::new(seed),
        }
    }

    pub fn node(&self, number: u64) -> Answer<&Node> {
        if self.dead { Err(libc::EIO) } else { self.nodes.get(&number).ok_or(libc::ENOENT) }
    }

    pub fn folder(&self, number: u64) -> Answer<&Folder> {
        match self.node(number)? {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(libc::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, number: u64) -> Answer<&mut Folder> {
        match self.nodes.get_mut(&number) {
            Some(Node::Folder(folder)) => Ok(folder),
            Some(Node::File(_)) => Err(libc::ENOTDIR),
            None => Err(libc::ENOENT),
        }
    }

    fn file_mut(&mut self, number: u64) -> Answer<&mut Content> {
        match self.nodes.get_mut(&number) {
            Some(Node::File(content)) => Ok(content),
            Some(Node::Folder(_)) => Err(libc::EISDIR),
            None => Err(libc::ENOENT),
        }
    }

    /// Does what changes something. The one in which the power fails has begun, and nobody hears how it ended: what syncs in it is told.
    fn change<T>(&mut self, act: impl FnOnce(&mut Medium, bool) -> Answer<T>) -> Answer<T> {
        if self.dead {
            return Err(libc::EIO);
        }
        self.operations += 1;
        self.dead = self.cut_at == Some(self.operations);
        let (dead, result) = (self.dead, act(self, self.dead));
        if dead { Err(libc::EIO) } else { result }
    }

    pub fn make(&mut self, parent: u64, name: &str, folder: bool) -> Answer<u64> {
        self.change(|medium, _| {
            let number = medium.last_number + 1;
            let names = medium.folder_mut(parent)?;
            if names.names.contains_key(name) {
                return Err(libc::EEXIST);
            }
            names.change(Change::Put(name.to_owned(), number));
            let node = if folder { Node::Folder(Folder::default()) } else { Node::File(Content::default()) };
            medium.nodes.insert(number, node);
            medium.last_number = number;
            Ok(number)
        })
    }

    pub fn remove(&mut self, parent: u64, name: &str) -> Answer<()> {
        self.change(|medium, _| {
            let names = medium.folder_mut(parent)?;
            if !names.names.contains_key(name) {
                return Err(libc::ENOENT);
            }
            names.change(Change::Drop(name.to_owned()));
            Ok(())
        })
    }

    pub fn rename(&mut self, parent: u64, from: &str, to: &str) -> Answer<()> {
        self.change(|medium, _| {
            let names = medium.folder_mut(parent)?;
            if !names.names.contains_key(from) {
                return Err(libc::ENOENT);
            }
            names.change(Change::Move(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    /// Writes; `synced` when it is to be durable by itself.
    pub fn write(&mut self, number: u64, offset: usize, bytes: &[u8], synced: bool) -> Answer<()> {
        let piece = self.piece;
        self.change(|medium, dead| {
            let content = medium.file_mut(number)?;
            content.write(offset, bytes, piece);
            if synced && !dead {
                content.sync_part(offset..offset + bytes.len(), piece);
            }
            Ok(())
        })
    }

    pub fn set_length(&mut self, number: u64, length: usize) -> Answer<()> {
        let piece = self.piece;
        self.change(|medium, _| {
            medium.file_mut(number)?.set_length(length, piece);
            Ok(())
        })
    }

    /// Reserves room; the file grows, with zeros, where it is shorter.
    pub fn reserve(&mut self, number: u64, end: usize) -> Answer<()> {
        let piece = self.piece;
        self.change(|medium, _| {
            let content = medium.file_mut(number)?;
            if content.bytes.len() < end {
                content.set_length(end, piece);
            }
            Ok(())
        })
    }

    pub fn sync(&mut self, number: u64) -> Answer<()> {
        self.change(|medium, dead| {
            if dead {
                return Ok(());
            }
            medium.syncs += 1;
            let (piece, fails) = (medium.piece, medium.fail_sync == Some(medium.syncs));
            let mut coin = medium.coin;
            let done = match medium.nodes.get_mut(&number).ok_or(libc::ENOENT)? {
                // What became of names is kept by a journal, which is tried again or ends the filesystem.
                Node::Folder(_) if fails => Err(libc::EIO),
                Node::File(content) if fails => {
                    content.synced = content.survivors(piece, &mut coin);
                    (content.lengths, content.states) = Default::default();
                    Err(libc::EIO)
                }
                Node::Folder(folder) => {
                    folder.sync();
                    Ok(())
                }
                Node::File(content) => {
                    content.sync(piece);
                    Ok(())
                }
            };
            medium.coin = coin;
            done
        })
    }

    pub fn read(&self, number: u64, name: &str, range: Range<usize>, past_cache: bool) -> Answer<Vec<u8>> {
        let Node::File(content) = self.node(number)? else { return Err(libc::EISDIR) };
        let meets = |bad: &Range<u64>| (range.start as u64) < bad.end && bad.start < range.end as u64;
        if self.bad.iter().any(|(file, bad)| file == name && meets(bad)) {
            return Err(libc::EIO);
        }
        let held = past_cache.then(|| content.past_cache(self.piece));
        let bytes = held.as_ref().unwrap_or(&content.bytes);
        Ok(bytes[range.start.min(bytes.len())..range.end.min(bytes.len())].to_vec())
    }

    /// The name of a file in any folder.
    pub fn name_of(&self, number: u64) -> Option<&str> {
        self.nodes.values().find_map(|node| {
            let Node::Folder(folder) = node else { return None };
            folder.names.iter().find(|(_, behind)| **behind == number).map(|(name, _)| name.as_str())
        })
    }

    /// Puts what this fall of the coin leaves into a folder of the machine.
    pub fn survivors(&self, seed: u64, into: &Path) {
        self.survive(ROOT, &mut Coin::new(seed), into);
    }

    /// The power comes back: what this fall of the coin leaves is all that was ever there.
    pub fn reboot(&mut self, seed: u64) {
        let (piece, coin) = (self.piece, &mut Coin::new(seed));
        for node in self.nodes.values_mut() {
            match node {
                Node::Folder(folder) => {
                    folder.names = folder.survivors(coin);
                    folder.sync();
                }
                Node::File(content) => {
                    content.bytes = content.survivors(piece, coin);
                    content.synced.clone_from(&content.bytes);
                    content.lengths.clear();
                    content.states.clear();
                }
            }
        }
        (self.dead, self.cut_at, self.operations) = (false, None, 0);
    }

    fn survive(&self, number: u64, coin: &mut Coin, into: &Path) {
        match &self.nodes[&number] {
            Node::Folder(folder) => {
                fs::create_dir_all(into).expect("the sandbox has room");
                folder.survivors(coin).iter().for_each(|(name, number)| self.survive(*number, coin, &into.join(name)));
            }
            Node::File(content) => fs::write(into, content.survivors(self.piece, coin)).expect("the sandbox has room"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What any of many falls of the coin leaves of the file `a` in a medium.
    fn all(medium: &Medium) -> Vec<Option<Vec<u8>>> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut found: Vec<_> = (0..64)
            .map(|seed| {
                let into = dir.path().join(seed.to_string());
                medium.survivors(seed, &into);
                fs::read(into.join("a")).ok()
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn what_was_synced_is_there_and_of_the_rest_any_part() {
        let mut medium = Medium::new(2, 1);
        let a = medium.make(ROOT, "a", false).expect("there is room");
        medium.write(a, 0, b"1111", false).expect("there is room");
        medium.sync(a).expect("it is well");
        medium.sync(ROOT).expect("it is well");
        assert_eq!(all(&medium), [Some(b"1111".to_vec())]);
        medium.write(a, 1, b"22", false).expect("there is room");
        medium.write(a, 1, b"3", false).expect("there is room");
        let whole = ["1111", "1121", "1211", "1221", "1311", "1321"].map(|text| Some(text.as_bytes().to_vec()));
        assert_eq!(all(&medium), whole);
        medium.write(a, 0, b"44", true).expect("there is room");
        assert_eq!(all(&medium), ["4411", "4421"].map(|text| Some(text.as_bytes().to_vec())));
    }

    #[test]
    fn a_length_and_a_name_that_were_not_synced_may_be_there() {
        let mut medium = Medium::new(4, 1);
        let a = medium.make(ROOT, "b", false).expect("there is room");
        medium.write(a, 0, b"1", false).expect("there is room");
        medium.sync(a).expect("it is well");
        medium.sync(ROOT).expect("it is well");
        medium.rename(ROOT, "b", "a").expect("it is there");
        medium.set_length(a, 3).expect("there is room");
        assert_eq!(all(&medium), [None, Some(b"1".to_vec()), Some(b"1\0\0".to_vec())]);
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_the_next() {
        let mut medium = Medium::new(1, 7);
        let a = medium.make(ROOT, "a", false).expect("there is room");
        medium.sync(ROOT).expect("it is well");
        medium.fail_sync = Some(2);
        medium.write(a, 0, &[1; 64], false).expect("there is room");
        assert_eq!(medium.sync(a), Err(libc::EIO));
        assert_eq!(medium.sync(a), Ok(()));
        let left = all(&medium);
        assert!(left.len() == 1 && left[0] != Some(vec![1; 64]), "{left:?}");
        assert_eq!(medium.read(a, "a", 0..64, false), Ok(vec![1; 64]), "the cache shows it all the same");
        assert_eq!(medium.read(a, "a", 0..64, true).ok(), left[0], "and the disk does not");
    }

    #[test]
    fn the_power_fails_in_the_operation_that_was_named() {
        let mut medium = Medium::new(512, 1);
        medium.cut_at = Some(3);
        let a = medium.make(ROOT, "a", false).expect("there is room");
        medium.sync(ROOT).expect("it is well");
        assert_eq!(medium.write(a, 0, b"x", true), Err(libc::EIO));
        assert_eq!(medium.sync(a), Err(libc::EIO));
        assert_eq!(all(&medium), ["", "\0", "x"].map(|text| Some(text.as_bytes().to_vec())));
    }
}
