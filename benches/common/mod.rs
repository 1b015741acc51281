//! What all benches need.

use rustix::time::ClockId;

/// The one in the middle.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// What this process has used of all processors, in seconds: on a busy machine it says more than a clock.
pub fn processor_time() -> f64 {
    processor_time_of(ClockId::ProcessCPUTime)
}

/// The same by another clock: of this thread alone.
pub fn processor_time_of(clock: ClockId) -> f64 {
    let used = rustix::time::clock_gettime(clock);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
