//! HighwayHash with 64 bits, by its authors' portable definition.

/// How many bytes are taken at a time.
const PACKET: usize = 32;

const INIT_0: [u64; 4] = [0xdbe6_d5d5_fe4c_ce2f, 0xa409_3822_299f_31d0, 0x1319_8a2e_0370_7344, 0x243f_6a88_85a3_08d3];
const INIT_1: [u64; 4] = [0x3bd3_9e10_cb0e_f593, 0xc0ac_f169_b5f1_8a8c, 0xbe54_66cf_34e9_0c6c, 0x4528_21e6_38d0_1377];

/// A hash that is being taken.
#[derive(Clone, Debug)]
pub struct Highway {
    v0: [u64; 4],
    v1: [u64; 4],
    mul0: [u64; 4],
    mul1: [u64; 4],
    /// What does not fill a packet yet.
    rest: [u8; PACKET],
    held: usize,
}

impl Highway {
    /// With a key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Highway {
        let lane = |index: usize| u64::from_le_bytes(std::array::from_fn(|byte| key[8 * index + byte]));
        Highway {
            v0: std::array::from_fn(|index| INIT_0[index] ^ lane(index)),
            v1: std::array::from_fn(|index| INIT_1[index] ^ lane(index).rotate_right(32)),
            mul0: INIT_0,
            mul1: INIT_1,
            rest: [0; PACKET],
            held: 0,
        }
    }

    /// Takes bytes.
    pub fn append(&mut self, mut bytes: &[u8]) {
        if self.held > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(PACKET - self.held));
            self.rest[self.held..self.held + now.len()].copy_from_slice(now);
            (self.held, bytes) = (self.held + now.len(), later);
            if self.held < PACKET {
                return;
            }
            let packet = self.rest;
            self.packet(&packet);
            self.held = 0;
        }
        while let Some((packet, later)) = bytes.split_first_chunk() {
            self.packet(packet);
            bytes = later;
        }
        self.rest[..bytes.len()].copy_from_slice(bytes);
        self.held = bytes.len();
    }

    fn packet(&mut self, packet: &[u8; PACKET]) {
        self.update(std::array::from_fn(|index| u64::from_le_bytes(std::array::from_fn(|byte| packet[8 * index + byte]))));
    }

    fn update(&mut self, lanes: [u64; 4]) {
        for (index, lane) in lanes.into_iter().enumerate() {
            self.v1[index] = self.v1[index].wrapping_add(self.mul0[index]).wrapping_add(lane);
            self.mul0[index] ^= (self.v1[index] & 0xffff_ffff).wrapping_mul(self.v0[index] >> 32);
            self.v0[index] = self.v0[index].wrapping_add(self.mul1[index]);
            self.mul1[index] ^= (self.v0[index] & 0xffff_ffff).wrapping_mul(self.v1[index] >> 32);
        }
        for pair in [0, 2] {
            zipper(self.v1[pair + 1], self.v1[pair], &mut self.v0, pair);
        }
        for pair in [0, 2] {
            zipper(self.v0[pair + 1], self.v0[pair], &mut self.v1, pair);
        }
    }

    /// The last bytes, fewer than a packet.
    fn remainder(&mut self) {
        let (size, bytes) = (self.held, self.rest);
        for lane in &mut self.v0 {
            *lane = lane.wrapping_add(((size as u64) << 32) + size as u64);
        }
        for lane in &mut self.v1 {
            let (low, high) = (*lane as u32, (*lane >> 32) as u32);
            *lane = u64::from(low.rotate_left(size as u32)) | u64::from(high.rotate_left(size as u32)) << 32;
        }
        let (whole, last) = (size & !3, size & 3);
        let mut packet = [0; PACKET];
        packet[..whole].copy_from_slice(&bytes[..whole]);
        if size & 16 != 0 {
            packet[28..].copy_from_slice(&bytes[size - 4..size]);
        } else if last > 0 {
            packet[16] = bytes[whole];
            packet[17] = bytes[whole + (last >> 1)];
            packet[18] = bytes[whole + last - 1];
        }
        self.packet(&packet);
    }

    /// The hash of all that was taken.
    pub fn sum(mut self) -> u64 {
        if self.held > 0 {
            self.remainder();
        }
        for _ in 0..4 {
            let [a, b, c, d] = self.v0;
            self.update([c.rotate_right(32), d.rotate_right(32), a.rotate_right(32), b.rotate_right(32)]);
        }
        self.v0[0].wrapping_add(self.v1[0]).wrapping_add(self.mul0[0]).wrapping_add(self.mul1[0])
    }
}

/// Mixes the bytes of two lanes and adds them to two others.
fn zipper(v1: u64, v0: u64, to: &mut [u64; 4], at: usize) {
    let low = ((v0 & 0xff00_0000) | (v1 & 0xff_0000_0000)) >> 24
        | ((v0 & 0xff00_0000_0000) | (v1 & 0xff_0000_0000_0000)) >> 16
        | v0 & 0xff_0000
        | (v0 & 0xff00) << 32
        | (v1 & 0xff00_0000_0000_0000) >> 8
        | v0 << 56;
    let high = ((v1 & 0xff00_0000) | (v0 & 0xff_0000_0000)) >> 24
        | v1 & 0xff_0000
        | (v1 & 0xff00_0000_0000) >> 16
        | (v1 & 0xff00) << 24
        | (v0 & 0xff_0000_0000_0000) >> 8
        | (v1 & 0xff) << 48
        | v0 & 0xff00_0000_0000_0000;
    to[at] = to[at].wrapping_add(low);
    to[at + 1] = to[at + 1].wrapping_add(high);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From its authors' table: the key is 0, 1, 2 and so on, and so is what is hashed.
    const KNOWN: [(usize, u64); 3] = [(0, 0x907a_56de_22c2_6e53), (1, 0x7eab_43aa_c7cd_dd78), (2, 0xb8d0_569a_b0b5_3d62)];

    #[test]
    fn hashes_are_those_of_the_definition_in_whatever_pieces_the_bytes_come() {
        let key: [u8; 32] = std::array::from_fn(|index| index as u8);
        let bytes: Vec<u8> = (0..100).collect();
        for (length, sum) in KNOWN {
            let mut whole = Highway::new(&key);
            whole.append(&bytes[..length]);
            assert_eq!(whole.sum(), sum, "{length} bytes");
        }
        for length in 0..100 {
            let mut whole = Highway::new(&key);
            whole.append(&bytes[..length]);
            let whole = whole.sum();
            for cut in 0..length {
                let mut pieces = Highway::new(&key);
                pieces.append(&bytes[..cut]);
                pieces.append(&bytes[cut..length]);
                assert_eq!(pieces.sum(), whole, "{length} bytes, cut at {cut}");
            }
        }
    }
}
