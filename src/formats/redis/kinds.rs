//! What commands are called, and which of their arguments are keys.

/// What a command is called that is not known: a module's, or one of a later version.
pub const OTHER: &str = "other";
/// The snapshot that a file can begin with.
pub const RDB: &str = "rdb";
/// A line that begins with `#`.
pub const NOTE: &str = "annotation";

/// Every kind that a walk can deliver: commands that write, in order, and what else there is.
pub const KINDS: &[&str] = &[
    "APPEND",
    "BITFIELD",
    "BITOP",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLUSTER",
    "COPY",
    "DECR",
    "DECRBY",
    "DEL",
    "DELEX",
    "DELIFEQ",
    "EVAL",
    "EVALSHA",
    "EXEC",
    "EXPIRE",
    "EXPIREAT",
    "FCALL",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION",
    "GEOADD",
    "GEORADIUS",
    "GEORADIUSBYMEMBER",
    "GEOSEARCHSTORE",
    "GETDEL",
    "GETEX",
    "GETSET",
    "HDEL",
    "HEXPIRE",
    "HEXPIREAT",
    "HGETDEL",
    "HGETEX",
    "HINCRBY",
    "HINCRBYFLOAT",
    "HMSET",
    "HPERSIST",
    "HPEXPIRE",
    "HPEXPIREAT",
    "HSET",
    "HSETEX",
    "HSETNX",
    "INCR",
    "INCRBY",
    "INCRBYFLOAT",
    "LINSERT",
    "LMOVE",
    "LMPOP",
    "LPOP",
    "LPUSH",
    "LPUSHX",
    "LREM",
    "LSET",
    "LTRIM",
    "MIGRATE",
    "MOVE",
    "MSET",
    "MSETEX",
    "MSETNX",
    "MULTI",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PFADD",
    "PFCOUNT",
    "PFDEBUG",
    "PFMERGE",
    "PSETEX",
    "PUBLISH",
    "RENAME",
    "RENAMENX",
    "RESTORE",
    "RESTORE-ASKING",
    "RPOP",
    "RPOPLPUSH",
    "RPUSH",
    "RPUSHX",
    "SADD",
    "SCRIPT",
    "SDIFFSTORE",
    "SELECT",
    "SET",
    "SETBIT",
    "SETEX",
    "SETNX",
    "SETRANGE",
    "SINTERSTORE",
    "SMOVE",
    "SORT",
    "SPOP",
    "SPUBLISH",
    "SREM",
    "SUNIONSTORE",
    "SWAPDB",
    "UNLINK",
    "VADD",
    "VREM",
    "VSETATTR",
    "XACK",
    "XACKDEL",
    "XADD",
    "XAUTOCLAIM",
    "XCLAIM",
    "XDEL",
    "XDELEX",
    "XGROUP",
    "XREADGROUP",
    "XSETID",
    "XTRIM",
    "ZADD",
    "ZDIFFSTORE",
    "ZINCRBY",
    "ZINTERSTORE",
    "ZMPOP",
    "ZPOPMAX",
    "ZPOPMIN",
    "ZRANGESTORE",
    "ZREM",
    "ZREMRANGEBYLEX",
    "ZREMRANGEBYRANK",
    "ZREMRANGEBYSCORE",
    "ZUNIONSTORE",
    NOTE,
    OTHER,
    RDB,
];

/// How many of them are no commands.
const BESIDES: usize = 3;

/// No command has a longer name.
const LONGEST: usize = 20;
const COMMANDS: usize = KINDS.len() - BESIDES;

/// A name as numbers that are in the order of names: to look one up by comparing texts took half of a walk.
type PackedName = (u128, u32);

const fn pack(name: &[u8]) -> PackedName {
    let (mut high, mut low, mut at) = (0, 0, 0);
    while at < LONGEST {
        let byte = if at < name.len() { name[at].to_ascii_uppercase() } else { 0 };
        if at < 16 {
            high = high << 8 | byte as u128;
        } else {
            low = low << 8 | byte as u32;
        }
        at += 1;
    }
    (high, low)
}

/// The names of all commands, in order as they are.
static PACKED: [PackedName; COMMANDS] = {
    let (mut packed, mut at) = ([(0, 0); COMMANDS], 0);
    while at < COMMANDS {
        assert!(KINDS[at].len() <= LONGEST);
        packed[at] = pack(KINDS[at].as_bytes());
        at += 1;
    }
    packed
};

/// The known command of this name, whether or not it is written in capital letters.
pub fn kind_of(name: &[u8]) -> Option<&'static str> {
    // A zero would pass for the end of a name.
    if name.len() > LONGEST || name.contains(&0) {
        return None;
    }
    PACKED.binary_search(&pack(name)).ok().map(|index| KINDS[index])
}

/// Which arguments of a command are keys: of `arguments` the first is its name.
pub fn keys_of<'a>(name: &str, arguments: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let rest = arguments.get(1..).unwrap_or_default();
    let counted = |count: usize, first: usize| {
        let count: usize = rest.get(count).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
        rest.iter().copied().skip(first).take(count)
    };
    match name {
        "SELECT" | "MULTI" | "EXEC" | "FLUSHALL" | "FLUSHDB" | "SWAPDB" | "FUNCTION" | "SCRIPT" | "PUBLISH" | "SPUBLISH"
        | "CLUSTER" => Vec::new(),
        "DEL" | "UNLINK" | "PFMERGE" | "SUNIONSTORE" | "SINTERSTORE" | "SDIFFSTORE" => rest.to_vec(),
        "MSET" | "MSETNX" => rest.iter().copied().step_by(2).collect(),
        "RENAME" | "RENAMENX" | "COPY" | "SMOVE" | "LMOVE" | "RPOPLPUSH" | "GEOSEARCHSTORE" | "ZRANGESTORE" => {
            rest.iter().copied().take(2).collect()
        }
        "XGROUP" => rest.iter().copied().skip(1).take(1).collect(),
        "BITOP" => rest.iter().copied().skip(1).collect(),
        "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" => rest.iter().copied().take(1).chain(counted(1, 2)).collect(),
        "EVAL" | "EVALSHA" | "FCALL" => counted(1, 2).collect(),
        "MSETEX" => {
            let count: usize = rest.first().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
            rest.iter().copied().skip(1).step_by(2).take(count).collect()
        }
        _ => rest.iter().copied().take(1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_order_and_are_found_in_any_case() {
        let commands = &KINDS[..KINDS.len() - BESIDES];
        assert!(commands.is_sorted(), "a search by halves needs order");
        assert!(commands.iter().all(|command| kind_of(command.to_lowercase().as_bytes()) == Some(command)));
        assert_eq!((kind_of(b"other"), kind_of(b"JSON.SET"), kind_of(b""), kind_of(&[b'A'; 40])), (None, None, None, None));
        assert_eq!(
            (kind_of(b"SET\0"), kind_of(b"GEORADIUSBYMEMBER"), kind_of(b"GEORADIUSBYMEMBERS")),
            (None, Some("GEORADIUSBYMEMBER"), None)
        );
    }

    #[test]
    fn keys_are_found_where_each_command_has_them() {
        let keys = |text: &str| {
            let arguments: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            let name = kind_of(arguments[0]).unwrap_or(OTHER);
            keys_of(name, &arguments).iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>().join(" ")
        };
        for (command, expected) in [
            ("SET k v", "k"),
            ("DEL a b c", "a b c"),
            ("MSET a 1 b 2", "a b"),
            ("RENAME a b", "a b"),
            ("XGROUP CREATE s g 0", "s"),
            ("BITOP AND d a b", "d a b"),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
            ("EVAL script 1 a x", "a"),
            ("MSETEX 2 a 1 b 2 EX 9", "a b"),
            ("JSON.SET doc $ 1", "doc"),
            ("SELECT 3", ""),
            ("EVAL script 99999999999999999999 a", ""),
        ] {
            assert_eq!(keys(command), expected, "{command}");
        }
    }
}
