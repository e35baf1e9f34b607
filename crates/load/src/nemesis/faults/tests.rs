//! The table is all that lists know of a kind, and its row all that the rest does.

use super::*;
use crate::nemesis::reach::{Harm, Reach};
use crate::nemesis::{
    Needs, Refusal, Schedule, ScheduledFault, SimDraws, SimFault, SimRow, Site, Step, Wanted,
};

const SECOND: u64 = 1_000_000_000;

/// Keeps what is wrong.
#[derive(Default)]
struct Kept(Vec<Harm>);

impl Reach for Kept {
    type Done<'a> = ();

    fn inflict(&mut self, harms: &[Harm]) {
        self.0.extend_from_slice(harms);
    }

    fn undo(&mut self, harms: &[Harm]) {
        for harm in harms {
            let place = self.0.iter().position(|kept| kept == harm);
            self.0.remove(place.expect("only what was done is undone"));
        }
    }
}

fn groups() -> Vec<Vec<NodeId>> {
    vec![[0, 1, 2].map(NodeId).to_vec()]
}

fn site(lacks: Vec<(FaultKind, String)>, steps: Vec<Step>) -> Site {
    Site {
        groups: groups(),
        lacks,
        packets: Vec::new(),
        has_primary: false,
        has_leader: false,
        steps,
        limit: Some(std::time::Duration::from_secs(60)),
        seed: 1,
    }
}

/// A fault of this kind at the first second, as it was written down.
fn written(kind: FaultKind, what: Option<&str>) -> Step {
    Step {
        at_ns: SECOND,
        lasts_ns: SECOND,
        kind,
        what: what.map(str::to_owned),
        nodes: vec![NodeId(1)],
    }
}

fn events(site: &Site, wanted: &Wanted) -> Result<Vec<ScheduledFault>, Refusal> {
    let plan = wanted.plan(site)?.expect("faults are wanted");
    let schedule = Schedule::new(plan, site.groups.clone()).expect("it was tried");
    Ok(schedule.within(60 * SECOND).collect())
}

#[test]
fn each_row_is_found_by_its_name_and_in_its_place() {
    let mut last = None;
    for (row, kind) in FAULTS.iter().zip(FaultKind::ALL) {
        assert_eq!(kind.name(), row.name);
        assert_eq!(FaultKind::from_word(&row.name.to_uppercase()), Some(kind));
        assert!(Some(kind) > last, "{kind} comes after {last:?}");
        last = Some(kind);
        let read: Result<FaultKind, toml::de::Error> = FaultKind::deserialize(
            toml::de::ValueDeserializer::parse(&format!("{:?}", row.name)).expect("a text"),
        );
        assert_eq!(read, Ok(kind));
    }
}

#[test]
fn each_way_can_be_written_down_and_is_what_comes() {
    for kind in FaultKind::ALL {
        for way in kind.row().ways {
            let site = site(Vec::new(), vec![written(kind, Some(way))]);
            let events = events(&site, &Wanted::default()).expect("a fault");
            assert_eq!(events[0].fault.way(), Some(*way));
            let words = events[0].fault.to_string();
            assert!(words.starts_with(&format!("{kind} {way}")), "{words}");
        }
        let refused = kind.way("gently").expect_err("no such way").to_string();
        let ways = kind.row().ways;
        assert!(ways.iter().all(|way| refused.contains(way)), "{refused}");
    }
}

#[test]
fn what_each_fault_does_is_undone_by_its_end() {
    for kind in FaultKind::ALL {
        let events = events(&site(Vec::new(), Vec::new()), &Wanted::of(kind)).expect("faults");
        assert!(!events.is_empty());
        let mut kept = Kept::default();
        for event in &events {
            event.fault.install(&mut kept);
            assert!(!kept.0.is_empty(), "{kind}");
        }
        for event in &events {
            event.fault.heal(&mut kept);
        }
        assert_eq!(kept.0, [], "{kind}");
        let harms = events.iter().flat_map(|event| event.fault.harms());
        for part in harms.map(Harm::part) {
            assert!(
                kind.row().acts_on.contains(&part),
                "{kind} acts on {part:?}"
            );
        }
    }
}

#[test]
fn a_toy_is_found_by_its_name_and_listed_and_comes_with_all_others() {
    let fog = FaultKind::from_word("Fog").expect("a row of the table");
    assert!(FAULTS.iter().any(|row| row.name == fog.name()));
    assert!(Wanted::of(fog).names().contains(&"fog"));
    let all = Wanted {
        all: true,
        ..Wanted::default()
    };
    let came = events(&site(Vec::new(), Vec::new()), &all).expect("faults");
    assert!(came.iter().any(|event| event.fault.kind() == fog));
    let lacks = vec![(fog, "better weather".to_owned())];
    let came = events(&site(lacks, Vec::new()), &all).expect("faults");
    assert!(
        came.iter().all(|event| event.fault.kind() != fog),
        "the control"
    );
}

#[test]
fn a_toy_is_drawn_and_read_as_it_was_written_down() {
    let fog = FaultKind::FOG;
    let steps = vec![written(fog, Some("thick"))];
    let wanted = Wanted {
        kinds: [fog, FaultKind::KILL].into(),
        ..Wanted::default()
    };
    let came = events(&site(Vec::new(), steps), &wanted).expect("faults");
    let fogs: Vec<&Fault> = { came.iter().map(|event| &event.fault) }
        .filter(|fault| fault.kind() == fog)
        .collect();
    let [thick, thin, ..] = fogs[..] else {
        panic!("it comes as it was written down, and at random: {fogs:?}")
    };
    assert_eq!(thick.to_string(), "fog thick n1");
    assert!(thin.to_string().starts_with("fog thin n"), "{thin}");
    let gently = vec![written(fog, Some("gently"))];
    let told = events(&site(Vec::new(), gently), &wanted).expect_err("no such way");
    assert!(told.to_string().contains("thin, thick"), "{told}");
}

#[test]
fn a_toy_is_aimed_and_done_and_undone() {
    let came = events(&site(Vec::new(), Vec::new()), &Wanted::of(FaultKind::FOG));
    let first = came.expect("faults").remove(0);
    let aimed = first.aimed_at(NodeId(2), &groups()).fault;
    let late = Harm::Packets(PacketFault::Delay, NodeId(2));
    let wrong = Harm::Clock(ClockFault::Bump { offset_ns: 1_000 }, NodeId(2));
    let mut kept = Kept::default();
    aimed.install(&mut kept);
    assert_eq!(kept.0, [late, wrong]);
    aimed.heal(&mut kept);
    assert_eq!(kept.0, []);
}

#[test]
fn a_toy_is_refused_where_the_store_cannot_have_it() {
    let (kind, need) = (FaultKind::FOG, "better weather".to_owned());
    let lacks = vec![(kind, need.clone())];
    let refused = events(&site(lacks, Vec::new()), &Wanted::of(kind));
    assert_eq!(refused, Err(Refusal::Kind { kind, need }));
}

#[test]
fn each_way_of_the_simulator_has_its_number_and_its_kind_and_is_meant_by_its_names() {
    for (number, fault) in SimFault::ALL.iter().enumerate() {
        assert_eq!(fault.index(), number, "{fault}");
        assert_eq!(meant(fault.name()), [*fault]);
        let row = fault.kind().row();
        assert!(row.simulated.iter().any(|known| known.name == fault.name()));
        for way in fault.row().ways {
            assert!(row.ways.contains(way), "{fault} is no way of {}", row.name);
            assert_eq!(meant(way), [*fault]);
        }
    }
    assert_eq!(meant("kill"), [SimFault::CRASH, SimFault::AMNESIA]);
    assert_eq!(meant("packet").len(), 4);
    // It has long meant one thing.
    assert_eq!(meant("partition"), [SimFault::PARTITION]);
    assert_eq!(meant("drizzle"), []);
}

fn meant(word: &str) -> Vec<SimFault> {
    SimFault::meant(word).expect("a simulated world has it")
}

#[test]
fn what_only_processes_or_only_a_simulated_world_has_is_refused_by_the_other() {
    for word in ["corrupt", "strobe", "full", "bridge", "fog"] {
        let told = SimFault::meant(word).expect_err(word).to_string();
        assert!(
            told.contains(word) && told.contains("real processes"),
            "{told}"
        );
    }
    for (kind, word) in [
        (FaultKind::KILL, "amnesia"),
        (FaultKind::PARTITION, "disconnect"),
    ] {
        let told = FaultKind::meant(word).expect_err(word).to_string();
        assert!(
            told.contains(word) && told.contains("kvs-bench sim"),
            "{told}"
        );
        let site = site(Vec::new(), vec![written(kind, Some(word))]);
        let told_of_step = events(&site, &Wanted::default())
            .expect_err(word)
            .to_string();
        assert_eq!(told_of_step, told);
    }
    // What is a way of a kind of run is no kind, and what nobody has is no fault.
    for word in ["loss", "crash", "drizzle"] {
        assert_eq!(FaultKind::meant(word), Ok(None), "{word}");
    }
}

/// A world of three nodes, in which everything is as bad as can be.
struct Bad;

impl SimDraws for Bad {
    fn nodes(&self) -> u16 {
        3
    }

    fn clients(&self) -> u16 {
        1
    }

    fn skew_ns(&mut self) -> i64 {
        7
    }

    fn drift_ppm(&mut self) -> i64 {
        7
    }

    fn jump_ns(&mut self) -> i64 {
        7
    }

    fn below(&mut self, n: usize) -> usize {
        n - 1
    }

    fn chance(&mut self, _: f64) -> bool {
        true
    }
}

#[test]
fn what_comes_to_a_simulated_world_stands_or_strikes_and_is_done_and_undone_like_any_fault() {
    for fault in SimFault::ALL {
        let SimRow {
            stands, strikes, ..
        } = fault.row();
        let stands = stands.map(|stands| stands(&mut Bad));
        let strikes = strikes.map(|strikes| strikes(&mut Bad, NodeId(1)).fault);
        assert!(stands.is_some() || strikes.is_some(), "{fault} never comes");
        for what in stands.into_iter().chain(strikes) {
            assert_eq!(what.kind(), fault.kind());
            let parts = what.kind().row().acts_on;
            assert!(what.harms().iter().all(|harm| parts.contains(&harm.part())));
            let mut kept = Kept::default();
            what.install(&mut kept);
            assert_eq!(kept.0, what.harms());
            what.heal(&mut kept);
            assert_eq!(kept.0, []);
        }
    }
}

#[test]
fn a_fault_that_would_leave_nothing_to_judge_does_not_come_and_one_that_nobody_notices_may() {
    let store = |name: &str| name.parse().expect("an architecture");
    for alone in ["local", "sharded"].map(store) {
        for fault in SimFault::ALL {
            assert_eq!(
                fault.may_come(&alone),
                *fault != SimFault::AMNESIA,
                "{fault}"
            );
        }
        assert!(!SimFault::LOSS.can_meet(&alone), "nobody notices it");
    }
    for copies in ["replicated", "sharded(2, quorum)"].map(store) {
        let all = SimFault::ALL.iter();
        assert!({ all }.all(|fault| fault.may_come(&copies) && fault.can_meet(&copies)));
    }
}

#[test]
fn the_reference_of_the_simulator_has_each_way_under_its_kind() {
    let page = include_str!("../../../../../docs/reference/simulation.md");
    for fault in SimFault::ALL {
        let has = |line: &&str| line.contains(&format!("`{fault}`"));
        let kind = format!("| `{}` |", fault.kind());
        let line = { page.lines() }
            .filter(|line| line.starts_with(&kind))
            .find(has);
        let line = line.unwrap_or_else(|| panic!("{fault} has no line that begins with {kind}"));
        for way in fault.row().ways {
            assert!(line.contains(&format!("`{way}`")), "{fault} is {way}");
        }
    }
}

#[test]
fn the_reference_of_the_simulator_names_what_only_one_of_the_worlds_has() {
    let page = include_str!("../../../../../docs/reference/simulation.md");
    let said = { page.split("\n\n") }.find(|part| part.starts_with("Only the simulator has"));
    let said = said.expect("a paragraph");
    let (simulated, real) = said.split_once("Only real").expect("two sentences");
    for fault in SimFault::ALL {
        let is_alone = fault.row().needs.contains(&Needs::Simulation);
        assert_eq!(
            simulated.contains(&format!("`{fault}`")),
            is_alone,
            "{fault}"
        );
    }
    for row in FAULTS.iter().filter(|row| row.name != "fog") {
        for way in row.ways {
            let is_alone = SimFault::meant(way).is_err();
            assert_eq!(real.contains(&format!("`{way}`")), is_alone, "{way}");
        }
    }
}

#[test]
fn the_reference_has_every_kind_and_each_of_its_ways() {
    let page = include_str!("../../../../../docs/reference/faults.md");
    let line = |row: &FaultRow| {
        let start = format!("| `{}` |", row.name);
        page.lines().find(|line| line.starts_with(&start))
    };
    let unknown = FAULTS.iter().filter(|row| line(row).is_none());
    let unknown: Vec<&str> = unknown.map(|row| row.name).collect();
    assert_eq!(unknown, ["fog"], "only the toy has no line");
    for row in FAULTS {
        for way in row.ways {
            let has = line(row).is_none_or(|line| line.contains(&format!("`{way}`")));
            assert!(has, "{}: {way}", row.name);
        }
    }
}
