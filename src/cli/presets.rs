//! Settings of `append` that belong together, under one name.

use walctl::model::{Error, Result};
use walctl::writer::Settings;

/// Settings that belong together, named by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The flags that it stands for, as they would be typed.
    pub flags: &'static [(&'static str, &'static str)],
}

/// All of them.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "durable",
        about: "each acknowledged record is on the disk; groups form by themselves (the default)",
        flags: &[("--sync", "fdatasync"), ("--window", "auto"), ("--preallocate", "zero")],
    },
    Preset {
        name: "lowest-latency",
        about: "durable, and no record ever waits for company",
        flags: &[("--sync", "fdatasync"), ("--window", "0"), ("--preallocate", "zero")],
    },
    Preset {
        name: "largest-groups",
        about: "durable, with few large syncs: for disks on which a sync is dear",
        flags: &[("--sync", "fdatasync"), ("--window", "2ms"), ("--preallocate", "zero")],
    },
    Preset {
        name: "past-the-cache",
        about: "durable by direct writes in whole blocks: no durable block is written twice",
        flags: &[("--sync", "fdatasync"), ("--direct", ""), ("--preallocate", "zero")],
    },
    Preset {
        name: "may-lose-10ms",
        about: "NOT durable: synced every 10 ms in the background, and a power failure may lose that much",
        flags: &[("--sync", "interval=10ms"), ("--window", "0"), ("--preallocate", "zero")],
    },
];

impl Preset {
    /// The one with this name.
    pub fn named(name: &str) -> Result<Preset> {
        PRESETS.into_iter().find(|preset| preset.name == name).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            Error::Input { what: format!("`{name}` is no preset: {}", names.join(", ")) }
        })
    }

    /// What it sets, as one would type it.
    #[must_use]
    pub fn words(&self) -> String {
        let flags: Vec<String> = self
            .flags
            .iter()
            .map(|(flag, value)| if value.is_empty() { (*flag).to_owned() } else { format!("{flag} {value}") })
            .collect();
        flags.join(" ")
    }

    /// Sets them.
    pub fn apply(&self, options: &mut Settings) -> Result<()> {
        for (flag, value) in self.flags {
            match *flag {
                "--sync" => options.sync = value.parse()?,
                "--window" => options.window = value.parse()?,
                "--preallocate" => options.preallocate = value.parse()?,
                "--direct" => options.direct = true,
                other => return Err(Error::Input { what: format!("{other} is no part of a preset") }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_sets_what_it_says() {
        for preset in PRESETS {
            let mut options = Settings::default();
            preset.apply(&mut options).expect("its flags are right");
            assert!(preset.words().contains(&options.sync.to_string()), "{}", preset.words());
            assert_eq!(options.sync.promises(), !preset.about.contains("NOT durable"), "{}", preset.name);
            assert_eq!(Preset::named(preset.name).expect("it is there"), preset);
        }
        assert!(Preset::named("fastest").expect_err("there is none").to_string().contains("lowest-latency"));
    }
}
