//! What the device itself did, by its own counters: write amplification, and flushes that reached it.

use super::machine::BenchPlace;

/// The counters of a device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// Bytes written.
    pub bytes: u64,
    /// Flushes done.
    pub flushes: u64,
}

impl Device {
    /// Reads them; none where there is no device.
    pub fn read(place: &BenchPlace) -> Option<Device> {
        parse(&std::fs::read_to_string(place.stat.as_ref()?).ok()?)
    }

    /// What was done since then. Counters that went back belong to another device.
    pub fn since(&self, before: &Device) -> Device {
        Device { bytes: self.bytes.saturating_sub(before.bytes), flushes: self.flushes.saturating_sub(before.flushes) }
    }
}

/// `/sys/block/*/stat`: the seventh number counts sectors of 512 bytes written, the sixteenth flushes.
fn parse(text: &str) -> Option<Device> {
    let numbers: Vec<u64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    Some(Device { bytes: numbers.get(6)?.checked_mul(512)?, flushes: numbers.get(15).copied().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_and_flushes_are_read_from_old_and_new_kernels() {
        let new = "100 1 800 5 200 2 1600 9 0 10 20 0 0 0 0 33 44\n";
        assert_eq!(parse(new), Some(Device { bytes: 1600 * 512, flushes: 33 }));
        assert_eq!(parse("100 1 800 5 200 2 1600 9 0 10 20"), Some(Device { bytes: 1600 * 512, flushes: 0 }));
        assert_eq!(parse("1 2 3"), None);
        assert_eq!(parse(""), None);
    }
}
