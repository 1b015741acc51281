//! The zone of this machine.

use walctl::model::Time;

/// How many seconds local time is ahead of UTC at a moment, as the system says (`TZ`, `/etc/localtime`); 0 where it does not.
pub fn east_of_utc(time: Time) -> i64 {
    let Ok(seconds) = libc::time_t::try_from(time.0 / 1_000_000) else { return 0 };
    // SAFETY: all bytes zero is a valid `tm`: integers and a pointer that is only read where the call set it.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are of live values of the right types, and the call keeps neither.
    let known = unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    if known.is_null() { 0 } else { parts.tm_gmtoff }
}
