//! `raft`: three replicas that agree on a log, while messages are lost, leaders change and processes
//! end. Clients see a linearizable store, and the replicas keep what Raft itself promises
//! (`safety`).
//!
//! A replica that hears of no leader for one tick asks for votes, and ticks come at any moment: each
//! multiplies the states. Some models therefore begin after a fixed schedule (`openings`).

mod catches;
mod happens;
mod openings;
mod safety;
#[cfg(test)]
mod tests;

pub(crate) use catches::CATCHES;

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::replica::{RaftRule, RaftSettings, Reads, Settings};
use kvs_core::server::{Architecture, DEFAULT_SIZE, RaftKVSServer};
use kvs_core::values::LwwWrapper;

use self::happens::{
    A_LIFE_IS_A_MEMBER, A_STATE_IS_TAKEN, A_WRITE_IS_THERE_TWICE, THE_FIRST_IS_COMMITTED,
    THE_SECOND_IS_COMMITTED, TWO_BELIEVE_TO_LEAD,
};
use self::openings::{
    ASKED, FIGURE_8, GOT, LED, LED_BY_TWO, LED_ON_DISKS, PUT, TURN, TURNED, VOTED,
};
use self::safety::{SAFETY, tell};
use crate::adapter::{Budget, ClusterModel, EVER, Scenario, TICK_NS};
use crate::catalogue::{Entry, Size};
use crate::client::{Step, get, put};
use crate::properties::A_CHANGE_IS_LOST;

type Lww = LwwWrapper<String>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "raft",
        describe: "3 replicas that agree on a log, a session that puts a key, one that gets it at another node",
        bounds: "any loss, 1 tick",
        size: Size::Small,
        states: 193_627,
        model: put_and_get,
    },
    Entry {
        name: "raft-elects",
        describe: "3 replicas that agree on a log",
        bounds: "any loss, 2 ticks",
        size: Size::Small,
        states: 159_460,
        model: elects,
    },
    Entry {
        name: "raft-elects-put",
        describe: "the same, a session that puts a key",
        bounds: "any loss, 2 ticks",
        size: Size::Large,
        states: 3_382_876,
        model: elects_for_a_put,
    },
    Entry {
        name: "raft-asks-first",
        describe: "the same, where who wants votes first asks if it would get them",
        bounds: "any loss, 1 tick",
        size: Size::Small,
        states: 11_047,
        model: |bug| asks_first(bug, vec![vec![put(0, "k", "a")]]),
    },
    Entry {
        name: "raft-asks-first-get",
        describe: "the same, and one that gets it at another node",
        bounds: "any loss, 1 tick",
        size: Size::Large,
        states: 1_364_273,
        model: |bug| asks_first(bug, vec![vec![put(0, "k", "a")], vec![get(1, "k")]]),
    },
    Entry {
        name: "raft-puts",
        describe: "3 replicas that agree on a log, one of which leads; 2 sessions put a key, one gets it",
        bounds: "any loss",
        size: Size::Small,
        states: 111_729,
        model: puts_at_once,
    },
    Entry {
        name: "raft-repeats",
        describe: "the same, a session that puts a key twice and gets it",
        bounds: "any loss and repetition",
        size: Size::Small,
        states: 1_400,
        model: repeats,
    },
    Entry {
        name: "raft-turns",
        describe: "the same while another node comes to lead, 2 sessions that put a key at either",
        bounds: "any loss",
        size: Size::Small,
        states: 45_653,
        model: turns,
    },
    Entry {
        name: "raft-turns-get",
        describe: "the same, a session that puts a key at the other node, one that gets it at the first",
        bounds: "any loss",
        size: Size::Large,
        states: 2_373_114,
        model: turns_for_a_get,
    },
    Entry {
        name: "raft-turns-after-put",
        describe: "the same once a put is answered, one that gets the key at the other node",
        bounds: "any loss",
        size: Size::Small,
        states: 2_682,
        model: turns_after_put,
    },
    Entry {
        name: "raft-old-leader",
        describe: "3 replicas that agree on a log, one leads and another still believes to; a session puts a key at the one, another gets it at the other",
        bounds: "any loss",
        size: Size::Small,
        states: 49,
        model: old_leader,
    },
    Entry {
        name: "raft-clock",
        describe: "the same once the old leader has answered a get, while all clocks stand still",
        bounds: "any loss",
        size: Size::Small,
        states: 49,
        model: clock,
    },
    Entry {
        name: "raft-log",
        describe: "3 replicas that agree on a log, through which they read; another comes to lead, a session puts a key there, another gets it at the old leader",
        bounds: "any loss",
        size: Size::Small,
        states: 52_160,
        model: reads_through_log,
    },
    Entry {
        name: "raft-figure-8",
        describe: "3 replicas that agree on a log, two of which have led and have an entry of their own",
        bounds: "any loss, 2 ticks",
        size: Size::Small,
        states: 279_567,
        model: figure_8,
    },
    Entry {
        name: "raft-retries",
        describe: "3 replicas that agree on a log, one of which leads, a session that puts a key until it is answered",
        bounds: "any loss, 1 tick, 1 restart with the state",
        size: Size::Small,
        states: 350_105,
        model: |bug| retries(bug, settings()),
    },
    Entry {
        name: "raft-retries-compacts",
        describe: "the same, where the state takes the place of each entry",
        bounds: "any loss, 1 tick, 1 restart with the state",
        size: Size::Large,
        states: 475_778,
        model: |bug| retries(bug, compacts()),
    },
    Entry {
        name: "raft-transfers",
        describe: "the same, one replica has nothing yet",
        bounds: "any loss, 1 tick",
        size: Size::Small,
        states: 36_582,
        model: transfers,
    },
    Entry {
        name: "raft-forgets",
        describe: "3 replicas that agree on a log, one of which leads, a session that puts a key and gets it",
        bounds: "any loss, 1 restart without the state",
        size: Size::Small,
        states: 22_110,
        model: |bug| forgets(bug, 0, vec![put(0, "k", "a"), get(1, "k")]),
    },
    Entry {
        name: "raft-forgets-elects",
        describe: "the same, a session that puts a key",
        bounds: "any loss, 1 tick, 1 restart without the state",
        size: Size::Large,
        states: 897_460,
        model: |bug| forgets(bug, 1, vec![put(0, "k", "a")]),
    },
    Entry {
        name: "raft-disk-votes",
        describe: "3 replicas with disks that agree on a log, one of which has voted",
        bounds: "any loss, 1 tick, 1 crash that leaves any change that is not durable or none",
        size: Size::Small,
        states: 302_799,
        model: |bug| disk_votes(bug, &[VOTED]),
    },
    Entry {
        name: "raft-disk",
        describe: "3 replicas with disks that agree on a log, one of which leads, a session that puts a key and gets it",
        bounds: "any loss, 1 crash that leaves any change that is not durable or none",
        size: Size::Small,
        states: 2_313,
        model: |bug| disk(bug, 0, vec![vec![put(0, "k", "a"), get(1, "k")]]),
    },
    Entry {
        name: "raft-disk-gets",
        describe: "the same, a session that puts a key, one that gets it at another node",
        bounds: "any loss, 1 crash that leaves any change that is not durable or none",
        size: Size::Large,
        states: 967_761,
        model: |bug| disk(bug, 0, vec![vec![put(0, "k", "a")], vec![get(1, "k")]]),
    },
    Entry {
        name: "raft-disk-elects",
        describe: "the same, a session that puts a key",
        bounds: "any loss, 1 tick, 1 crash that leaves any change that is not durable or none",
        size: Size::Large,
        states: 2_379_775,
        model: |bug| disk(bug, 1, vec![vec![put(0, "k", "a")]]),
    },
    Entry {
        name: "raft-disk-asks",
        describe: "3 replicas with disks that agree on a log, one of which has voted and one is asked to",
        bounds: "any loss, 1 tick, 1 crash that leaves any change that is not durable or none",
        size: Size::Large,
        states: 2_416_440,
        model: |bug| disk_votes(bug, &[ASKED]),
    },
];

/// As little under way at once as there can be.
fn settings() -> RaftSettings {
    RaftSettings {
        election_ticks: 1,
        asks_first: false,
        in_flight_max: 1,
        entries_max: 1,
        rounds_max: 1,
        ..RaftSettings::default()
    }
}

fn with(raft: RaftSettings) -> Settings {
    Settings {
        raft,
        ..Settings::default()
    }
}

/// The openings one after another, and then these scripts.
fn scenario(openings: &[&[&'static str]], scripts: Vec<Vec<Step>>, rounds: u8) -> Scenario {
    Scenario {
        scripts,
        budget: Budget {
            rounds,
            ..Budget::default()
        },
        keeps: SAFETY,
        tells: Some(tell),
        opening: openings.concat(),
        settings: with(settings()),
        ..Scenario::default()
    }
}

fn deploy(scenario: Scenario, bug: Option<Bug>) -> ClusterModel {
    scenario.deploy::<Lww, RaftKVSServer<Lww>>(bug)
}

fn put_and_get(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(0, "k", "a")], vec![get(1, "k")]];
    deploy(scenario(&[], scripts, 1), bug)
}

fn elects(bug: Option<Bug>) -> ClusterModel {
    let scenario = Scenario {
        happens: &[TWO_BELIEVE_TO_LEAD],
        ..scenario(&[], Vec::new(), 2)
    };
    deploy(scenario, bug)
}

fn elects_for_a_put(bug: Option<Bug>) -> ClusterModel {
    deploy(scenario(&[], vec![vec![put(0, "k", "a")]], 2), bug)
}

fn asks_first(bug: Option<Bug>, scripts: Vec<Vec<Step>>) -> ClusterModel {
    let scenario = Scenario {
        settings: with(RaftSettings {
            asks_first: true,
            ..settings()
        }),
        ..scenario(&[], scripts, 1)
    };
    deploy(scenario, bug)
}

fn puts_at_once(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![
        vec![put(0, "k", "a")],
        vec![put(1, "k", "b")],
        vec![get(1, "k")],
    ];
    deploy(scenario(&[LED], scripts, 0), bug)
}

fn repeats(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(0, "k", "a"), put(0, "k", "b"), get(1, "k")]];
    let scenario = Scenario {
        budget: Budget {
            repetitions: EVER,
            ..Budget::default()
        },
        settings: with(RaftSettings {
            entries_max: 8,
            ..settings()
        }),
        ..scenario(&[LED], scripts, 0)
    };
    deploy(scenario, bug)
}

fn turns(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(0, "k", "a")], vec![put(1, "k", "b")]];
    let scenario = Scenario {
        happens: &[TWO_BELIEVE_TO_LEAD],
        ..scenario(&[LED, TURN], scripts, 0)
    };
    deploy(scenario, bug)
}

fn turns_for_a_get(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(1, "k", "a")], vec![get(0, "k")]];
    deploy(scenario(&[LED, TURN], scripts, 0), bug)
}

fn turns_after_put(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(0, "k", "a")], vec![get(1, "k")]];
    deploy(scenario(&[LED, PUT, TURN], scripts, 0), bug)
}

fn old_leader(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![put(1, "k", "a")], vec![get(0, "k")]];
    deploy(scenario(&[LED, TURN, TURNED], scripts, 0), bug)
}

fn clock(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![vec![get(0, "k"), get(0, "k")], vec![put(1, "k", "a")]];
    let scenario = Scenario {
        walls: &[TICK_NS],
        ..scenario(&[LED, GOT, TURN, TURNED], scripts, 0)
    };
    deploy(scenario, bug)
}

fn reads_through_log(bug: Option<Bug>) -> ClusterModel {
    let rule = RaftRule { reads: Reads::Log };
    let store = Architecture::raft(DEFAULT_SIZE, rule).expect("a possible size");
    let scripts = vec![vec![put(1, "k", "a")], vec![get(0, "k")]];
    scenario(&[LED, TURN], scripts, 0).deploy_on(&store, Lattice::Lww, bug)
}

fn figure_8(bug: Option<Bug>) -> ClusterModel {
    let scenario = Scenario {
        happens: &[THE_FIRST_IS_COMMITTED, THE_SECOND_IS_COMMITTED],
        ..scenario(&[FIGURE_8], Vec::new(), 2)
    };
    deploy(scenario, bug)
}

/// The state takes the place of each entry once it is applied.
fn compacts() -> RaftSettings {
    RaftSettings {
        compact_entries: 1,
        ..settings()
    }
}

fn retries(bug: Option<Bug>, raft: RaftSettings) -> ClusterModel {
    let scenario = Scenario {
        budget: Budget {
            rounds: 1,
            recoveries: 1,
            ..Budget::default()
        },
        happens: &[A_WRITE_IS_THERE_TWICE],
        settings: with(raft),
        ..scenario(&[LED], vec![vec![put(0, "k", "a")]], 1)
    };
    deploy(scenario, bug)
}

fn transfers(bug: Option<Bug>) -> ClusterModel {
    let scenario = Scenario {
        happens: &[A_STATE_IS_TAKEN],
        settings: with(compacts()),
        ..scenario(&[LED_BY_TWO], vec![vec![put(0, "k", "a")]], 1)
    };
    deploy(scenario, bug)
}

fn forgets(bug: Option<Bug>, rounds: u8, script: Vec<Step>) -> ClusterModel {
    let scenario = Scenario {
        budget: Budget {
            rounds,
            losses_of_memory: 1,
            ..Budget::default()
        },
        happens: &[A_LIFE_IS_A_MEMBER],
        ..scenario(&[LED], vec![script], rounds)
    };
    deploy(scenario, bug)
}

/// With disks one of which loses what is not durable.
fn crashes(scenario: Scenario) -> Scenario {
    Scenario {
        budget: Budget {
            recoveries: 1,
            ..scenario.budget
        },
        disks: true,
        happens: &[A_CHANGE_IS_LOST],
        ..scenario
    }
}

fn disk_votes(bug: Option<Bug>, opening: &'static [&[&str]]) -> ClusterModel {
    deploy(crashes(scenario(opening, Vec::new(), 1)), bug)
}

fn disk(bug: Option<Bug>, rounds: u8, scripts: Vec<Vec<Step>>) -> ClusterModel {
    deploy(crashes(scenario(&[LED_ON_DISKS], scripts, rounds)), bug)
}
