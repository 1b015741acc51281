//! `verify --ends` and `--sample`: a look that costs little, and says what it did not look at.

use std::sync::OnceLock;

use walctl::ops::report::Portion;

/// The flags of a look at a part of a log.
#[derive(clap::Args, Debug)]
pub struct SampleArgs {
    /// Read only the header and the Seal of each segment: finds gaps, forks, strangers and wrong names in a moment, and calls nothing clean
    #[arg(long, conflicts_with_all = ["seen", "media", "deep", "ledger", "map"])]
    ends: bool,
    /// Read this part of the segments, chosen by dice, and of the others only header and Seal; 5% or 0.1%
    #[arg(long, value_name = "P%", value_parser = percent, conflicts_with_all = ["seen", "media", "ledger", "map", "ends"])]
    sample: Option<u32>,
    /// Choose the same segments as the run that printed this seed
    #[arg(long, value_name = "N", requires = "sample")]
    seed: Option<u64>,
    /// The seed of this run, if none was given.
    #[arg(skip)]
    drawn: OnceLock<u64>,
}

/// How many of a million.
fn percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no part of all; write it like 5% or 0.1%, up to 100%");
    let number: f64 = text.strip_suffix('%').ok_or_else(wrong)?.trim_end().parse().map_err(|_| wrong())?;
    let per_million = (number * 10_000.0).round();
    if (1.0..=1_000_000.0).contains(&per_million) { Ok(per_million as u32) } else { Err(wrong()) }
}

impl SampleArgs {
    /// What is to be walked.
    pub fn portion(&self) -> Portion {
        match (self.ends, self.sample) {
            (true, _) => Portion::Ends,
            (false, Some(per_million)) => {
                Portion::Sample { per_million, seed: self.seed.unwrap_or_else(|| *self.drawn.get_or_init(any_seed)) }
            }
            (false, None) => Portion::All,
        }
    }
}

/// A seed that another run hardly has. It need not be secret.
fn any_seed() -> u64 {
    (walctl::model::Time::now().0 ^ u64::from(std::process::id()) << 16) & 0xFFFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all_is_more_than_nothing_and_not_more_than_all() {
        for (text, per_million) in [("5%", 50_000), ("0.1 %", 1000), ("100%", 1_000_000), ("0.0001%", 1)] {
            assert_eq!(percent(text), Ok(per_million), "{text}");
        }
        for wrong in ["", "%", "5", "0%", "-1%", "100.1%", "nan", "inf", "a%", "1e9"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
