//! Conditions on measured numbers: `replay_seconds>30`.

use std::fmt;

/// A condition that fails a run when it is met.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    name: String,
    test: Test,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Above,
    AtLeast,
    Below,
    AtMost,
    Is,
    IsNot,
}

/// Longer ones first: `>=` begins with `>`.
const TESTS: [(&str, Test); 7] = [
    (">=", Test::AtLeast),
    ("<=", Test::AtMost),
    ("==", Test::Is),
    ("!=", Test::IsNot),
    (">", Test::Above),
    ("<", Test::Below),
    ("=", Test::Is),
];

impl Gate {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Gate, String> {
        let wrong = || format!("`{text}` is no rule; write it like replay_seconds>30");
        let at = text.find(['<', '>', '=', '!']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at(at);
        let (sign, test) = TESTS.into_iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(wrong)?;
        let bound: f64 = rest[sign.len()..].trim().parse().map_err(|_| wrong())?;
        let name = name.trim();
        if name.is_empty() || !bound.is_finite() {
            return Err(wrong());
        }
        Ok(Gate { name: name.to_owned(), test, bound })
    }

    /// The number that it is about.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a number meets it.
    pub fn is_met(&self, number: f64) -> bool {
        match self.test {
            Test::Above => number > self.bound,
            Test::AtLeast => number >= self.bound,
            Test::Below => number < self.bound,
            Test::AtMost => number <= self.bound,
            Test::Is => (number - self.bound).abs() < f64::EPSILON,
            Test::IsNot => (number - self.bound).abs() >= f64::EPSILON,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = TESTS.iter().find(|(_, test)| *test == self.test).map_or("", |(sign, _)| sign);
        write!(f, "{} {sign} {}", self.name, self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_hold_or_not() {
        for (text, number, met) in [
            ("replay_seconds>30", 30.0, false),
            ("replay_seconds > 30", 30.5, true),
            ("a>=3", 3.0, true),
            ("a<=3", 3.5, false),
            ("a<3", 2.0, true),
            ("a==0", 0.0, true),
            ("a!=0", 0.0, false),
            ("a=1", 1.0, true),
        ] {
            assert_eq!(Gate::parse(text).map(|gate| gate.is_met(number)), Ok(met), "{text}");
        }
        for wrong in ["", "a", ">3", "a>", "a>x", "a~3", "a>inf", "a=!3"] {
            assert!(Gate::parse(wrong).is_err(), "{wrong}");
        }
    }
}
