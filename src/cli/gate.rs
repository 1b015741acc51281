//! Conditions on measured numbers: `replay_seconds>30s`.
//!
//! A rule is a name, `>` or `<`, and a value with its unit, as in `bench --fail-if`.

use std::fmt;

use walctl::model::units::{parse_bytes, parse_duration};

/// A condition that fails a run when it is met.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    name: String,
    above: bool,
    bound: f64,
    /// The bound as it was typed.
    typed: String,
}

impl Gate {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Gate, String> {
        let wrong = || format!("`{text}` is no rule; write it like replay_seconds>30s, used_bytes>10GiB or records<1");
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, above, typed) = (text[..at].trim(), text.as_bytes()[at] == b'>', text[at + 1..].trim());
        if name.is_empty() || typed.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(wrong());
        }
        let has_unit = typed == "0" || typed.ends_with(|c: char| c.is_ascii_alphabetic());
        let bound = if name.ends_with("_seconds") {
            let unit = || format!("`{text}`: a time needs its unit; write it like {name}>30s");
            parse_duration(typed).map_err(|_| unit())?.as_secs_f64()
        } else if name.ends_with("_bytes") {
            let unit = || format!("`{text}`: a size needs its unit; write it like {name}>10GiB");
            parse_bytes(typed).ok().filter(|_| has_unit).ok_or_else(unit)? as f64
        } else {
            typed.parse().ok().filter(|bound: &f64| bound.is_finite()).ok_or_else(wrong)?
        };
        Ok(Gate { name: name.to_owned(), above, bound, typed: typed.to_owned() })
    }

    /// The number that it is about.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a number meets it.
    pub fn is_met(&self, number: f64) -> bool {
        if self.above { number > self.bound } else { number < self.bound }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, if self.above { '>' } else { '<' }, self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_hold_or_not() {
        for (text, number, met) in [
            ("replay_seconds>30s", 30.0, false),
            ("replay_seconds > 30s", 30.5, true),
            ("replay_seconds>1min", 61.0, true),
            ("age_seconds>0", 0.1, true),
            ("used_bytes>1KiB", 1024.0, false),
            ("used_bytes>1KiB", 1025.0, true),
            ("records<1", 0.0, true),
            ("write_amplification>1.5", 1.6, true),
        ] {
            assert_eq!(Gate::parse(text).map(|gate| gate.is_met(number)), Ok(met), "{text}");
        }
        for wrong in ["", "a", ">3", "a>", "a>x", "a~3", "a>inf", "a=3", "a>=3", "a!=0", "a>3s", "a b>3"] {
            assert!(Gate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_refused_where_a_unit_is_due() {
        for (rule, says) in [
            ("replay_seconds>30", "write it like replay_seconds>30s"),
            ("age_seconds<1.5", "a time needs its unit"),
            ("used_bytes>4096", "write it like used_bytes>10GiB"),
            ("used_bytes>4s", "a size needs its unit"),
        ] {
            let said = Gate::parse(rule).expect_err("it has no unit");
            assert!(said.contains(says), "{said}");
        }
    }
}
