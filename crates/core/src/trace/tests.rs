//! Traces of small groups: recorded, replayed, and damaged in every way.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};

use super::*;
use crate::protocol::{GroupId, Lattice, Message, NodeId, Operation, Request, Response};
use crate::replica::{
    Effects, GossipTimer, Input, Persist, Replica, ReplicaKind, RequestId, Settings, Timer,
};

const KINDS: [ReplicaKind; 4] = [
    ReplicaKind::Local,
    ReplicaKind::Replicated(Lattice::Causal),
    ReplicaKind::Replicated(Lattice::Lww),
    ReplicaKind::Echo,
];
const ROUNDS: u64 = 12;

fn header(spec: &ReplicaSpec) -> Header {
    Header {
        program: "0.0.0 (a test)".to_owned(),
        spec: spec.clone(),
    }
}

fn spec(node: u16, kind: ReplicaKind) -> ReplicaSpec {
    ReplicaSpec {
        node: NodeId(node),
        incarnation: 0,
        group: GroupId(0),
        peers: match kind {
            ReplicaKind::Local | ReplicaKind::Echo => Vec::new(),
            ReplicaKind::Replicated(_) | ReplicaKind::Quorum(_) | ReplicaKind::Raft(_) => {
                vec![NodeId(1 - node)]
            }
        },
        spares: Vec::new(),
        kind,
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    }
}

/// Every effect in words, and the messages to deliver.
#[derive(Debug, Default)]
struct Seen {
    effects: Vec<String>,
    messages: VecDeque<(NodeId, Message)>,
    /// Changes to keep, in postcard's form.
    kept: Vec<Vec<u8>>,
}

impl Effects for Seen {
    fn persist(&mut self, change: &Persist<'_>) {
        self.effects.push(format!("{change:?}"));
        let mut bytes = Vec::new();
        postcard::to_io(change, &mut bytes).unwrap();
        self.kept.push(bytes);
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        self.effects.push(format!("{to:?} {response:?}"));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.effects.push(format!("{to} {message:?}"));
        self.messages.push_back((to, message));
    }

    fn set_timer(&mut self, timer: Timer, _: u64) {
        self.effects.push(format!("{timer:?}"));
    }
}

/// What a former process of node 0 has persisted.
fn kept(kind: ReplicaKind) -> Vec<Vec<u8>> {
    let mut seen = Seen::default();
    let put = Request {
        key: b"kept",
        operation: Operation::Put { value: b"value" },
        context: &[],
        call: None,
    };
    let mut former = Replica::new(&spec(0, kind));
    former.handle_request(RequestId(0), &put, &Input::default(), &mut seen);
    assert!(!seen.kept.is_empty());
    seen.kept
}

/// Drives a replica of node 0 and a peer of it through every kind of input, and gives back all
/// effects of the first.
fn drive<W: Write>(replica: &mut TracedReplica<W>, kind: ReplicaKind) -> Vec<String> {
    let mut peer = Replica::new(&spec(1, kind));
    let (mut seen, mut of_peer) = (Seen::default(), Seen::default());
    for change in kept(kind) {
        replica.restore(&postcard::from_bytes(&change).unwrap());
    }
    replica.start(&mut seen);
    peer.start(&mut of_peer);
    for round in 0..ROUNDS {
        let key = format!("key{}", round % 3);
        let value = format!("value {round}");
        let put = Request {
            key: key.as_bytes(),
            operation: Operation::Put {
                value: value.as_bytes(),
            },
            context: &[],
            call: None,
        };
        let get = Request {
            operation: Operation::Get,
            ..put
        };
        let drawn = |node| Input {
            wall_ns: 1_000_000_000 + round,
            peers: if node == 0 {
                &[NodeId(1)]
            } else {
                &[NodeId(0)]
            },
            random: 0,
        };
        let (id, input) = (RequestId(2 * round), drawn(0));
        if round % 2 == 0 {
            replica.handle_request(id, &put, &input, &mut seen);
        } else if kind != ReplicaKind::Local {
            peer.handle_request(id, &put, &drawn(1), &mut of_peer);
        }
        let cas = Request {
            key: b"compared",
            operation: Operation::Cas {
                expected: { round % 2 == 1 }.then_some(b"set"),
                value: b"set",
            },
            context: &[],
            call: None,
        };
        replica.handle_request(RequestId(2 * ROUNDS + round), &cas, &input, &mut seen);
        replica.handle_request(RequestId(2 * round + 1), &get, &input, &mut seen);
        replica.handle_timer(Timer::Gossip(GossipTimer::Rumour), &input, &mut seen);
        peer.handle_timer(Timer::Gossip(GossipTimer::Rumour), &drawn(1), &mut of_peer);
        replica.handle_timer(Timer::Gossip(GossipTimer::AntiEntropy), &input, &mut seen);
        while let Some((_, message)) = of_peer.messages.pop_front() {
            replica.handle_message(NodeId(1), message, &input, &mut seen);
        }
        while let Some((_, message)) = seen.messages.pop_front() {
            peer.handle_message(NodeId(0), message, &drawn(1), &mut of_peer);
        }
        if round == ROUNDS / 2 {
            replica.recover();
            replica.start(&mut seen);
        }
    }
    seen.effects
}

/// A whole trace of a replica of this kind.
fn recorded(kind: ReplicaKind) -> Vec<u8> {
    let mut trace = Vec::new();
    let spec = spec(0, kind);
    let tracer = Tracer::new(&mut trace, &header(&spec), TRACE_BYTES_MAX).unwrap();
    let mut replica = TracedReplica::new(&spec, Some(tracer));
    drive(&mut replica, kind);
    replica.tracer().unwrap().finish().unwrap();
    drop(replica);
    trace
}

fn replayed(trace: &[u8]) -> Result<Replayed, TraceError> {
    replay(trace, |_| {})
}

/// The difference that a replay finds.
#[track_caller]
fn difference(trace: &[u8]) -> Difference {
    let replayed = replayed(trace).unwrap();
    replayed.difference.expect("the replay differs")
}

/// Where each record of a trace starts, the header being the first, and where the last one ends.
fn places(trace: &[u8]) -> Vec<usize> {
    let mut at = trace.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut places = vec![at];
    while at < trace.len() {
        let length = u32::from_le_bytes(trace[at..at + 4].try_into().unwrap());
        at += PREFIX_BYTES + length as usize;
        places.push(at);
    }
    places
}

/// The trace with these events and effects, under the same header.
fn rewritten<'a>(
    trace: &'a [u8],
    change: impl FnOnce(&mut Vec<(Event<'a>, Vec<Effect>)>),
) -> Vec<u8> {
    let places = places(trace);
    let mut records = Vec::new();
    for place in places[1..].windows(2) {
        let contents = &trace[place[0] + PREFIX_BYTES..place[1]];
        let (event, mut rest) = postcard::take_from_bytes(contents).unwrap();
        let mut effects = Vec::new();
        while !rest.is_empty() {
            let (effect, after) = postcard::take_from_bytes(rest).unwrap();
            effects.push(effect);
            rest = after;
        }
        records.push((event, effects));
    }
    change(&mut records);
    let mut out = trace[..places[1]].to_vec();
    for (event, effects) in &records {
        let mut contents = postcard::to_stdvec(event).unwrap();
        for effect in effects {
            contents.extend(postcard::to_stdvec(effect).unwrap());
        }
        out.extend(u32::try_from(contents.len()).unwrap().to_le_bytes());
        out.extend(checksum(&contents).to_le_bytes());
        out.extend(contents);
    }
    out
}

#[test]
fn a_trace_of_every_kind_of_replica_and_input_replays_the_same() {
    for kind in KINDS {
        let trace = recorded(kind);
        let replayed = replayed(&trace).unwrap();
        assert_eq!(replayed.difference, None, "{kind:?}");
        assert_eq!(replayed.ending, Ending::Whole);
        assert_eq!(replayed.header, header(&spec(0, kind)));
        assert!(replayed.inputs > ROUNDS && replayed.effects > ROUNDS);
        assert_eq!(rewritten(&trace, |_| {}), trace, "the control");
    }
}

#[test]
fn a_trace_changes_nothing_of_what_a_replica_does() {
    for kind in KINDS {
        let spec = spec(0, kind);
        let mut plain = TracedReplica::<Vec<u8>>::new(&spec, None);
        let tracer = Tracer::new(Vec::new(), &header(&spec), TRACE_BYTES_MAX).unwrap();
        let mut traced = TracedReplica::new(&spec, Some(tracer));
        assert_eq!(drive(&mut plain, kind), drive(&mut traced, kind));
        assert_eq!(plain.replica(), traced.replica());
    }
}

#[test]
fn an_effect_that_is_changed_missing_or_added_is_found_with_its_input() {
    for kind in KINDS {
        let trace = recorded(kind);
        let reply = |record: &(Event<'_>, Vec<Effect>)| {
            let is_reply = |effect: &Effect| matches!(effect, Effect::Reply { .. });
            record.1.iter().position(is_reply)
        };
        let flipped = rewritten(&trace, |records| {
            let replies = records.iter_mut().filter(|it| reply(it).is_some());
            let record = replies.last().unwrap();
            let at = reply(record).unwrap();
            if let Effect::Reply { digest, .. } = &mut record.1[at] {
                *digest ^= 1;
            }
        });
        let found = difference(&flipped);
        assert!(found.input.starts_with("request "), "{found}");
        let (recorded, replayed) = (found.recorded.unwrap(), found.replayed.unwrap());
        assert!(recorded.starts_with("answers request "), "{recorded}");
        assert!(replayed.contains("siblings: [Sibling"), "{replayed}");

        // The change that is restored and the start come before the first put.
        let missing = rewritten(&trace, |records| records[2].1.clear());
        assert_eq!(difference(&missing).record, 3);
        assert_eq!(difference(&missing).recorded, None);
        let added = rewritten(&trace, |records| {
            records[2].1.push(Effect::Timer {
                timer: Timer::Gossip(GossipTimer::Deferral),
                delay_ms: 7,
            });
        });
        let found = difference(&added);
        assert_eq!((found.record, found.replayed), (3, None));
        assert_eq!(found.recorded.unwrap(), "sets the timer Deferral (7 ms)");
    }
}

#[test]
fn an_input_that_was_left_out_is_found_by_what_it_would_have_changed() {
    for kind in KINDS {
        let shortened = rewritten(&recorded(kind), |records| {
            let is_put = |event: &Event<'_>| matches!(event, Event::Request { value: Some(_), .. });
            let at = records.iter().position(|(event, _)| is_put(event)).unwrap();
            records.remove(at);
            let Some((Event::End { events, .. }, _)) = records.last_mut() else {
                panic!("a whole trace has an end");
            };
            *events -= 1;
        });
        let found = difference(&shortened);
        assert!(found.input.contains("get key0"), "{found}");
    }
}

#[test]
fn a_replica_that_chooses_by_chance_is_found() {
    /// How many inputs it takes a choice in: all alike in the replay with a chance of 2^-64.
    const CHOICES: u64 = 64;
    let kind = ReplicaKind::Local;
    let spec = spec(0, kind);
    let mut trace = Vec::new();
    let mut tracer = Tracer::new(&mut trace, &header(&spec), TRACE_BYTES_MAX).unwrap();
    let (mut mutant, mut seen) = (Replica::new(&spec), Seen::default());
    for id in 0..CHOICES {
        let id = RequestId(id);
        let put = Request {
            key: b"key",
            operation: Operation::Put { value: b"value" },
            context: &[],
            call: None,
        };
        let input = Input::default();
        tracer.begin(&Event::request(id, &put, &input));
        let tee = &mut tracer.tee(&mut seen);
        mutant.handle_request(id, &put, &input, tee);
        if RandomState::new().hash_one(id).is_multiple_of(2) {
            tee.set_timer(Timer::Gossip(GossipTimer::Rumour), 0);
        }
        tracer.end();
    }
    tracer.finish().unwrap();
    drop(tracer);
    let found = difference(&trace);
    assert_eq!(found.replayed, None);
    assert_eq!(found.recorded.unwrap(), "sets the timer Rumour (0 ms)");
}

#[test]
fn a_planted_bug_is_replayed_and_without_it_the_replay_differs() {
    let mut spec = spec(0, ReplicaKind::Replicated(Lattice::Lww));
    spec.bug = crate::bug::Bug::from_name("overwriting-merge");
    let mut trace = Vec::new();
    let tracer = Tracer::new(&mut trace, &header(&spec), TRACE_BYTES_MAX).unwrap();
    let mut replica = TracedReplica::new(&spec, Some(tracer));
    let mut seen = Seen::default();
    // The peer's put is older than the one that is there.
    let mut peer = Replica::new(&self::spec(1, spec.kind));
    let mut of_peer = Seen::default();
    let put = Request {
        key: b"key",
        operation: Operation::Put { value: b"value" },
        context: &[],
        call: None,
    };
    let at = |wall_ns| Input {
        wall_ns,
        peers: &[NodeId(0)],
        random: 0,
    };
    peer.handle_request(RequestId(0), &put, &at(1 << 30), &mut of_peer);
    peer.handle_timer(
        Timer::Gossip(GossipTimer::Rumour),
        &at(1 << 30),
        &mut of_peer,
    );
    replica.handle_request(RequestId(0), &put, &at(2 << 30), &mut seen);
    for (_, message) in of_peer.messages {
        replica.handle_message(NodeId(1), message, &at(2 << 30), &mut seen);
    }
    let get = Request {
        operation: Operation::Get,
        ..put
    };
    replica.handle_request(RequestId(1), &get, &at(2 << 30), &mut seen);
    replica.tracer().unwrap().finish().unwrap();
    drop(replica);
    assert_eq!(replayed(&trace).unwrap().difference, None);
    let replayed = replay(trace.as_slice(), |spec| spec.bug = None).unwrap();
    let found = replayed.difference.expect("the bug was at work");
    assert!(found.input.contains("get key"), "{found}");
}

#[test]
fn a_trace_that_is_cut_anywhere_is_replayed_as_far_as_it_is_whole() {
    let trace = recorded(KINDS[1]);
    let places = places(&trace);
    for cut in places[1]..trace.len() {
        let replayed = replayed(&trace[..cut]).unwrap();
        let whole = places[1..].iter().filter(|&&end| end <= cut).count() - 1;
        assert_eq!(replayed.inputs, whole as u64, "cut at {cut}");
        assert_eq!((replayed.ending, replayed.difference), (Ending::Cut, None));
    }
    for cut in 0..places[1] {
        assert!(replayed(&trace[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_byte_that_is_changed_anywhere_is_never_taken_for_a_whole_trace() {
    let trace = recorded(KINDS[1]);
    for at in 0..trace.len() {
        let mut damaged = trace.clone();
        damaged[at] ^= 0x10;
        // A length that points beyond the end of the file looks like a cut.
        if let Ok(replayed) = replayed(&damaged) {
            assert_eq!(replayed.ending, Ending::Cut, "byte {at}");
            assert_eq!(replayed.difference, None, "byte {at}");
        }
    }
}

#[test]
fn what_is_missing_or_follows_after_the_end_is_damage() {
    let trace = recorded(KINDS[0]);
    let places = places(&trace);
    let mut without = trace[..places[3]].to_vec();
    // Gets change nothing, so that only the count at the end knows of them.
    let last = places[places.len() - 2];
    without.extend(&trace[last..]);
    let error = replayed(&without).unwrap_err().to_string();
    assert!(error.contains("records are missing"), "{error}");
    let error = replayed(&[trace.as_slice(), b"x"].concat()).unwrap_err();
    assert!(error.to_string().contains("after its end"), "{error}");
}

#[test]
fn other_files_and_other_versions_are_told_apart() {
    for foreign in [&b""[..], b"\n", b"kvs-zoo trace 2", &[0xff; 4096]] {
        let error = replayed(foreign).unwrap_err();
        assert!(matches!(error, TraceError::Foreign), "{error}");
    }
    let error = replayed(b"kvs-zoo trace 3\n").unwrap_err();
    assert!(error.to_string().contains("version 3"), "{error}");
}

#[test]
fn a_trace_ends_at_its_limit_and_says_so_once() {
    const BYTES_MAX: u64 = 2000;
    let spec = spec(0, KINDS[1]);
    let mut trace = Vec::new();
    let tracer = Tracer::new(&mut trace, &header(&spec), BYTES_MAX).unwrap();
    let mut replica = TracedReplica::new(&spec, Some(tracer));
    drive(&mut replica, KINDS[1]);
    let tracer = replica.tracer().unwrap();
    assert!(matches!(tracer.flush(), Err(Stopped::Limit(BYTES_MAX))));
    tracer.flush().unwrap();
    tracer.finish().unwrap();
    drop(replica);
    let end_record = trace.len() - places(&trace).iter().rev().nth(1).unwrap();
    assert!((trace.len() - end_record) as u64 <= BYTES_MAX);
    let replayed = replayed(&trace).unwrap();
    assert_eq!(
        (replayed.ending, replayed.difference),
        (Ending::Limit, None)
    );
    assert!(replayed.inputs > 0);
}

/// Takes so many writes, and then none.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_trace_and_not_the_replica() {
    let spec = spec(0, KINDS[1]);
    assert!(Tracer::new(Full(0), &header(&spec), TRACE_BYTES_MAX).is_err());
    let tracer = Tracer::new(Full(1), &header(&spec), TRACE_BYTES_MAX).unwrap();
    let mut replica = TracedReplica::new(&spec, Some(tracer));
    let mut seen = Seen::default();
    replica.start(&mut seen);
    let tracer = replica.tracer().unwrap();
    assert!(matches!(tracer.flush(), Err(Stopped::Write(_))));
    tracer.flush().unwrap();
    assert!(!tracer.is_recording());
    let mut plain = TracedReplica::<Vec<u8>>::new(&spec, None);
    plain.start(&mut seen);
    let effects = drive(&mut replica, KINDS[1]);
    assert_eq!(effects, drive(&mut plain, KINDS[1]));
}
