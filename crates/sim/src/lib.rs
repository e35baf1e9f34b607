//! The simulator: the production replicas and sessions in a world of virtual time that one seed
//! decides, from the workload to the faults.
//!
//! A [`Plan`] is drawn from a seed and what the caller decides ([`Options`]). [`run`] simulates it
//! in three phases. In the safety phase faults come. In the liveness phase everything is healed,
//! and within a bounded time every session has to end and the replicas of each group have to agree.
//! Then every key is read from every replica, and the checker judges the history. The same plan
//! gives the same history, byte for byte. docs/reference/simulation.md says what is simulated and
//! what is not.
//!
//! Nothing here does I/O: `cli` runs seeds in parallel, shows progress and prints.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod clients;
mod counters;
mod dice;
mod disk;
mod draw;
mod host;
mod judge;
mod kinds;
mod lanes;
mod links;
mod nemesis;
mod node;
mod outbox;
mod outcome;
mod plan;
mod queue;
mod read_back;
mod shrink;
mod spread;
#[cfg(test)]
mod tests;
mod topology;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use counters::Counters;
pub use host::SimHost;
pub use kvs_load::nemesis::SimFault;
pub use outcome::{SimVerdict, Simulated};
pub use plan::{Clocks, Network, Options, Plan, Rate, STEPS_DEFAULT, Syncs, shows_at_leader};
pub use shrink::shrink;
pub use spread::{Repair, Rumour, Scale, Spread, Traffic, UpdateSpread};
pub use topology::{REGIONS, Topology};

use world::World;

/// Simulates a plan and judges what its clients saw. A panic of the store's code is a result.
#[must_use]
pub fn run(plan: &Plan) -> Simulated {
    let mut world = World::new(plan);
    let lived = catch_unwind(AssertUnwindSafe(|| world.run()));
    world.counters.virtual_ns = world.now_ns;
    world.counters.add(&world.clients.book.counters);
    let history = world.history();
    let verdict = match lived {
        Ok(Ok(())) => {
            let without_lost = world.without_lost_puts(&history);
            judge::verdict(&history, without_lost.as_ref())
        }
        Ok(Err(what)) => SimVerdict::Liveness { what },
        Err(panic) => SimVerdict::Crash {
            message: said(&*panic),
        },
    };
    Simulated {
        verdict,
        counters: world.counters,
        history,
        trace: world.trace,
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .to_owned()
}
