//! Whether all runs ran on one machine: a difference between machines is not one between stores.

use crate::report::layout::{join, plural};
use crate::report::number;
use kvs_measure::{Machine, RunRecord};

/// By which share the memory of one machine may differ from boot to boot.
const MEMORY_TOLERANCE: f64 = 0.05;

/// What the machines of the runs are, where they are not all the same.
pub(super) fn difference(a: &[&RunRecord], b: &[&RunRecord]) -> Option<String> {
    let first = &a.first()?.machine;
    let other = { a.iter().chain(b) }.find(|run| !is_same(first, &run.machine))?;
    Some(format!(
        "the runs are of different machines ({}; {}), so that no difference is certain: compare runs \
         of one machine",
        words(first),
        words(&other.machine)
    ))
}

fn is_same(one: &Machine, other: &Machine) -> bool {
    let memory = match (one.memory_bytes, other.memory_bytes) {
        (Some(one), Some(other)) => {
            (one as f64 - other as f64).abs() <= MEMORY_TOLERANCE * one.max(other) as f64
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    memory && one.cores == other.cores && one.cpu == other.cpu && one.kernel == other.kernel
}

fn words(machine: &Machine) -> String {
    let known = [
        Some(plural(u64::from(machine.cores), "core")),
        machine.cpu.clone(),
        machine.memory_bytes.map(number::bytes),
        machine.kernel.clone(),
    ];
    join(known.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_processor_memory_and_kernel_and_may_boot_with_a_little_less_memory()
     {
        let machine = Machine {
            cores: 2,
            cpu: Some("AMD EPYC".to_owned()),
            kernel: Some("linux 6.1".to_owned()),
            memory_bytes: Some(8_000_000_000),
        };
        let changed = |change: fn(&mut Machine)| {
            let mut other = machine.clone();
            change(&mut other);
            is_same(&machine, &other)
        };
        assert!(changed(|_| ()));
        assert!(changed(|other| other.memory_bytes = Some(7_900_000_000)));
        assert!(!changed(|other| other.memory_bytes = Some(16_000_000_000)));
        assert!(!changed(|other| other.memory_bytes = None));
        assert!(!changed(|other| other.cores = 64));
        assert!(!changed(|other| other.cpu = Some("Xeon".to_owned())));
        assert!(!changed(|other| other.kernel = Some("linux 6.2".to_owned())));
    }
}
