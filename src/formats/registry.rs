//! Which formats we know, and telling them apart.

use super::Numbers;
use super::native;
use super::{Format, Likeness, Sample};
#[cfg(feature = "formats")]
use super::{
    allsource, etcd, ironwal, kafka, mysql, nats, nodedb, pebble, postgres, prometheus, raft_engine, redis, rivven, rocksdb,
    sqlite, zookeeper,
};

/// Every format, ours first.
pub const ALL: &[&Format] = &[
    &native::FORMAT,
    #[cfg(feature = "formats")]
    &ironwal::FORMAT,
    #[cfg(feature = "formats")]
    &nodedb::FORMAT,
    #[cfg(feature = "formats")]
    &rivven::FORMAT,
    #[cfg(feature = "formats")]
    &allsource::FORMAT,
    #[cfg(feature = "formats")]
    &rocksdb::FORMAT,
    #[cfg(feature = "formats")]
    &pebble::FORMAT,
    #[cfg(feature = "formats")]
    &postgres::FORMAT,
    #[cfg(feature = "formats")]
    &sqlite::FORMAT,
    #[cfg(feature = "formats")]
    &etcd::FORMAT,
    #[cfg(feature = "formats")]
    &prometheus::FORMAT,
    #[cfg(feature = "formats")]
    &kafka::FORMAT,
    #[cfg(feature = "formats")]
    &zookeeper::FORMAT,
    #[cfg(feature = "formats")]
    &nats::FORMAT,
    #[cfg(feature = "formats")]
    &raft_engine::FORMAT,
    #[cfg(feature = "formats")]
    &mysql::FORMAT,
    #[cfg(feature = "formats")]
    &redis::FORMAT,
];

/// How the numbers of a format's records are shown.
#[must_use]
pub fn numbers_of(name: &str) -> Numbers {
    by_name(name).map_or(Numbers::Counted, |format| format.numbers)
}

/// The format of the logs that walctl writes itself.
#[must_use]
pub fn ours() -> &'static Format {
    ALL.iter().copied().find(|format| format.ours.is_some()).expect("one of the formats is written here")
}

/// The format with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Format> {
    ALL.iter().copied().find(|format| format.name == name || format.aliases.contains(&name))
}

/// The formats that a file looks like most, and how much.
#[must_use]
pub fn recognise(sample: &Sample<'_>) -> (Likeness, Vec<&'static Format>) {
    let likeness = |format: &Format| (format.recognise)(sample);
    let best = ALL.iter().map(|format| likeness(format)).max().unwrap_or(Likeness::No);
    if best == Likeness::No {
        return (best, Vec::new());
    }
    (best, ALL.iter().copied().filter(|format| likeness(format) == best).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for format in ALL {
            assert_eq!(by_name(format.name), Some(*format));
            assert_eq!(ALL.iter().filter(|f| f.name == format.name).count(), 1);
        }
        assert!(by_name("nonsense").is_none());
    }

    #[test]
    fn a_text_file_is_no_log() {
        let sample = Sample { name: Some("notes.txt"), head: b"some notes about nothing", length: 24, beside: &[] };
        assert_eq!(recognise(&sample).0, Likeness::No);
    }
}
