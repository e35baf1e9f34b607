//! Replicas played by scripts, in the manner of etcd's raft: a command, `----`, and the effects
//! that it must have. `UPDATE=1` writes the effects that it has.
//!
//! | command | |
//! |---|---|
//! | `group N causal\|lww [setting=value ..]` | start N replicas n0, n1, .. of one group |
//! | `get NODE KEY [context=DOT,..]` | a client's request; they are numbered from r1 |
//! | `put NODE KEY VALUE [context=DOT,..]` | |
//! | `timer NODE rumour\|anti-entropy\|deferral [peers=NODE,..]` | fire; peers are all by default |
//! | `deliver MESSAGE ..`, `drop MESSAGE ..` | what is in flight, from m1; or `all` of it |
//! | `repeat MESSAGE ..` | deliver it and keep it in flight |
//! | `wall NODE UNITS` | set the wall clock, in the hybrid clock's units of 2^16 ns |
//! | `restart NODE` | the node comes back empty, under its next incarnation |
//! | `status NODE`, `stores` | what a replica holds; whether the stores are equal |

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use kvs_zoo::protocol::{Dot, GroupId, Lattice, Message, NodeId, Operation, Request};
use kvs_zoo::replica::{
    GossipTimer, Input, KindStatus, Replica, ReplicaKind, ReplicaSpec, RequestId, Settings, Timer,
};

use self::text::{Effect, Recorder, body, dot, number, option, timer_name, vector};

/// `deliver all` gives up after so many messages: they would go on for ever.
const DELIVERIES_MAX: usize = 10_000;

#[test]
fn every_script_has_the_effects_that_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/replica");
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .expect("the scripts are there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 10, "scripts are missing");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    for path in scripts {
        let expected = std::fs::read_to_string(&path).expect("readable");
        let played = play(&expected);
        if update {
            std::fs::write(&path, &played).expect("writable");
        } else if played != expected {
            writeln!(wrong, "{}:\n{played}", path.display()).expect("a string");
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 rewrites the scripts\n{wrong}");
}

#[test]
fn a_script_with_a_wrong_effect_is_not_what_is_played() {
    let script = "group 2 causal\n----\nn0 set-timer anti-entropy\nn1 set-timer rumour\n";
    assert_ne!(play(script), script);
}

/// The script with the effects that it has.
fn play(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut played = String::new();
    for block in script.split("\n\n") {
        let block = block.trim_matches('\n');
        if block.is_empty() {
            continue;
        }
        if !played.is_empty() {
            played.push('\n');
        }
        let input: Vec<&str> = block.lines().take_while(|line| *line != "----").collect();
        let mut effects = String::new();
        for line in input.iter().filter(|line| !line.starts_with('#')) {
            cluster.command(line);
            for effect in std::mem::take(&mut cluster.effects) {
                effects.push_str(&effect);
                effects.push('\n');
            }
        }
        for line in &input {
            played.push_str(line);
            played.push('\n');
        }
        if input.iter().any(|line| !line.starts_with('#')) {
            played.push_str("----\n");
            played.push_str(&effects);
        }
    }
    played
}

#[derive(Default)]
struct Cluster {
    specs: Vec<ReplicaSpec>,
    replicas: Vec<Replica>,
    wall_units: Vec<u64>,
    in_flight: BTreeMap<usize, (NodeId, NodeId, Message)>,
    messages: usize,
    requests: u64,
    effects: Vec<String>,
}

impl Cluster {
    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["group", count, lattice, settings @ ..] => self.group(count, lattice, settings),
            ["get", node, key, rest @ ..] => self.request(node, key, Operation::Get, rest),
            ["put", node, key, value, rest @ ..] => {
                let value = value.as_bytes();
                self.request(node, key, Operation::Put { value }, rest);
            }
            ["timer", node, timer, rest @ ..] => self.timer(node, timer, rest),
            ["deliver", "all"] => self.deliver_all(),
            ["deliver", messages @ ..] => {
                for message in messages {
                    self.deliver(message, false);
                }
            }
            ["repeat", messages @ ..] => {
                for message in messages {
                    self.deliver(message, true);
                }
            }
            ["drop", "all"] => self.in_flight.clear(),
            ["drop", messages @ ..] => {
                for message in messages {
                    self.in_flight.remove(&number(message)).expect("in flight");
                }
            }
            ["wall", node, units] => {
                self.wall_units[number(node)] = units.parse().expect("a number");
            }
            ["restart", node] => {
                let spec = &mut self.specs[number(node)];
                spec.incarnation += 1;
                self.replicas[number(node)] = Replica::new(spec);
                self.drive(number(node), |replica, _, out| replica.start(out), &[]);
            }
            ["status", node] => self.status(number(node)),
            ["stores"] => self.stores(),
            _ => panic!("no such command: {line}"),
        }
    }

    fn group(&mut self, count: &str, lattice: &str, changes: &[&str]) {
        let lattice: Lattice = serde_json::from_str(&format!("\"{lattice}\"")).expect("a lattice");
        let mut settings = serde_json::to_value(Settings::default()).expect("plain data");
        for change in changes {
            let (name, value) = change.split_once('=').expect("setting=value");
            settings["gossip"][name] = value.parse::<u64>().expect("a number").into();
        }
        let settings: Settings = serde_json::from_value(settings).expect("known settings");
        let nodes: Vec<NodeId> = (0..count.parse().expect("a number")).map(NodeId).collect();
        for node in &nodes {
            let spec = ReplicaSpec {
                node: *node,
                incarnation: 0,
                group: GroupId(0),
                peers: nodes.iter().copied().filter(|peer| peer != node).collect(),
                spares: Vec::new(),
                kind: ReplicaKind::Replicated(lattice),
                shards: Vec::new(),
                settings,
                bug: None,
            };
            self.replicas.push(Replica::new(&spec));
            self.specs.push(spec);
            self.wall_units.push(0);
            self.drive(
                usize::from(node.0),
                |replica, _, out| replica.start(out),
                &[],
            );
        }
    }

    fn request(&mut self, node: &str, key: &str, operation: Operation<'_>, rest: &[&str]) {
        let context: Vec<Dot> = option(rest, "context").into_iter().map(dot).collect();
        self.requests += 1;
        let id = RequestId(self.requests);
        let request = Request {
            key: key.as_bytes(),
            operation,
            context: &context,
            call: None,
        };
        self.drive(
            number(node),
            |replica, input, out| replica.handle_request(id, &request, input, out),
            &[],
        );
    }

    fn timer(&mut self, node: &str, timer: &str, rest: &[&str]) {
        let timer = [
            GossipTimer::Rumour,
            GossipTimer::AntiEntropy,
            GossipTimer::Deferral,
        ]
        .into_iter()
        .map(Timer::Gossip)
        .find(|known| timer_name(*known) == timer)
        .expect("a timer");
        let node = number(node);
        let mut peers: Vec<NodeId> = option(rest, "peers")
            .into_iter()
            .map(|peer| NodeId(u16::try_from(number(peer)).expect("a node")))
            .collect();
        if peers.is_empty() {
            peers.clone_from(&self.specs[node].peers);
        }
        self.drive(
            node,
            |replica, input, out| replica.handle_timer(timer, input, out),
            &peers,
        );
    }

    fn deliver(&mut self, message: &str, keep: bool) {
        let place = number(message);
        let found = if keep {
            self.in_flight.get(&place).cloned()
        } else {
            self.in_flight.remove(&place)
        };
        let (from, to, message) = found.expect("the message is in flight");
        self.drive(
            usize::from(to.0),
            |replica, input, out| replica.handle_message(from, message, input, out),
            &[],
        );
    }

    fn deliver_all(&mut self) {
        for _ in 0..DELIVERIES_MAX {
            let Some(first) = self.in_flight.keys().next() else {
                return;
            };
            self.deliver(&format!("m{first}"), false);
        }
        panic!("the replicas never fall silent");
    }

    fn status(&mut self, node: usize) {
        let status = self.replicas[node].status();
        let KindStatus::Gossip(gossip) = &status.kind else {
            panic!("a group gossips");
        };
        self.effects.push(format!(
            "applied {} log {} held-back {} deferred {} keys {} siblings {} transfers {}",
            vector(&gossip.applied),
            gossip.log_updates,
            gossip.held_back,
            gossip.deferred,
            status.keys,
            status.siblings,
            status.counters.transfers,
        ));
    }

    fn stores(&mut self) {
        let digests: BTreeSet<u64> = self
            .replicas
            .iter()
            .map(|replica| replica.status().digest)
            .collect();
        let equal = if digests.len() == 1 {
            "equal"
        } else {
            "different"
        };
        self.effects.push(equal.to_owned());
    }

    fn drive(
        &mut self,
        node: usize,
        input: impl FnOnce(&mut Replica, &Input<'_>, &mut Recorder),
        peers: &[NodeId],
    ) {
        let mut recorder = Recorder::default();
        let given = Input {
            wall_ns: self.wall_units[node] << 16,
            peers,
            random: 0,
        };
        input(&mut self.replicas[node], &given, &mut recorder);
        for effect in recorder.0 {
            let line = match effect {
                Effect::Line(line) => line,
                Effect::Send(to, message) => {
                    self.messages += 1;
                    let line = format!("m{} -> {to} {}", self.messages, body(&message.body));
                    let from = self.specs[node].node;
                    self.in_flight.insert(self.messages, (from, to, message));
                    line
                }
            };
            self.effects.push(format!("n{node} {line}"));
        }
    }
}
