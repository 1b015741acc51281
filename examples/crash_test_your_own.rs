//! How to crash-test a program of your own: run it on a disk in memory, let the power fail at every operation, look at what comes up.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use walctl::disk::{Fault, Luck};
use walctl::{Options, SimDisk};

/// The program under test: a counter that is saved with each step. Gives the last value that it was told is safe.
fn program(disk: &SimDisk) -> u64 {
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).segment_records(7);
    let mut counter = 0;
    let opened = options.recover("/counter", |record| {
        counter = u64::from_le_bytes(record.payload[..].try_into().expect("eight bytes were written"));
        Ok(())
    });
    let Ok(log) = opened else { return counter };
    let mut safe = counter;
    for next in counter + 1..=counter + 20 {
        if log.append(next.to_le_bytes()).is_err() {
            break;
        }
        safe = next;
    }
    safe
}

fn main() {
    let whole = SimDisk::new();
    assert_eq!(program(&whole), 20);
    let mut crashes = 0;
    for operation in 1..=whole.operations() {
        let disk = SimDisk::new();
        disk.fail_at(operation, Fault::PowerOff);
        let promised = program(&disk);
        // What was not synced is lost, or kept, or kept in part: the seed makes each run the same.
        for luck in [Luck::None, Luck::All, Luck::Dice(operation)] {
            let after = disk.after_power_failure(luck);
            let found = program(&after) - 20;
            assert!(
                found == promised || found == promised + 1,
                "operation {operation}, {luck:?}: {promised} was promised, {found} came"
            );
            crashes += 1;
        }
    }
    println!("{crashes} crashes, and no promise was broken");
}
