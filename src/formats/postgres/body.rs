//! The content of a record: which blocks it touches, and its main data.

use crate::model::Time;

/// The first release in which a page image says which compression it has.
const V15: u16 = 0xD110;
/// Microseconds from 1970 to 2000, where this system's times begin.
const EPOCH: u64 = 946_684_800_000_000;

/// A block of a relation that a record changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Tablespace, database and file number.
    pub file: [u32; 3],
    /// 0 main, 1 free space, 2 visibility, 3 init.
    pub fork: u8,
    /// Which block.
    pub block: u32,
    /// Bytes of its page image; 0 without one.
    pub image: u16,
    /// Bytes of data besides.
    pub data: u16,
}

/// A record's content, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalBody<'a> {
    /// The blocks, in order.
    pub blocks: Vec<BlockRef>,
    /// The transaction that this one is part of.
    pub top_xid: Option<u32>,
    /// Where it was first written, if it was replicated.
    pub origin: Option<u16>,
    /// What the resource manager wrote.
    pub main: &'a [u8],
}

impl<'a> WalBody<'a> {
    /// Takes the content apart; `None` where it does not come out even.
    #[must_use]
    pub fn parse(content: &'a [u8], magic: u16) -> Option<WalBody<'a>> {
        let (mut body, mut rest, mut announced, mut main) = (WalBody::default(), content, 0_usize, 0_usize);
        while rest.len() > announced {
            match take::<1>(&mut rest)?[0] {
                255 => {
                    main = usize::from(take::<1>(&mut rest)?[0]);
                    announced = announced.checked_add(main)?;
                    break;
                }
                254 => {
                    main = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
                    announced = announced.checked_add(main)?;
                    break;
                }
                253 => body.origin = Some(u16::from_le_bytes(take(&mut rest)?)),
                252 => body.top_xid = Some(u32::from_le_bytes(take(&mut rest)?)),
                0..=32 => {
                    let block = block(&mut rest, body.blocks.last(), magic)?;
                    announced = announced.checked_add(usize::from(block.image) + usize::from(block.data))?;
                    body.blocks.push(block);
                }
                _ => return None,
            }
        }
        if rest.len() != announced {
            return None;
        }
        body.main = &rest[announced - main..];
        Some(body)
    }
}

fn block(rest: &mut &[u8], before: Option<&BlockRef>, magic: u16) -> Option<BlockRef> {
    let [flags] = take(rest)?;
    let data = u16::from_le_bytes(take(rest)?);
    let mut image = 0;
    if flags & 0x10 != 0 {
        image = u16::from_le_bytes(take(rest)?);
        let [_, _, info] = take(rest)?;
        let packed = if magic >= V15 { info & 0b1_1100 } else { info & 2 };
        if info & 1 != 0 && packed != 0 {
            take::<2>(rest)?;
        }
    }
    let file = match flags & 0x80 {
        0 => [u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?)],
        _ => before?.file,
    };
    Some(BlockRef { file, fork: flags & 0x0F, block: u32::from_le_bytes(take(rest)?), image, data })
}

/// The first bytes of a slice, which goes on behind them.
pub fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

/// A moment in microseconds since 2000.
pub fn moment(bytes: [u8; 8]) -> Option<Time> {
    EPOCH.checked_add_signed(i64::from_le_bytes(bytes)).map(Time)
}

/// The path of a relation's file below the data folder, and its fork.
#[must_use]
pub fn path(file: [u32; 3], block: u32) -> String {
    let [space, database, relation] = file;
    let folder = match space {
        1663 => format!("base/{database}"),
        1664 => "global".to_owned(),
        _ => format!("pg_tblspc/{space}/PG_*/{database}"),
    };
    // Files are 1 GiB long at most.
    match block / 131_072 {
        0 => format!("{folder}/{relation}"),
        part => format!("{folder}/{relation}.{part}"),
    }
}

/// What a fork is called.
#[must_use]
pub const fn fork(number: u8) -> &'static str {
    match number {
        0 => "main",
        1 => "fsm",
        2 => "vm",
        3 => "init",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(id: u8, flags: u8, data: u16, image: &[u8], file: Option<[u32; 3]>, block: u32) -> Vec<u8> {
        let mut bytes = vec![id, flags];
        bytes.extend(data.to_le_bytes());
        bytes.extend(image);
        bytes.extend(file.into_iter().flatten().flat_map(u32::to_le_bytes));
        bytes.extend(block.to_le_bytes());
        bytes
    }

    #[test]
    fn references_images_and_main_data_come_out_even() {
        let mut content = vec![253, 7, 0, 252, 9, 0, 0, 0];
        content.extend(reference(0, 0x30, 3, &[4, 0, 0, 0, 1], Some([1663, 5, 16_384]), 131_072));
        // The same file as before; its image has a hole and is packed, so the length of the hole is told.
        content.extend(reference(1, 0x91, 0, &[2, 0, 0, 0, 5, 9, 9], None, 2));
        content.extend([255, 2]);
        content.extend([0; 4 + 3 + 2]);
        content.extend(b"ab");
        let body = WalBody::parse(&content, V15).expect("it comes out even");
        assert_eq!((body.origin, body.top_xid, body.main), (Some(7), Some(9), &b"ab"[..]));
        let block = |fork, block, image, data| BlockRef { file: [1663, 5, 16_384], fork, block, image, data };
        assert_eq!(body.blocks, [block(0, 131_072, 4, 3), block(1, 2, 2, 0)]);
        // A part of it never means the same: bytes of later headers may pass for data, main data is then missing.
        assert!((0..content.len()).all(|cut| WalBody::parse(&content[..cut], V15).is_none_or(|body| body.main.is_empty())));
        assert_eq!(WalBody::parse(&[40, 0], V15), None);
    }

    #[test]
    fn before_15_one_bit_says_that_an_image_is_packed_and_only_then_the_length_of_its_hole_is_told() {
        let blocks = |magic, info: u8, more: &[u8]| {
            let content =
                [reference(0, 0x10, 0, &[&[2, 0, 0, 0, info], more].concat(), Some([1663, 5, 9]), 7), vec![1, 2]].concat();
            WalBody::parse(&content, magic).map(|body| (body.blocks[0].image, body.blocks[0].block))
        };
        // A hole is bit 1, and packed was bit 2; since 15 that says what an image is for, and bits 4, 8 and 16 how it is packed.
        for (magic, info, told) in [
            (V15 - 1, 1, false),
            (V15 - 1, 2, false),
            (V15 - 1, 3, true),
            (V15 - 1, 0b1_1101, false),
            (V15, 1, false),
            (V15, 3, false),
            (V15, 5, true),
            (V15, 9, true),
            (V15, 17, true),
            (V15, 4, false),
        ] {
            let (whole, other) = if told { (&[9, 9][..], &[][..]) } else { (&[][..], &[9, 9][..]) };
            assert_eq!(blocks(magic, info, whole), Some((2, 7)), "{magic:x} {info}");
            assert_ne!(blocks(magic, info, other), Some((2, 7)), "{magic:x} {info}");
        }
    }

    #[test]
    fn a_file_is_told_as_the_server_names_it() {
        assert_eq!(path([1663, 5, 16_384], 131_072), "base/5/16384.1");
        assert_eq!(path([1664, 0, 1262], 0), "global/1262");
        assert_eq!(path([777, 5, 9], 1), "pg_tblspc/777/PG_*/5/9");
        assert_eq!(moment(0i64.to_le_bytes()).map(|time| time.to_string()).as_deref(), Some("2000-01-01T00:00:00.000000Z"));
        assert_eq!(moment(i64::MIN.to_le_bytes()), None);
    }
}
