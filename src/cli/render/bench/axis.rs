//! The axis of a chart: where a value lies, and which values are named.

/// An axis, from its first value to its last.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    values: (f64, f64),
    places: (f64, f64),
    log: bool,
}

impl Axis {
    /// Equal factors are equally long. It holds all values that are above zero, and begins and ends at 1, 2 or 5 times a power of ten.
    pub fn log(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Axis {
        let (mut least, mut most) = (f64::MAX, 0.0_f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most == 0.0 {
            (least, most) = (1.0, 10.0);
        }
        let from = steps(least / 10.0).filter(|step| *step <= least * 1.000_001).last().unwrap_or(least);
        let to = steps(most).find(|step| *step >= most * 0.999_999 && *step > from).unwrap_or(most * 2.0);
        Axis { values: (from, to), places, log: true }
    }

    /// Equal differences are equally long. It begins at zero.
    pub fn from_zero(most: f64, places: (f64, f64)) -> Axis {
        let most = if most > 0.0 { most } else { 1.0 };
        Axis { values: (0.0, most * 1.02), places, log: false }
    }

    /// Where a value lies; one that is off the axis lies at its end.
    pub fn place(&self, value: f64) -> f64 {
        let (from, to) = self.values;
        let value = value.clamp(from, to);
        let part = if self.log { (value / from).ln() / (to / from).ln() } else { (value - from) / (to - from) };
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// The values that are named: no more than fit.
    pub fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.values;
        if self.log {
            let all: Vec<f64> = steps(from).take_while(|step| *step <= to * 1.000_001).collect();
            let tens: Vec<f64> = all.iter().copied().filter(|step| is_ten(*step)).collect();
            // Some axes lie within one power of ten, others reach over ten of them.
            let every = tens.len().div_ceil(7).max(1);
            return if all.len() <= 7 { all } else { tens.into_iter().step_by(every).collect() };
        }
        let step = steps(to / 50.0).find(|step| to / step <= 5.0).unwrap_or(to);
        (0..=5).map(|turn| f64::from(turn) * step).take_while(|value| *value <= to).collect()
    }
}

/// 1, 2 and 5 times the powers of ten, from the power of ten of that value on.
fn steps(from: f64) -> impl Iterator<Item = f64> {
    let first = from.log10().floor() as i32;
    (first..first + 30)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
        .filter(move |step| *step >= from * 0.999_999)
}

fn is_ten(value: f64) -> bool {
    let power = value.log10();
    (power - power.round()).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_its_values_and_names_round_ones() {
        let axis = Axis::log([720.0, 19_045.0, 0.0].into_iter(), (100.0, 200.0));
        assert_eq!((axis.place(500.0).round(), axis.place(20_000.0).round(), axis.place(0.0).round()), (100.0, 200.0, 100.0));
        assert_eq!(
            axis.ticks().iter().map(|tick| tick.round() as u64).collect::<Vec<_>>(),
            [500, 1000, 2000, 5000, 10_000, 20_000]
        );
        let wide = Axis::log([1.0, 1e9].into_iter(), (0.0, 1.0));
        assert_eq!(wide.ticks().iter().map(|tick| tick.log10().round() as i32).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        let one = Axis::log([300.0].into_iter(), (0.0, 1.0));
        assert!(one.place(300.0) > 0.0 && one.place(300.0) < 1.0);
        let none = Axis::log(std::iter::empty(), (0.0, 1.0));
        assert!(none.place(5.0).is_finite());
    }

    #[test]
    fn an_axis_from_zero_has_few_ticks() {
        for most in [0.0, 0.7, 9.0, 1234.0, 5e9] {
            let axis = Axis::from_zero(most, (0.0, 100.0));
            assert!((2..=6).contains(&axis.ticks().len()), "{most}: {:?}", axis.ticks());
            assert!(axis.ticks().iter().all(|tick| (0.0..=100.0).contains(&axis.place(*tick))));
        }
    }
}
