//! What all that reads a bucket shares: listings, objects in the state in which they were listed, and one failure for all.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use object_store::path::Path as Key;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use super::fetch::{Asker, PinnedObject, quoted};
use super::file::HeldBytes;
use super::store::{BucketPath, Sizes, Store};
use super::words::WayFailure;
use crate::disk::{Entry, EntryKind, Traffic, crc32};
use crate::model::{Error, Result};

/// How many beginnings of objects are held.
const HEADS: usize = 64;

/// What all that reads a bucket shares.
pub struct Bucket {
    /// What every place in it begins with.
    place: BucketPath,
    store: Store,
    asker: Asker,
    bytes: Arc<AtomicU64>,
    /// Set once: the way is lost.
    lost: OnceLock<Loss>,
    known: Mutex<Known>,
    slots: Mutex<Slots>,
    runtime: Option<Runtime>,
}

/// How many read at once, where nobody says it.
const READERS: usize = 2;

/// How many pieces may be on their way for which nobody waits.
struct Slots {
    all: usize,
    used: usize,
}

/// One of them; it is free again when this is dropped.
pub struct AheadSlot(Arc<Bucket>);

impl Drop for AheadSlot {
    fn drop(&mut self) {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).used -= 1;
    }
}

/// Why the way is lost.
#[derive(Clone, Debug)]
struct Loss {
    doing: &'static str,
    path: PathBuf,
    offset: Option<u64>,
    why: String,
    denied: bool,
}

/// What came so far.
#[derive(Default)]
struct Known {
    /// Folders by their names in the bucket.
    folders: HashMap<String, Listing>,
    heads: VecDeque<Arc<ObjectHead>>,
    reads: HashMap<PathBuf, Reads>,
}

/// The beginning of an object, which is asked for once, whoever waits for it.
struct ObjectHead {
    object: Arc<PinnedObject>,
    came: OnceCell<Result<Arc<HeldBytes>, WayFailure>>,
}

impl ObjectHead {
    async fn get(&self, asker: &Asker, glance: u64) -> Result<Arc<HeldBytes>, WayFailure> {
        let ask = async || {
            let bytes = asker.bytes(&self.object, 0..glance.min(self.object.length)).await?;
            Ok(Arc::new(HeldBytes { start: 0, bytes }))
        };
        self.came.get_or_init(ask).await.clone()
    }
}

/// A folder that was listed.
pub struct Listing {
    pub entries: Vec<(Entry, Option<Arc<PinnedObject>>)>,
    /// Where each name stands: there may be thousands, and each is looked for often.
    places: HashMap<String, usize>,
    /// It was handed out as a listing: the next one is asked for anew.
    pub given: bool,
}

/// What was read of an object.
struct Reads {
    object: Arc<PinnedObject>,
    ranges: Vec<(Range<u64>, u32)>,
    /// How many of them were read twice.
    confirmed: usize,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Nothing that is still on its way is waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Bucket {
    /// The bucket that a place is in. Nothing is asked of it yet.
    pub fn new(path: &Path, settings: &[(String, String)]) -> Result<Bucket> {
        let place = BucketPath::of(path)?;
        let store = Store::new(&place, settings).map_err(|trouble| {
            let (why, denied) = trouble.words();
            Error::Unreachable { doing: "open", path: path.to_owned(), offset: None, why, denied }
        })?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bucket")
            .enable_all()
            .build()
            .map_err(Error::io("start a thread for", path))?;
        let bytes = Arc::new(AtomicU64::new(0));
        let asker = Asker { client: store.client.clone(), bytes: bytes.clone(), rooms: Arc::default() };
        let (lost, known, runtime) = (OnceLock::new(), Mutex::default(), Some(runtime));
        let slots = Mutex::new(Slots { all: READERS, used: 0 });
        Ok(Bucket { place, store, asker, bytes, lost, known, slots, runtime })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken only when nothing holds the bucket any more")
    }

    /// Does something on the way, and waits for it.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Leave to have a piece on its way for which nobody waits, if there is any left.
    pub fn slot(self: &Arc<Bucket>) -> Option<AheadSlot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.used >= slots.all {
            return None;
        }
        slots.used += 1;
        Some(AheadSlot(self.clone()))
    }

    /// So many threads read at once.
    pub fn readers(&self, count: usize) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).all = count;
    }

    /// What was asked so far.
    pub fn traffic(&self) -> Traffic {
        Traffic { requests: self.store.requests.load(Ordering::Relaxed), bytes_read: self.bytes.load(Ordering::Relaxed) }
    }

    /// Takes the room of a piece back.
    pub fn give_back(&self, piece: Option<HeldBytes>) {
        if let Some(piece) = piece {
            self.asker.give_back(piece.bytes);
        }
    }

    /// Begins something on the way, and waits for nothing.
    pub fn start<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime().spawn(work)
    }

    /// The client.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How much is asked for at a time.
    pub fn sizes(&self) -> Sizes {
        self.store.sizes
    }

    /// The name in the bucket of what a path names.
    pub fn key(&self, path: &Path) -> Result<Key> {
        let place = BucketPath::of(path)?;
        let wrong = |why: String| Error::Input { what: format!("{}: {why}", path.display()) };
        if place.bucket != self.place.bucket || place.scheme != self.place.scheme {
            return Err(wrong(format!("it is not in the bucket {}", self.place.bucket)));
        }
        Key::parse(&place.key).map_err(|_| wrong("no object has such a name".into()))
    }

    /// An error if the way is lost.
    pub fn holds(&self) -> Result<()> {
        self.error().map_or(Ok(()), Err)
    }

    /// Why the way is lost; `None` as long as it holds.
    pub fn error(&self) -> Option<Error> {
        let Loss { doing, path, offset, why, denied } = self.lost.get()?.clone();
        Some(Error::Unreachable { doing, path, offset, why, denied })
    }

    /// The way is lost, unless it was lost before.
    pub fn lose(&self, doing: &'static str, path: &Path, offset: Option<u64>, trouble: WayFailure) -> Error {
        let (why, denied) = trouble.words();
        let _ = self.lost.set(Loss { doing, path: path.to_owned(), offset, why, denied });
        self.error().expect("it was just set, or before")
    }

    /// Asks for a range, and waits for nothing.
    pub fn ask(&self, object: &Arc<PinnedObject>, range: Range<u64>) -> JoinHandle<Result<Vec<u8>, WayFailure>> {
        let (asker, object) = (self.asker.clone(), object.clone());
        self.start(async move { asker.bytes(&object, range).await })
    }

    /// What came for a range that was asked for.
    pub fn wait(
        &self,
        object: &Arc<PinnedObject>,
        range: Range<u64>,
        answer: JoinHandle<Result<Vec<u8>, WayFailure>>,
    ) -> Result<Vec<u8>> {
        let came = self.run(answer).unwrap_or_else(|_| Err(WayFailure::of("the request was given up")));
        self.took(object, range, came)
    }

    /// The bytes of a range.
    pub fn fetch(&self, object: &Arc<PinnedObject>, range: Range<u64>) -> Result<Vec<u8>> {
        let came = self.run(self.asker.bytes(object, range.clone()));
        self.took(object, range, came)
    }

    fn took(&self, object: &Arc<PinnedObject>, range: Range<u64>, came: Result<Vec<u8>, WayFailure>) -> Result<Vec<u8>> {
        let bytes = came.map_err(|trouble| self.lose("read", &object.path, Some(range.start), trouble))?;
        self.remember(object, range, &bytes)?;
        Ok(bytes)
    }

    /// Remembers what came, so that it can be compared with what comes another time.
    fn remember(&self, object: &Arc<PinnedObject>, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        let sum = crc32(0, bytes);
        let mut known = self.known();
        let reads = known.reads.entry(object.path.clone()).or_insert_with(|| Reads::of(object));
        if reads.object.etag != object.etag {
            *reads = Reads::of(object);
        }
        match reads.ranges.iter().find(|(before, _)| *before == range) {
            Some((_, before)) if *before != sum => Err(self.lose("read", &object.path, Some(range.start), other_bytes())),
            Some(_) => Ok(()),
            None => {
                reads.ranges.push((range, sum));
                Ok(())
            }
        }
    }

    /// The entries of a folder: asked for where they are not known, or `anew`.
    pub fn listing<T>(&self, dir: &Path, anew: bool, look: impl FnOnce(&mut Listing) -> T) -> Result<T> {
        let key = self.key(dir)?;
        if let Some(listing) = self.known().folders.get_mut(key.as_ref()).filter(|listing| !anew || !listing.given) {
            return Ok(look(listing));
        }
        self.holds()?;
        let listed = self.run(self.store.client.list_with_delimiter(Some(&key)));
        let listed = listed.map_err(|error| match WayFailure::from(error) {
            WayFailure::Gone => self.lose("list", dir, None, WayFailure::of("there is no such bucket")),
            trouble => self.lose("list", dir, None, trouble),
        })?;
        let folder = |prefix: Key| {
            let name = prefix.filename()?.to_owned();
            Some((Entry { name, length: 0, kind: EntryKind::Folder }, None))
        };
        let mut entries: Vec<_> = listed.common_prefixes.into_iter().filter_map(folder).collect();
        for object in listed.objects {
            // A marker of the folder itself is none of its files.
            let Some(name) = object.location.filename().filter(|_| object.location != key).map(str::to_owned) else { continue };
            let path = dir.join(&name);
            let Some(etag) = object.e_tag else {
                return Err(self.lose(
                    "list",
                    &path,
                    None,
                    WayFailure::of("the server gives no etag by which an object is known again"),
                ));
            };
            let pinned = Arc::new(PinnedObject { path, key: object.location, length: object.size, etag: quoted(etag) });
            entries.push((Entry { name, length: object.size, kind: EntryKind::File }, Some(pinned)));
        }
        let places = entries.iter().enumerate().map(|(place, (entry, _))| (entry.name.clone(), place)).collect();
        let mut listing = Listing { entries, places, given: false };
        let looked = look(&mut listing);
        self.known().folders.insert(key.as_ref().to_owned(), listing);
        Ok(looked)
    }

    /// What stands at a path, if it is something.
    pub fn find(&self, path: &Path) -> Result<Option<(Entry, Option<Arc<PinnedObject>>)>> {
        let key = self.key(path)?;
        let name = key.filename().unwrap_or_default().to_owned();
        let folder = |name: String| Some((Entry { name, length: 0, kind: EntryKind::Folder }, None));
        let Some(above) = path.parent().filter(|_| !name.is_empty()) else { return Ok(folder(name)) };
        let known = self.known().folders.contains_key(self.key(above)?.as_ref());
        // What nobody listed may be a folder of ten thousand logs above the one that is named.
        if !known && self.listing(path, false, |listing| !listing.entries.is_empty())? {
            return Ok(folder(name));
        }
        self.listing(above, false, |listing| listing.places.get(&name).map(|place| listing.entries[*place].clone()))
    }

    /// The object at a path, if one stands there.
    pub fn object(&self, path: &Path) -> Result<Option<Arc<PinnedObject>>> {
        Ok(self.find(path)?.and_then(|(_, object)| object))
    }

    /// Lists the folder of a path, unless it is known.
    pub fn list_around(&self, path: &Path) -> Result<()> {
        self.listing(path.parent().unwrap_or(path), false, |_| ())
    }

    /// The folder of a path is listed anew when it is looked at next.
    pub fn forget(&self, path: &Path) -> Result<()> {
        let above = self.key(path.parent().unwrap_or(path))?;
        self.known().folders.remove(above.as_ref());
        Ok(())
    }

    /// The beginning of an object, as it is known or will be.
    fn head_of(&self, object: &Arc<PinnedObject>) -> Arc<ObjectHead> {
        let mut known = self.known();
        let is = |head: &Arc<ObjectHead>| head.object.path == object.path && head.object.etag == object.etag;
        let held = known.heads.iter().position(is).and_then(|at| known.heads.remove(at));
        let head = held.unwrap_or_else(|| Arc::new(ObjectHead { object: object.clone(), came: OnceCell::new() }));
        known.heads.push_back(head.clone());
        if known.heads.len() > HEADS {
            known.heads.pop_front();
        }
        head
    }

    /// The beginning of an object.
    pub fn head(&self, object: &Arc<PinnedObject>) -> Result<Arc<HeldBytes>> {
        self.holds()?;
        match self.run(self.head_of(object).get(&self.asker, self.sizes().glance)) {
            Ok(head) => {
                self.remember(object, 0..head.bytes.len() as u64, &head.bytes)?;
                Ok(head)
            }
            // Retention may have taken it since it was listed.
            Err(WayFailure::Gone) => Err(Error::io("open", &object.path)(io::ErrorKind::NotFound.into())),
            Err(trouble) => Err(self.lose("read", &object.path, Some(0), trouble)),
        }
    }
}

impl Reads {
    fn of(object: &Arc<PinnedObject>) -> Reads {
        Reads { object: object.clone(), ranges: Vec::new(), confirmed: 0 }
    }
}

fn other_bytes() -> WayFailure {
    WayFailure::of("other bytes came when they were read again: some went wrong on the way")
}

impl Bucket {
    /// Reads once more what was read of some files.
    pub fn confirm(&self, files: &[&Path]) -> Result<()> {
        let next = |path: &Path| {
            let mut known = self.known();
            let reads = known.reads.get_mut(path).filter(|reads| reads.confirmed < reads.ranges.len())?;
            reads.confirmed += 1;
            Some((reads.object.clone(), reads.ranges[reads.confirmed - 1].clone()))
        };
        for path in files {
            while let Some((object, (range, sum))) = next(path) {
                self.holds()?;
                match self.run(self.asker.sum(&object, range.clone())) {
                    Ok(again) if again == sum => {}
                    Ok(_) => return Err(self.lose("read", &object.path, Some(range.start), other_bytes())),
                    Err(trouble) => return Err(self.lose("read", &object.path, Some(range.start), trouble)),
                }
            }
        }
        self.holds()
    }

    /// Asks for the beginnings of some files.
    pub fn expect(&self, paths: &[PathBuf]) {
        for path in paths.iter().take(HEADS / 2) {
            // What cannot be found is told when it is opened.
            let Ok(Some(object)) = self.object(path) else { continue };
            if object.length > 0 && self.lost.get().is_none() {
                let (head, asker, glance) = (self.head_of(&object), self.asker.clone(), self.sizes().glance);
                drop(self.start(async move { head.get(&asker, glance).await }));
            }
        }
    }

    /// Every file of which something was read.
    pub fn files_read(&self) -> Vec<PathBuf> {
        self.known().reads.keys().cloned().collect()
    }
}
