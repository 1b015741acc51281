//! Reading a file through a mapping, without dying of it.
//!
//! A mapped file that shrinks, or a bad sector below it, is a SIGBUS and not an error value. A handler puts a page of zeros where
//! the fault was and counts it. Zeros fail every checksum, so the reader comes to look, sees the count, and reads that place again
//! with a system call, which answers in words.
//!
//! The handler is the process's, so a program that embeds this library shares it: it is installed at the first mapping, in front of
//! the action that SIGBUS had, and hands every fault on to that one which is not in a mapping of ours. A handler that the program
//! installs later must do the same for us; without that, read with [`Io::Read`](super::Io::Read), which maps nothing.

use std::ffi::c_int;
use std::fmt;
use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use memmap2::{Advice, Mmap, MmapOptions};

/// The content of a file as it lies in the page cache.
pub struct Mapping {
    map: Mmap,
    slot: &'static Slot,
}

impl Mapping {
    /// Maps the first `length` bytes. `None` when there are none, the system refuses, or too many mappings stand already.
    pub(super) fn new(file: &fs::File, length: u64) -> Option<Mapping> {
        let length = usize::try_from(length).ok().filter(|&l| l > 0)?;
        install();
        // SAFETY: the bytes may change while we look at them if a process writes to the file; we only ever check, copy and print
        // them, and a fault becomes zeros (see the handler below). Callers map no segment that is still being written.
        let map = unsafe { MmapOptions::new().len(length).map(file) }.ok()?;
        let _ = map.advise(Advice::Sequential);
        let slot = claim(map.as_ptr() as usize, length)?;
        Some(Mapping { map, slot })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// How many pages could not be read so far and now look like zeros.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.slot.faults.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes, {} faults)", self.map.len(), self.faults())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Before the unmapping, which comes with the fields: the handler must not touch an address that now belongs to something else.
        self.slot.length.store(0, Ordering::Release);
        self.slot.start.store(0, Ordering::Release);
    }
}

struct Slot {
    /// 0 when free, 1 while it is being filled.
    start: AtomicUsize,
    length: AtomicUsize,
    faults: AtomicUsize,
}

/// As many as threads could ever walk segments at once, with room. A mapping that finds no slot is not made.
static SLOTS: [Slot; 256] =
    [const { Slot { start: AtomicUsize::new(0), length: AtomicUsize::new(0), faults: AtomicUsize::new(0) } }; 256];

fn claim(start: usize, length: usize) -> Option<&'static Slot> {
    let slot = SLOTS.iter().find(|s| s.start.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    slot.faults.store(0, Ordering::Relaxed);
    slot.start.store(start, Ordering::Release);
    slot.length.store(length, Ordering::Release);
    Some(slot)
}

static PAGE: AtomicUsize = AtomicUsize::new(4096);
static INSTALL: Once = Once::new();
/// The action that SIGBUS had before ours. It is set before ours can run, and never changed.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Puts our handler in front of the action that SIGBUS has, at the first mapping and once a process.
fn install() {
    INSTALL.call_once(|| {
        PAGE.store(rustix::param::page_size(), Ordering::Relaxed);
        // SAFETY: the actions are fully initialised, the handler has the signature that SA_SIGINFO asks for, and it calls only what
        // may be called in a handler.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGBUS, ptr::null(), &mut before);
            let _ = BEFORE.set(before);
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            // On the stack that the thread has for signals, if it has one: a runtime with small stacks counts on that.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (before.sa_flags & libc::SA_NODEFER);
            action.sa_mask = before.sa_mask;
            libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
        }
    });
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a valid siginfo with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let page = PAGE.load(Ordering::Relaxed);
    for slot in &SLOTS {
        let (start, length) = (slot.start.load(Ordering::Acquire), slot.length.load(Ordering::Acquire));
        if length == 0 || address < start || address - start >= length {
            continue;
        }
        // SAFETY: the page lies inside one of our own read-only mappings, and is replaced by a readable page of zeros.
        let put = unsafe {
            libc::mmap(
                (address & !(page - 1)) as *mut libc::c_void,
                page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if put != libc::MAP_FAILED {
            slot.faults.fetch_add(1, Ordering::AcqRel);
            return;
        }
    }
    pass_on(signal, info, context);
}

/// A fault that is not in a mapping of ours belongs to the action that was there before.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = BEFORE.get().filter(|before| !matches!(before.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN));
    match before {
        Some(before) if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with SA_SIGINFO the action is a function of these three, and they are handed on as they came.
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(before.sa_sigaction) };
            handler(signal, info, context);
        }
        Some(before) => {
            // SAFETY: without SA_SIGINFO the action is a function of the signal alone.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(before.sa_sigaction) };
            handler(signal);
        }
        // No handler took it: take ours away, so that the same fault comes again and ends the process as it would have.
        None => {
            // SAFETY: SIG_DFL with an empty mask is a valid action.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrinks_below_its_mapping_reads_as_zeros_and_is_counted() {
        let path = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(path.path(), vec![7u8; 3 * 4096]).expect("room for 12 KiB");
        let file = OpenOptions::new().read(true).write(true).open(path.path()).expect("it was just made");
        let mapping = Mapping::new(&file, 3 * 4096).expect("a regular file maps");
        assert_eq!((mapping.bytes()[0], mapping.faults()), (7, 0));
        file.set_len(4096).expect("files can be cut");
        assert_eq!(mapping.bytes()[2 * 4096], 0);
        assert_eq!(mapping.faults(), 1);
        assert_eq!(mapping.bytes()[4095], 7);
    }

    use std::fs::OpenOptions;
}
