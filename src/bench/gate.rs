//! Gates: rules that figures must keep, against a baseline or by themselves. A difference that the noise explains breaks no rule.

use std::str::FromStr;

use super::figures::Spread;
use crate::model::Error;
use crate::model::units::parse_duration;

/// One condition under which a run fails: `p99>+10%`, `rate<-5%`, `p99>2ms`, `rate<10000`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As it was typed.
    pub text: String,
    /// Which figure: `rate`, `p50` … `max`, `acks-per-sync`, `cpu`, `amplification`.
    pub figure: String,
    /// Fails when the figure is above; else when it is below.
    pub above: bool,
    /// Against what.
    pub limit: Limit,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The baseline and this share of it more: 0.1 for `+10%`.
    Share(f64),
    /// A number; times in nanoseconds.
    Number(f64),
}

/// The figures that a rule may name.
pub const GATE_FIGURES: [&str; 9] = ["rate", "p50", "p90", "p99", "p99.9", "max", "acks-per-sync", "cpu", "amplification"];

/// How a rule went for one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is kept.
    Kept,
    /// The median breaks it, and the repeats lie too far apart to say that it is broken.
    Noise(String),
    /// It is broken, in words.
    Broken(String),
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rule, Error> {
        let wrong = || Error::Input {
            what: format!(
                "`{text}` is no rule: write it like p99>+10%, rate<-5%, p99>2ms or rate<10000; figures are {}",
                GATE_FIGURES.join(", ")
            ),
        };
        let text = text.trim();
        let at = text.find(['>', '<']).ok_or_else(wrong)?;
        let (figure, above, value) = (text[..at].trim(), text.as_bytes()[at] == b'>', text[at + 1..].trim());
        if !GATE_FIGURES.contains(&figure) {
            return Err(wrong());
        }
        let limit = match value.strip_suffix('%') {
            // Without its sign one could not tell 10 % of it from 10 % more.
            Some(percent) if percent.starts_with(['+', '-']) => Limit::Share(number(percent).ok_or_else(wrong)? / 100.0),
            Some(_) => return Err(wrong()),
            None => {
                let is_time = figure.starts_with('p') || matches!(figure, "max" | "cpu");
                let nanos = || parse_duration(value).ok().map(|limit| limit.as_nanos() as f64);
                Limit::Number(if is_time { nanos() } else { number(value) }.ok_or_else(wrong)?)
            }
        };
        Ok(Rule { text: text.to_owned(), figure: figure.to_owned(), above, limit })
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|n| n.is_finite())
}

impl Rule {
    /// Whether it needs a baseline.
    #[must_use]
    pub const fn is_relative(&self) -> bool {
        matches!(self.limit, Limit::Share(_))
    }

    /// How a cell does under it. `before` is the same figure of the baseline.
    #[must_use]
    pub fn rule(&self, now: &Spread, before: Option<&Spread>) -> Ruling {
        let (limit, worst_before) = match (self.limit, before) {
            (Limit::Number(limit), _) => (limit, limit),
            (Limit::Share(share), Some(before)) => {
                (before.median * (1.0 + share), if self.above { before.max } else { before.min })
            }
            (Limit::Share(_), None) => return Ruling::Broken(format!("{}: the baseline has no such figure", self.text)),
        };
        let beyond = |value: f64, limit: f64| if self.above { value > limit } else { value < limit };
        if !beyond(now.median, limit) {
            return Ruling::Kept;
        }
        let words = match before.filter(|_| self.is_relative()) {
            Some(before) => {
                let change = (now.median / before.median.max(1e-9) - 1.0) * 100.0;
                format!(
                    "{}: {} is {}, was {} ({change:+.1} %)",
                    self.text,
                    self.figure,
                    self.show(now.median),
                    self.show(before.median)
                )
            }
            None => format!("{}: {} is {}", self.text, self.figure, self.show(now.median)),
        };
        // Broken beyond doubt is what even the best repeat breaks, and what no repeat of the baseline reached.
        let best = if self.above { now.min } else { now.max };
        let sure = if self.is_relative() { beyond(best, worst_before) } else { beyond(best, limit) };
        if sure { Ruling::Broken(words) } else { Ruling::Noise(words) }
    }

    fn show(&self, value: f64) -> String {
        match self.figure.as_str() {
            "rate" => format!("{value:.0}/s"),
            "acks-per-sync" | "amplification" => format!("{value:.2}"),
            _ => format!("{:.1} us", value / 1000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_nonsense_is_refused() {
        let rule: Rule = "p99>+10%".parse().expect("it is a rule");
        assert_eq!((rule.figure.as_str(), rule.above, rule.limit), ("p99", true, Limit::Share(0.1)));
        assert_eq!("rate < -5%".parse::<Rule>().expect("a rule").limit, Limit::Share(-0.05));
        assert_eq!("p99.9>2ms".parse::<Rule>().expect("a rule").limit, Limit::Number(2e6));
        assert_eq!("rate<10000".parse::<Rule>().expect("a rule").limit, Limit::Number(1e4));
        for wrong in ["", "p99", "p99>", "p98>1ms", "p99>10%", "p99>5", "rate<5ms", "p99>+x%", "p99>nanms", "p99=1ms", ">1"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_no_repeat_contradicts_breaks_a_rule() {
        let rule: Rule = "p99>+10%".parse().expect("it is a rule");
        let before = Spread { median: 100.0, min: 95.0, max: 108.0 };
        let table = [
            (Spread { median: 109.0, min: 100.0, max: 150.0 }, "kept"),
            (Spread { median: 120.0, min: 104.0, max: 150.0 }, "noise"),
            (Spread { median: 120.0, min: 115.0, max: 125.0 }, "broken"),
        ];
        for (now, expected) in table {
            let ruling = match rule.rule(&now, Some(&before)) {
                Ruling::Kept => "kept",
                Ruling::Noise(_) => "noise",
                Ruling::Broken(words) => {
                    assert!(words.contains("+20.0 %"), "{words}");
                    "broken"
                }
            };
            assert_eq!(ruling, expected, "{now:?}");
        }
        assert!(matches!(rule.rule(&before, None), Ruling::Broken(_)));
        let slow: Rule = "rate<1000".parse().expect("it is a rule");
        assert!(matches!(slow.rule(&Spread::flat(900.0), None), Ruling::Broken(_)));
        assert_eq!(slow.rule(&Spread::flat(1000.0), None), Ruling::Kept);
    }

    #[test]
    fn a_figure_at_its_limit_keeps_the_rule_and_one_beyond_it_does_not() {
        let ruling = |rule: &str, median: f64| {
            let spread = Spread { median, min: median, max: median };
            rule.parse::<Rule>().expect("a rule").rule(&spread, Some(&Spread { median: 1e6, min: 1e6, max: 1e6 }))
        };
        for (rule, figure, kept) in [
            ("p99>2ms", 2e6, true),
            ("p99>2ms", 2.1e6, false),
            ("rate<10000", 1e4, true),
            ("rate<10000", 9999.0, false),
            ("p99>+50%", 1.5e6, true),
            ("p99>+50%", 1.6e6, false),
        ] {
            assert_eq!(matches!(ruling(rule, figure), Ruling::Kept), kept, "{rule} and {figure}");
        }
    }

    #[test]
    fn times_are_read_in_each_unit_and_shares_in_percent() {
        for (text, limit) in [
            ("p99>500ns", Limit::Number(500.0)),
            ("p99>7us", Limit::Number(7e3)),
            ("max>7ms", Limit::Number(7e6)),
            ("p99>7s", Limit::Number(7e9)),
            ("rate<7", Limit::Number(7.0)),
            ("rate<+7%", Limit::Share(0.07)),
        ] {
            assert_eq!(text.parse::<Rule>().expect("a rule").limit, limit, "{text}");
        }
    }
}
