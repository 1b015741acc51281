//! Sums that formats need beyond what their crates offer: CRC-32 and CRC-32C of any range in constant time, and CRC-32 run backwards.

use crc32fast::Hasher;

/// CRC-32 (IEEE) of `bytes`, continued from `seed`.
#[must_use]
pub fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// CRC-32C (Castagnoli) of `bytes`, continued from `seed`.
#[must_use]
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(seed, bytes)
}

/// What a CRC-32 of `seed` becomes when `length` bytes follow that contribute nothing themselves.
fn shift(seed: u32, length: u64) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.combine(&Hasher::new_with_initial_len(0, length));
    hasher.finalize()
}

/// The seed from which CRC-32 over `bytes` gives `sum`: the sum run backwards.
///
/// A frame's seed depends on the log's id, which stands in a header that may be damaged. Any whole frame gives it back.
#[must_use]
pub fn seed_of(sum: u32, bytes: &[u8]) -> u32 {
    let mut state = !sum;
    for &byte in bytes.iter().rev() {
        // Forwards: state' = TABLE[(state ^ byte) & 255] ^ (state >> 8). The top byte of state' tells the table's index.
        let index = INDEX[(state >> 24) as usize];
        state = ((state ^ TABLE[index as usize]) << 8) | u32::from(index ^ byte);
    }
    !state
}

/// Where one flipped bit explains that the sum over `length` bytes came out as `computed` and not as `expected`: the byte, counted
/// from the first, and the bit in it. A CRC-32 tells this for any length that a frame can have, nearly without chance.
#[must_use]
pub fn flipped_bit(expected: u32, computed: u32, length: u64) -> Option<(u64, u8)> {
    let mut state = expected ^ computed;
    if state == 0 {
        return None;
    }
    for behind in 0..length {
        // What a wrong bit in a byte does to the sum right after that byte is one entry of the table.
        let index = INDEX[(state >> 24) as usize];
        if index.is_power_of_two() && TABLE[index as usize] == state {
            return Some((length - 1 - behind, index.trailing_zeros() as u8));
        }
        state = ((state ^ TABLE[index as usize]) << 8) | u32::from(index);
    }
    None
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut value = n as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
};

/// From the top byte of a table entry back to its index; each occurs once.
const INDEX: [u8; 256] = {
    let mut index = [0; 256];
    let mut n = 0;
    while n < 256 {
        index[(TABLE[n] >> 24) as usize] = n as u8;
        n += 1;
    }
    index
};

/// What a CRC-32C of `seed` becomes when `length` bytes follow that contribute nothing themselves.
fn shift_castagnoli(seed: u32, length: u64) -> u32 {
    let (mut value, mut left, mut power) = (seed, length, 0);
    while left > 0 {
        if left & 1 == 1 {
            value = times(value, POWERS[power]);
        }
        left >>= 1;
        power += 1;
    }
    value
}

/// The product of two polynomials modulo Castagnoli's, both reflected: the highest bit is the lowest power.
const fn times(a: u32, b: u32) -> u32 {
    let (mut product, mut b, mut bit) = (0, b, 0);
    while bit < 32 {
        product ^= b & 0u32.wrapping_sub((a >> (31 - bit)) & 1);
        b = (b >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(b & 1));
        bit += 1;
    }
    product
}

/// x to the power of 8 × 2^n: what n-th powers of two of zero bytes do to a sum.
const POWERS: [u32; 64] = {
    let mut powers = [0; 64];
    // x^8 in a reflected word.
    powers[0] = 1 << 23;
    let mut n = 1;
    while n < 64 {
        powers[n] = times(powers[n - 1], powers[n - 1]);
        n += 1;
    }
    powers
};

/// Sums of a file's prefixes, one a block, from which the sum over any range follows without reading it.
///
/// A search for frames in hostile bytes meets millions of headers, each claiming a payload of megabytes. Reading each claim
/// would never end; with this, a claim costs two blocks.
#[derive(Debug)]
pub struct PrefixSums {
    sums: Vec<u32>,
    base: u64,
    castagnoli: bool,
}

/// The distance of two known prefixes.
pub const PREFIX_BLOCK: u64 = 4096;

impl PrefixSums {
    /// Nothing known yet; prefixes are counted from `base`.
    #[must_use]
    pub fn from(base: u64) -> PrefixSums {
        PrefixSums { sums: vec![0], base, castagnoli: false }
    }

    /// The same with CRC-32C.
    #[must_use]
    pub fn castagnoli_from(base: u64) -> PrefixSums {
        PrefixSums { sums: vec![0], base, castagnoli: true }
    }

    /// Where the next block to be added begins.
    #[must_use]
    pub fn known_to(&self) -> u64 {
        self.base + (self.sums.len() as u64 - 1) * PREFIX_BLOCK
    }

    /// Adds the next block; it has [`PREFIX_BLOCK`] bytes.
    pub fn add(&mut self, block: &[u8]) {
        debug_assert_eq!(block.len() as u64, PREFIX_BLOCK);
        let last = *self.sums.last().expect("the empty prefix is always there");
        self.sums.push(if self.castagnoli { crc32c(last, block) } else { crc32(last, block) });
    }

    /// The known prefix at or below `offset`: where it ends, and its sum.
    #[must_use]
    pub fn below(&self, offset: u64) -> (u64, u32) {
        let index = ((offset.saturating_sub(self.base)) / PREFIX_BLOCK).min(self.sums.len() as u64 - 1);
        (self.base + index * PREFIX_BLOCK, self.sums[usize::try_from(index).expect("an index of a vector")])
    }

    /// The sum from `seed` over a range of `length` bytes, from the sums of the prefixes that end at its two ends.
    #[must_use]
    pub fn range(seed: u32, prefix_start: u32, prefix_end: u32, length: u64) -> u32 {
        shift(seed ^ prefix_start, length) ^ prefix_end
    }

    /// The same where the sums are CRC-32C.
    #[must_use]
    pub fn castagnoli_range(seed: u32, prefix_start: u32, prefix_end: u32, length: u64) -> u32 {
        shift_castagnoli(seed ^ prefix_start, length) ^ prefix_end
    }
}

/// CRC-32C sums of any range of a small window, each by one multiplication: for searches that must try every byte of it.
#[derive(Debug, Default)]
pub struct WindowSums {
    /// The sum of the first n bytes.
    prefixes: Vec<u32>,
    /// What n bytes that follow do to a sum.
    shifts: Vec<u32>,
}

impl WindowSums {
    /// Takes the sums of a window.
    pub fn take(&mut self, window: &[u8]) {
        self.prefixes.clear();
        self.prefixes.reserve(window.len() + 1);
        let mut sum = 0;
        self.prefixes.push(sum);
        for byte in window {
            sum = crc32c(sum, std::slice::from_ref(byte));
            self.prefixes.push(sum);
        }
        // x to the power of 0, in a reflected word.
        let mut shift = self.shifts.last().copied().unwrap_or(1 << 31);
        while self.shifts.len() <= window.len() {
            if !self.shifts.is_empty() {
                shift = times(shift, POWERS[0]);
            }
            self.shifts.push(shift);
        }
    }

    /// The sum over the bytes of the window from `start` up to, not including, `end`; `None` when they are not all in it.
    #[must_use]
    pub fn range(&self, start: usize, end: usize) -> Option<u32> {
        let shift = *self.shifts.get(end.checked_sub(start)?)?;
        let (first, last) = (*self.prefixes.get(start)?, *self.prefixes.get(end)?);
        Some(times(first, shift) ^ last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn a_sum_run_backwards_gives_its_seed() {
        for (seed, length) in [(0, 0), (0, 1), (0xDEAD_BEEF, 7), (1, 1000), (u32::MAX, 4096)] {
            let bytes = bytes(length);
            assert_eq!(seed_of(crc32(seed, &bytes), &bytes), seed, "{length} bytes");
        }
    }

    #[test]
    fn one_flipped_bit_is_found_from_the_sums_alone() {
        let good = bytes(500);
        let sum = crc32(99, &good);
        for (at, bit) in [(0, 0), (0, 7), (250, 3), (499, 0), (499, 7)] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert_eq!(flipped_bit(sum, crc32(99, &bad), 500), Some((at as u64, bit)));
            bad[100] ^= 0x11;
            assert_eq!(flipped_bit(sum, crc32(99, &bad), 500), None, "three bits are not one");
        }
        assert_eq!(flipped_bit(sum, sum, 500), None);
    }

    #[test]
    fn the_sum_of_a_range_follows_from_two_prefixes() {
        let all = bytes(5 * 4096);
        let mut sums = PrefixSums::from(0);
        for block in all.chunks_exact(4096) {
            sums.add(block);
        }
        let prefix = |to: usize| {
            let (at, sum) = sums.below(to as u64);
            crc32(sum, &all[usize::try_from(at).expect("small")..to])
        };
        for (from, to) in [(0, 0), (0, 4096), (1, 2), (4095, 4097), (100, 20_000), (8192, 5 * 4096)] {
            for seed in [0, 1, 0xABCD_EF01] {
                let expected = crc32(seed, &all[from..to]);
                assert_eq!(PrefixSums::range(seed, prefix(from), prefix(to), (to - from) as u64), expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn the_castagnoli_sum_of_a_range_follows_from_two_prefixes() {
        let all = bytes(3 * 4096);
        let mut sums = PrefixSums::castagnoli_from(0);
        for block in all.chunks_exact(4096) {
            sums.add(block);
        }
        let prefix = |to: usize| {
            let (at, sum) = sums.below(to as u64);
            crc32c(sum, &all[usize::try_from(at).expect("small")..to])
        };
        for (from, to) in [(0, 0), (0, 4096), (1, 2), (4095, 4097), (100, 9_000), (8192, 3 * 4096)] {
            for seed in [0, 1, 0xABCD_EF01] {
                let expected = crc32c(seed, &all[from..to]);
                let found = PrefixSums::castagnoli_range(seed, prefix(from), prefix(to), (to - from) as u64);
                assert_eq!(found, expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn the_sum_of_every_range_of_a_window_follows_from_its_prefixes() {
        let (long, short) = (bytes(700), bytes(40));
        let mut sums = WindowSums::default();
        for window in [&short, &long, &short] {
            sums.take(window);
            for (from, to) in [(0, 0), (0, 1), (3, 40), (39, 40), (17, 18)] {
                assert_eq!(sums.range(from, to), Some(crc32c(0, &window[from..to])), "{from}..{to}");
            }
            assert_eq!(sums.range(0, window.len()), Some(crc32c(0, window)));
            assert_eq!((sums.range(0, window.len() + 1), sums.range(2, 1)), (None, None));
        }
    }

    #[test]
    fn castagnoli_is_the_one_that_other_systems_mean() {
        assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
        assert_eq!(crc32(0, b"123456789"), 0xCBF4_3926);
    }
}
