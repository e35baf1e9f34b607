//! A whole run of a store that neither the zoo nor a file knows: a map in the thread of the test,
//! behind a connection that is a queue.
//!
//! `Echo` shows what a target must bring, through the public API alone. Nothing else in the
//! workspace knows it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use kvs_check::history::{Evidence, Model};
use kvs_core::drive::{Ask, NewValue, Order};
use kvs_core::protocol::{GroupId, NodeId, PutWitness, Response, Sibling};
use kvs_core::server::{Group, ServerPorts};
use kvs_harness::run::{self, Config, Error, Foreign, Home, Observer};
use kvs_load::nemesis::{self, DiskFault, FaultKind, Wanted};
use kvs_load::workload::Chosen;
use kvs_measure::{FaultsRecord, NodeRecord, RunRecord, VerdictWord};
use kvs_place::Processes;
use kvs_target::{
    Answers, Connection, Connector, Facts, FaultSupport, Local, NodeAddress, NodeNetwork,
    Operations, Outgoing, Quiet, Reads, Refused, Sessions, Target, Writes,
};
use tokio::sync::Notify;

/// The nodes, all of which are the same map.
const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];
/// How many operations the runs of these tests measure.
const OPERATIONS: u64 = 400;

/// What a get answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// The value of the last put.
    Last,
    /// The value before it: the planted mistake.
    TheOneBefore,
}

/// The store, and the target: it answers what was put.
#[derive(Debug)]
struct Echo {
    facts: Facts,
    store: Rc<Store>,
    /// The nodes that say that they lead.
    leading: Vec<NodeId>,
    /// The nodes whose clocks were set.
    set: Rc<RefCell<Vec<NodeId>>>,
}

/// The values that each key has held, the newest last.
#[derive(Debug)]
struct Store {
    values: RefCell<BTreeMap<u64, Vec<NewValue>>>,
    answer: Answer,
}

impl Store {
    /// What a get of the key finds.
    fn found(&self, key: u64) -> Option<Vec<u8>> {
        let values = self.values.borrow();
        let mut newest = values.get(&key)?.iter().rev();
        let value = match self.answer {
            Answer::Last => newest.next()?,
            Answer::TheOneBefore => newest.nth(1)?,
        };
        Some(value.to_text())
    }
}

/// What is known of it before it is started.
fn facts() -> Facts {
    let nodes = NODES.to_vec();
    Facts {
        name: "echo".to_owned(),
        promise: Model::Linearizable,
        says: None,
        evidence: Evidence::None,
        ports: ServerPorts::of_group(Group::new(GroupId(0), nodes)),
        operations: Operations::default(),
        writes: Writes::Any,
        has_primary: false,
        has_leader: false,
        reads: Reads::AsAsked,
        sessions: Sessions::Shared,
        // A kind of fault that nobody names is one that it cannot have.
        faults: Vec::new(),
    }
}

/// Makes connections to it.
struct ToEcho(Rc<Store>);

impl Connector for ToEcho {
    fn connect(&self, _: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>> {
        let outgoing = Rc::new(Queue::default());
        let store = Rc::clone(&self.0);
        let connection: Box<dyn Connection> = Box::new(InMemory { store, outgoing });
        Box::pin(std::future::ready(Ok(connection)))
    }
}

/// A connection to it.
struct InMemory {
    store: Rc<Store>,
    outgoing: Rc<Queue>,
}

/// Requests that wait.
#[derive(Debug, Default)]
struct Queue {
    waiting: RefCell<VecDeque<(u32, u64, Ask)>>,
    more: Notify,
    is_closed: Cell<bool>,
}

impl Outgoing for Queue {
    fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn request(&self, id: u32, order: &Order<'_>) {
        if !self.is_closed.get() {
            let asked = (id, order.key, order.ask);
            self.waiting.borrow_mut().push_back(asked);
            self.more.notify_one();
        }
    }

    fn close(&self) {
        self.is_closed.set(true);
        self.more.notify_one();
    }
}

impl Connection for InMemory {
    fn outgoing(&self) -> Rc<dyn Outgoing> {
        Rc::<Queue>::clone(&self.outgoing)
    }

    fn run<'a>(self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()> {
        Box::pin(async move {
            while !self.outgoing.is_closed() {
                // An answer may bring the next request, which waits for its turn.
                let asked = self.outgoing.waiting.take();
                for (id, key, ask) in asked {
                    self.store
                        .serve(key, ask, |response| answers.answer(id, response));
                }
                self.outgoing.more.notified().await;
            }
        })
    }
}

impl Store {
    /// Does what is asked of a key.
    fn serve(&self, key: u64, ask: Ask, answer: impl FnOnce(&Response<'_>)) {
        match ask {
            Ask::Get => {
                let value = self.found(key);
                let found = { value.iter() }.map(|value| Sibling {
                    value,
                    witness: PutWitness::None,
                });
                answer(&Response::Get {
                    vector: &[],
                    siblings: &found.collect::<Vec<_>>(),
                });
            }
            Ask::Put(new) => {
                let mut values = self.values.borrow_mut();
                values.entry(key).or_default().push(new);
                drop(values);
                answer(&Response::Put(PutWitness::None));
            }
            Ask::Cas { .. } => unreachable!("its facts say that it cannot be asked"),
        }
    }
}

/// What is asked of it by mistake: its facts allow no fault.
fn no_fault<T: 'static>() -> Local<'static, Result<T, String>> {
    Box::pin(std::future::ready(Err("it has no process".to_owned())))
}

impl Target for Echo {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn connector(&self) -> Rc<dyn Connector> {
        Rc::new(ToEcho(Rc::clone(&self.store)))
    }

    fn addresses(&self) -> Vec<NodeAddress> {
        // Its connector needs no address.
        let address = |node| NodeAddress {
            node,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            incarnation: 0,
        };
        NODES.map(address).to_vec()
    }

    fn processes(&self) -> Processes {
        Processes::default()
    }

    fn leading(&mut self, _: Vec<NodeId>) -> Local<'_, Vec<NodeId>> {
        Box::pin(std::future::ready(self.leading.clone()))
    }

    fn quiet(&mut self) -> Local<'_, Quiet> {
        Box::pin(std::future::ready(Quiet {
            converged: true,
            moved: false,
            is_known: true,
            lacking: Vec::new(),
            unreachable: BTreeMap::new(),
        }))
    }

    fn observe(&mut self) -> Local<'_, Vec<(NodeId, Result<NodeRecord, String>)>> {
        let keys = self.store.values.borrow().len() as u64;
        let record = |node| {
            let record = NodeRecord {
                keys: Some(keys),
                ..NodeRecord::default()
            };
            (node, Ok(record))
        };
        Box::pin(std::future::ready(NODES.map(record).to_vec()))
    }

    fn is_running(&self, _: NodeId) -> bool {
        true
    }

    fn exits(&mut self) -> BTreeMap<NodeId, String> {
        BTreeMap::new()
    }

    fn kill(&mut self, _: NodeId) -> Local<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn revive(&mut self, _: NodeId) -> Local<'_, Result<(), String>> {
        no_fault()
    }

    fn pause(&mut self, _: NodeId) -> Local<'_, Result<bool, String>> {
        no_fault()
    }

    fn resume(&mut self, _: NodeId) -> Local<'_, Result<bool, String>> {
        no_fault()
    }

    fn set_network<'a>(
        &'a mut self,
        _: NodeId,
        _: &'a NodeNetwork,
        _: bool,
    ) -> Local<'a, Result<(), String>> {
        no_fault()
    }

    fn set_clock(&mut self, node: NodeId, _: i64) -> Local<'_, Result<(), String>> {
        self.set.borrow_mut().push(node);
        Box::pin(std::future::ready(Ok(())))
    }

    fn set_disk(
        &mut self,
        _: NodeId,
        _: Option<DiskFault>,
        _: bool,
    ) -> Local<'_, Result<bool, String>> {
        no_fault()
    }

    fn stop(self: Box<Self>) -> Local<'static, Vec<NodeId>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// Is told, and does not care.
struct Deaf;

impl Observer for Deaf {
    fn stage(&mut self, _: &'static str) {}
    fn progress(&mut self, _: String) {}
}

/// Many sessions on few keys of the toy.
fn config(results: &Path) -> Config {
    let load = Chosen::of_catalogue("contended")
        .warmed_up_for(Duration::ZERO)
        .of_operations(OPERATIONS);
    Config {
        store: Some(Foreign::Own(Box::new(facts()))),
        results: results.to_owned(),
        ..Config::new("local".parse().expect("an architecture"), load)
    }
}

/// The record of a whole run of the toy.
fn record(answer: Answer) -> RunRecord {
    let results = tempfile::tempdir().expect("a folder");
    let config = config(results.path());
    config.check().expect("it can be had");
    let finished = run::run_on(&config, &mut Deaf, async |_: Home| {
        let values = RefCell::default();
        let store = Rc::new(Store { values, answer });
        Ok(Box::new(Echo {
            facts: facts(),
            store,
            leading: Vec::new(),
            set: Rc::default(),
        }) as Box<dyn Target>)
    });
    finished.expect("a run").record
}

#[test]
fn a_whole_run_drives_a_toy_and_finds_it_linearizable() {
    let record = record(Answer::Last);
    assert_eq!(record.verdict.verdict, VerdictWord::Valid, "{record:#?}");
    assert_eq!(record.verdict.promise, "linearizable");
    assert_eq!(record.configuration.architecture, "echo");
    assert_eq!(record.configuration.lattice, None);
    assert_eq!(record.statistics.throughput.operations, OPERATIONS);
    assert!(record.history.complete && record.history.recorded > OPERATIONS);
    assert_eq!(record.nodes[0].keys, Some(8));
    let again = "# its own program starts echo, with --workload contended";
    assert!(record.command.starts_with(again), "{}", record.command);
}

#[test]
fn a_toy_that_answers_the_value_before_the_last_put_is_found_out() {
    let record = record(Answer::TheOneBefore);
    assert_eq!(record.verdict.verdict, VerdictWord::Invalid);
    assert!(!record.verdict.anomalies.is_empty());
}

#[test]
fn what_a_toy_cannot_have_is_refused_before_it_is_started() {
    let results = tempfile::tempdir().expect("a folder");
    let faulty = |faults| Config {
        faults,
        ..config(results.path())
    };
    for kind in FaultKind::ALL {
        let config = faulty(Wanted::of(kind));
        let refused = config.check().expect_err("no such fault").to_string();
        assert!(refused.contains(kind.name()), "{refused}");
        let never = async |_: Home| unreachable!("it is refused before");
        let told = run::run_on(&config, &mut Deaf, never).expect_err("no such fault");
        assert_eq!(told.to_string(), refused);
    }
    let compares = Config {
        load: Chosen::of_catalogue("cas-register"),
        ..config(results.path())
    };
    let refused = compares.check().expect_err("no such operation").to_string();
    assert!(
        refused.starts_with("echo knows no compare-and-set"),
        "{refused}"
    );
}

#[test]
fn a_toy_is_started_by_whoever_has_it() {
    let results = tempfile::tempdir().expect("a folder");
    let told = run::run(&config(results.path()), &mut Deaf).expect_err("nobody starts it");
    assert!(matches!(told, Error::Start(_)), "{told}");
    assert!(
        told.to_string()
            .ends_with("whoever has echo starts it: run_on"),
        "{told}"
    );
}

/// What a nemesis does that was told to turn the clock of the leader, where these nodes say that
/// they lead: its record, and the nodes whose clocks were set.
fn turned(leading: &[NodeId]) -> (FaultsRecord, BTreeSet<NodeId>) {
    let led = || Facts {
        has_leader: true,
        faults: vec![(FaultKind::CLOCK, FaultSupport::Yes)],
        ..facts()
    };
    let mut load = Chosen::of_catalogue("contended").warmed_up_for(Duration::ZERO);
    for setting in [
        "duration=300ms",
        r#"nemesis=[{ at = "0s", for = "20ms", fault = "clock" }]"#,
    ] {
        load.set(setting).expect("a setting");
    }
    let results = tempfile::tempdir().expect("a folder");
    let config = Config {
        load,
        store: Some(Foreign::Own(Box::new(led()))),
        faults: Wanted {
            targets: vec![nemesis::Target::Leader],
            ..Wanted::default()
        },
        ..config(results.path())
    };
    let set = Rc::new(RefCell::new(Vec::new()));
    let finished = run::run_on(&config, &mut Deaf, async |_: Home| {
        let (values, answer) = (RefCell::default(), Answer::Last);
        Ok(Box::new(Echo {
            facts: led(),
            store: Rc::new(Store { values, answer }),
            leading: leading.to_vec(),
            set: Rc::clone(&set),
        }) as Box<dyn Target>)
    });
    let record = finished.expect("a run").record;
    (record.faults, set.borrow().iter().copied().collect())
}

#[test]
fn a_fault_for_the_leader_meets_the_node_that_says_it_leads_and_is_recorded_so() {
    for leader in NODES {
        let (record, set) = turned(&[leader]);
        assert_eq!(set, [leader].into());
        assert_eq!(record.coverage[0].installed, 1);
        let [window] = &record.windows[..] else {
            panic!("{record:?}")
        };
        assert_eq!(window.nodes, [u32::from(leader.0)]);
        assert!(window.fault.ends_with(&leader.to_string()), "{window:?}");
    }
}

#[test]
fn a_fault_for_the_leader_is_left_out_while_nobody_says_so_or_several_do() {
    for leading in [&[][..], &NODES[..2]] {
        let (record, set) = turned(leading);
        assert_eq!((set.len(), record.windows.len()), (0, 0));
        let coverage = &record.coverage[0];
        assert_eq!(coverage.installed, 0);
        let why = coverage.missed.as_deref().expect("a reason");
        assert!(why.contains("said that it leads the group"), "{why}");
    }
}
