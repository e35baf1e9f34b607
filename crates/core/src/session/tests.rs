use super::*;
use crate::bug::Bug;
use crate::protocol::{Lattice, Origin, Sibling, Version};
use crate::server::{Architecture, Paper};

struct Fixture {
    ports: ServerPorts,
    policy: Policy,
    suspicion: Suspicion,
    now_ns: u64,
}

impl Fixture {
    fn new(architecture: &str, policy: Policy) -> Self {
        Self::with_bug(architecture, policy, None)
    }

    fn with_bug(architecture: &str, policy: Policy, bug: Option<Bug>) -> Self {
        let architecture: Architecture = architecture.parse().expect("an architecture");
        let ports = architecture.deploy(&mut Paper::with_bug(bug), Lattice::Causal);
        let suspicion = Suspicion::new(ports.nodes().count());
        Self {
            ports,
            policy,
            suspicion,
            now_ns: 0,
        }
    }

    fn view(&self) -> View<'_> {
        View {
            ports: &self.ports,
            policy: self.policy,
            suspicion: &self.suspicion,
            primary: None,
            reads_from_primary: false,
            now_ns: self.now_ns,
        }
    }
}

const KEY: &[u8] = b"k";
const NOTHING: Response<'static> = Response::Get {
    vector: &[],
    siblings: &[],
};
const UNAVAILABLE: Response<'static> = Response::Refused(Refusal::Unavailable);

fn dot(node: u16, counter: u64) -> Dot {
    Dot::new(Origin::new(NodeId(node), 0), counter)
}

fn done(outcome: Outcome, ends_session: bool) -> Next {
    Next::Done {
        outcome,
        ends_session,
    }
}

/// The nodes that `count` gets of one key go to.
fn routed(fixture: &Fixture, session: &mut Session, count: u32) -> Vec<u16> {
    (0..count)
        .map(|draw| {
            let attempt = session.begin(fixture.view(), KEY, Access::Read, draw);
            let next = session.handle_response(fixture.view(), KEY, &NOTHING);
            assert_eq!(next, done(Outcome::Ok, false));
            attempt.node.0
        })
        .collect()
}

#[test]
fn round_robin_asks_every_replica_in_turn_and_sticky_always_the_same() {
    let policy = |routing| Policy {
        routing,
        context: true,
    };
    let fixture = Fixture::new("replicated", policy(Routing::RoundRobin));
    assert_eq!(routed(&fixture, &mut Session::new(0), 4), [1, 2, 0, 1]);
    let fixture = Fixture::new("replicated", policy(Routing::Sticky));
    assert_eq!(routed(&fixture, &mut Session::new(2), 3), [2, 2, 2]);
    let fixture = Fixture::new("replicated", policy(Routing::Random));
    assert_eq!(
        routed(&fixture, &mut Session::new(0), 4),
        [0, 1, 2, 0],
        "by the host's draw"
    );
}

#[test]
fn a_mismatch_answers_a_compare_and_set_and_nothing_else() {
    let fixture = Fixture::new("local", Policy::default());
    let mismatch = Response::Mismatch { found: Some(&[]) };
    for (access, next) in [
        (Access::CompareAndSet, done(Outcome::Ok, false)),
        (Access::Write, done(Outcome::Info(Trouble::Malformed), true)),
        (Access::Read, done(Outcome::Fail(Trouble::Malformed), false)),
    ] {
        let mut session = Session::new(0);
        session.begin(fixture.view(), KEY, access, 0);
        let told = session.handle_response(fixture.view(), KEY, &mismatch);
        assert_eq!(told, next, "{access:?}");
    }
}

#[test]
fn a_session_carries_what_every_reply_had_applied_to_the_next_request() {
    let fixture = Fixture::new("replicated", Policy::default());
    let mut session = Session::new(0);
    let group = session.begin(fixture.view(), KEY, Access::Write, 0).group;
    assert_eq!(session.context(group), []);
    let witness = PutWitness::Causal {
        dot: dot(1, 1),
        vector: &[dot(0, 4), dot(1, 1)],
    };
    let next = session.handle_response(fixture.view(), KEY, &Response::Put(witness));
    assert_eq!(next, done(Outcome::Ok, false));
    assert_eq!(session.context(group), [dot(0, 4), dot(1, 1)]);

    session.begin(fixture.view(), KEY, Access::Read, 0);
    let response = Response::Get {
        vector: &[dot(0, 3), dot(1, 2), dot(2, 9)],
        siblings: &[],
    };
    let _ = session.handle_response(fixture.view(), KEY, &response);
    assert_eq!(
        session.context(group),
        [dot(0, 4), dot(1, 2), dot(2, 9)],
        "the larger of each"
    );
}

#[test]
fn without_context_a_session_learns_nothing() {
    let fixture = Fixture::new(
        "replicated",
        Policy {
            context: false,
            ..Policy::default()
        },
    );
    let mut session = Session::new(0);
    let group = session.begin(fixture.view(), KEY, Access::Read, 0).group;
    let witness = PutWitness::Causal {
        dot: dot(0, 1),
        vector: &[dot(0, 1)],
    };
    let siblings = [Sibling {
        value: b"v",
        witness,
    }];
    let response = Response::Get {
        vector: &[dot(0, 1)],
        siblings: &siblings,
    };
    let _ = session.handle_response(fixture.view(), KEY, &response);
    assert_eq!(session.context(group), []);
}

#[test]
fn what_was_seen_in_one_group_is_not_told_to_another() {
    let fixture = Fixture::new("sharded(2, replicated(2))", Policy::default());
    let other = (0..100)
        .map(|n| format!("key-{n}").into_bytes())
        .find(|key| fixture.ports.route(key).id != fixture.ports.route(KEY).id)
        .expect("both shards have keys");
    let mut session = Session::new(0);
    session.begin(fixture.view(), KEY, Access::Read, 0);
    let response = Response::Get {
        vector: &[dot(0, 1)],
        siblings: &[],
    };
    let _ = session.handle_response(fixture.view(), KEY, &response);
    assert_eq!(session.context(fixture.ports.route(KEY).id), [dot(0, 1)]);
    assert_eq!(session.context(fixture.ports.route(&other).id), []);
}

#[test]
fn a_refused_operation_goes_to_each_other_replica_once_and_then_fails() {
    let fixture = Fixture::new("replicated", Policy::default());
    let mut session = Session::new(0);
    let mut asked = vec![session.begin(fixture.view(), KEY, Access::Write, 0).node];
    let outcome = loop {
        match session.handle_response(fixture.view(), KEY, &UNAVAILABLE) {
            Next::Retry(attempt) => asked.push(attempt.node),
            next @ Next::Pause(_) => panic!("{next:?}"),
            Next::Done {
                outcome,
                ends_session,
            } => {
                assert!(!ends_session, "nothing is unknown about a refusal");
                break outcome;
            }
        }
    };
    asked.sort();
    assert_eq!(asked, [NodeId(0), NodeId(1), NodeId(2)]);
    assert_eq!(
        outcome,
        Outcome::Fail(Trouble::Refused(Refusal::Unavailable))
    );
}

#[test]
fn a_session_that_fails_over_keeps_its_context_unless_the_bug_is_planted() {
    for (bug, kept) in [(None, true), (Some(Bug::ForgottenContextOnFailover), false)] {
        let fixture = Fixture::with_bug("replicated", Policy::default(), bug);
        let mut session = Session::new(0);
        let group = session.begin(fixture.view(), KEY, Access::Read, 0).group;
        let response = Response::Get {
            vector: &[dot(0, 3)],
            siblings: &[],
        };
        let _ = session.handle_response(fixture.view(), KEY, &response);
        session.begin(fixture.view(), KEY, Access::Read, 0);
        assert_eq!(
            session.context(group),
            [dot(0, 3)],
            "nothing has failed yet"
        );
        let next = session.handle_response(fixture.view(), KEY, &UNAVAILABLE);
        assert!(matches!(next, Next::Retry(_)));
        assert_eq!(session.context(group).is_empty(), !kept, "{bug:?}");
    }
}

#[test]
fn a_lost_context_ends_the_session_and_a_wrong_shard_does_not() {
    let fixture = Fixture::new("replicated", Policy::default());
    for (refusal, ends) in [(Refusal::ContextLost, true), (Refusal::WrongShard, false)] {
        let mut session = Session::new(0);
        session.begin(fixture.view(), KEY, Access::Read, 0);
        let next = session.handle_response(fixture.view(), KEY, &Response::Refused(refusal));
        assert_eq!(next, done(Outcome::Fail(Trouble::Refused(refusal)), ends));
    }
}

#[test]
fn a_put_without_an_answer_is_unknown_and_ends_the_session() {
    let fixture = Fixture::new("replicated", Policy::default());
    let mut session = Session::new(0);
    session.begin(fixture.view(), KEY, Access::Write, 0);
    assert_eq!(
        session.handle_timeout(),
        done(Outcome::Info(Trouble::Timeout), true)
    );

    session.begin(fixture.view(), KEY, Access::Write, 0);
    let next = session.handle_disconnect(fixture.view(), KEY);
    assert_eq!(next, done(Outcome::Info(Trouble::Disconnected), true));
}

#[test]
fn a_get_without_an_answer_had_no_effect_and_is_asked_elsewhere_after_a_broken_connection() {
    let fixture = Fixture::new("replicated", Policy::default());
    let mut session = Session::new(0);
    let first = session.begin(fixture.view(), KEY, Access::Read, 0);
    match session.handle_disconnect(fixture.view(), KEY) {
        Next::Retry(second) => assert_ne!(first.node, second.node),
        next @ (Next::Pause(_) | Next::Done { .. }) => panic!("{next:?}"),
    }
    assert_eq!(
        session.handle_timeout(),
        done(Outcome::Fail(Trouble::Timeout), false)
    );
}

#[test]
fn a_suspected_node_is_avoided_until_its_time_is_up_or_nobody_else_is_left() {
    let mut fixture = Fixture::new("replicated", Policy::default());
    fixture.suspicion.suspect(NodeId(1), 0);
    assert_eq!(routed(&fixture, &mut Session::new(0), 3), [2, 2, 0]);
    fixture.now_ns = SUSPICION_NS_FIRST;
    assert_eq!(
        routed(&fixture, &mut Session::new(0), 3),
        [1, 2, 0],
        "tried again"
    );
    for node in 0..3 {
        fixture.suspicion.suspect(NodeId(node), fixture.now_ns);
    }
    assert_eq!(
        routed(&fixture, &mut Session::new(0), 3),
        [1, 2, 0],
        "better than giving up"
    );
}

#[test]
fn suspicion_lasts_twice_as_long_each_time_up_to_a_bound_and_ends_with_an_answer() {
    let mut suspicion = Suspicion::new(1);
    let node = NodeId(0);
    let (mut now_ns, mut lasts_ns) = (0, SUSPICION_NS_FIRST);
    for _ in 0..10 {
        suspicion.suspect(node, now_ns);
        suspicion.suspect(node, now_ns + 1);
        assert!(suspicion.suspects(node, now_ns + lasts_ns - 1));
        now_ns += lasts_ns;
        assert!(!suspicion.suspects(node, now_ns));
        lasts_ns = (lasts_ns * 2).min(SUSPICION_NS_MAX);
    }
    assert_eq!(lasts_ns, SUSPICION_NS_MAX);
    suspicion.suspect(node, now_ns);
    suspicion.trust(node);
    assert!(!suspicion.suspects(node, now_ns));
    suspicion.suspect(node, now_ns);
    assert!(
        !suspicion.suspects(node, now_ns + SUSPICION_NS_FIRST),
        "as if it were the first"
    );
}

#[test]
fn a_pinned_session_and_its_successor_ask_no_other_node() {
    let fixture = Fixture::new("replicated", Policy::default());
    let mut session = Session::pinned(0, NodeId(2));
    assert_eq!(routed(&fixture, &mut session, 3), [2, 2, 2]);
    let mut session = session.successor(9);
    assert_eq!(session.id(), 9);
    assert_eq!(
        session.begin(fixture.view(), KEY, Access::Read, 0).node,
        NodeId(2)
    );
    let next = session.handle_response(fixture.view(), KEY, &UNAVAILABLE);
    assert_eq!(
        next,
        done(Outcome::Fail(Trouble::Refused(Refusal::Unavailable)), false)
    );
}

#[test]
fn the_planted_foreign_keys_do_not_exist_without_the_bug() {
    let fixture = Fixture::new("sharded", Policy::default());
    for n in 0..200 {
        let key = format!("key-{n}").into_bytes();
        let mut session = Session::new(n);
        let home = fixture.ports.route(&key).nodes[0];
        for access in [Access::Read, Access::Write] {
            assert_eq!(session.begin(fixture.view(), &key, access, 0).node, home);
            let _ = session.handle_timeout();
        }
    }
}

#[test]
fn once_a_suspicion_is_over_one_operation_tests_the_node_for_all() {
    let mut suspicion = Suspicion::new(1);
    let node = NodeId(0);
    suspicion.test(node, 0);
    assert!(!suspicion.suspects(node, 0), "it was trusted");
    suspicion.suspect(node, 0);
    let over_ns = SUSPICION_NS_FIRST;
    assert!(!suspicion.suspects(node, over_ns));
    suspicion.test(node, over_ns);
    assert!(
        suspicion.suspects(node, over_ns),
        "others wait for the test"
    );
    assert!(suspicion.suspects(node, 3 * SUSPICION_NS_FIRST - 1));
    assert!(!suspicion.suspects(node, 3 * SUSPICION_NS_FIRST));
    suspicion.trust(node);
    suspicion.test(node, over_ns);
    assert!(!suspicion.suspects(node, over_ns), "it has answered");
}

#[test]
fn a_node_that_says_that_it_cannot_serve_is_avoided_as_one_that_says_nothing() {
    for answer in [
        UNAVAILABLE,
        Response::Refused(Refusal::NotReady),
        Response::Indefinite,
        NOTHING,
    ] {
        let mut fixture = Fixture::new("replicated", Policy::default());
        let mut session = Session::new(0);
        let asked = session.begin(fixture.view(), KEY, Access::Read, 0).node;
        let mut view = ViewMut {
            ports: &fixture.ports,
            policy: fixture.policy,
            suspicion: &mut fixture.suspicion,
            primary: None,
            reads_from_primary: false,
            now_ns: 0,
        };
        let _ = view.tell(&mut session, KEY, Fate::Answered(&answer));
        let served = answer == NOTHING;
        assert_eq!(fixture.suspicion.suspects(asked, 0), !served, "{answer:?}");
    }
}

#[test]
fn an_answer_that_does_not_fit_the_request_is_no_success() {
    let fixture = Fixture::new("local", Policy::default());
    let mut session = Session::new(0);
    session.begin(fixture.view(), KEY, Access::Read, 0);
    let next = session.handle_response(fixture.view(), KEY, &Response::Put(PutWitness::None));
    assert_eq!(next, done(Outcome::Fail(Trouble::Malformed), false));
    session.begin(fixture.view(), KEY, Access::Write, 0);
    let next = session.handle_response(fixture.view(), KEY, &NOTHING);
    assert_eq!(next, done(Outcome::Info(Trouble::Malformed), true));
}

#[test]
fn writes_go_to_the_primary_as_last_learnt_until_one_goes_wrong_and_reads_stay_where_they_are() {
    let policy = Policy {
        routing: Routing::Sticky,
        context: true,
    };
    let fixture = Fixture::new("replicated(3)", policy);
    let with = |primary: u16| View {
        primary: Some(NodeId(primary)),
        ..fixture.view()
    };
    let mut session = Session::new(0);
    let own = session.begin(with(1), KEY, Access::Read, 0).node;
    let _ = session.handle_response(with(1), KEY, &NOTHING);
    assert_eq!(own, NodeId(0), "a read goes to the session's own node");
    let written = Response::Put(PutWitness::None);
    assert_eq!(
        session.begin(with(1), KEY, Access::Write, 0).node,
        NodeId(1)
    );
    assert_eq!(
        session.handle_response(with(1), KEY, &written),
        done(Outcome::Ok, false)
    );
    // Another node has become the primary, and this session has seen nothing go wrong.
    assert_eq!(
        session.begin(with(2), KEY, Access::Write, 0).node,
        NodeId(1)
    );
    let refused = Response::Refused(Refusal::NotPrimary);
    let failed = Outcome::Fail(Trouble::Refused(Refusal::NotPrimary));
    assert_eq!(
        session.handle_response(with(2), KEY, &refused),
        done(failed, false)
    );
    assert_eq!(
        session.begin(with(2), KEY, Access::Write, 0).node,
        NodeId(2)
    );
}

#[test]
fn a_store_that_does_not_know_whether_a_write_took_effect_ends_the_session_and_a_read_fails() {
    let fixture = Fixture::new("local", Policy::default());
    let mut session = Session::new(0);
    let _ = session.begin(fixture.view(), KEY, Access::Write, 0);
    let unknown = done(Outcome::Info(Trouble::Indefinite), true);
    assert_eq!(session.handle_indefinite(fixture.view(), KEY), unknown);
    let mut session = Session::new(1);
    let _ = session.begin(fixture.view(), KEY, Access::Read, 0);
    let failed = done(Outcome::Fail(Trouble::Indefinite), false);
    assert_eq!(session.handle_indefinite(fixture.view(), KEY), failed);
}

#[test]
fn reads_go_to_the_primary_where_no_other_node_answers_them() {
    let fixture = Fixture::new("replicated(3)", Policy::default());
    let view = View {
        primary: Some(NodeId(2)),
        reads_from_primary: true,
        ..fixture.view()
    };
    let mut session = Session::new(0);
    for _ in 0..4 {
        assert_eq!(session.begin(view, KEY, Access::Read, 0).node, NodeId(2));
        let next = session.handle_response(view, KEY, &NOTHING);
        assert_eq!(next, done(Outcome::Ok, false));
    }
    let _ = session.begin(view, KEY, Access::Read, 0);
    let failed = done(Outcome::Fail(Trouble::NoConnection), false);
    assert_eq!(
        session.handle_unsent(view, KEY),
        failed,
        "nobody else may answer"
    );
    let moved = View {
        primary: Some(NodeId(1)),
        ..view
    };
    let next = session.begin(moved, KEY, Access::Read, 0).node;
    assert_eq!(next, NodeId(1), "it asks again after an error");
}

/// A session with a write under way at the first node of a group that is led.
fn led_write(fixture: &Fixture) -> (Session, Attempt) {
    let mut session = Session::new(7);
    let attempt = session.begin(fixture.view(), KEY, Access::Write, 0);
    (session, attempt)
}

fn names(leader: Option<u16>) -> Response<'static> {
    let leader = leader.map(NodeId);
    Response::NotLeader { leader }
}

#[test]
fn a_write_goes_to_the_leader_that_is_named_and_so_does_the_next() {
    let fixture = Fixture::new("raft(3)", Policy::default());
    let (mut session, first) = led_write(&fixture);
    let leader = NodeId((first.node.0 + 1) % 3);
    let named = names(Some(leader.0));
    let Next::Retry(second) = session.handle_response(fixture.view(), KEY, &named) else {
        panic!("it is asked");
    };
    assert_eq!(second.node, leader);
    let call = session.call(second.group).expect("it may be sent again");
    assert_eq!((call.session, call.operation, call.again), (7, 0, false));
    let version = Version { time: 5, origin: 0 };
    let put = Response::Put(PutWitness::Lww { version });
    let ended = session.handle_response(fixture.view(), KEY, &put);
    assert_eq!(ended, done(Outcome::Ok, false));
    let next = session.begin(fixture.view(), KEY, Access::Write, 0);
    assert_eq!(next.node, leader);
    let call = session.call(next.group).expect("it may be sent again");
    assert_eq!((call.operation, call.previous), (1, 5));
}

#[test]
fn nodes_that_name_one_another_are_asked_once_each_before_the_session_pauses() {
    let fixture = Fixture::new("raft(3)", Policy::default());
    let (mut session, mut attempt) = led_write(&fixture);
    let mut asked = vec![attempt.node];
    let paused = loop {
        let named = names(Some((attempt.node.0 + 1) % 2));
        match session.handle_response(fixture.view(), KEY, &named) {
            Next::Retry(next) => {
                attempt = next;
                asked.push(next.node);
            }
            Next::Pause(next) => break next,
            next @ Next::Done { .. } => panic!("{next:?}"),
        }
        assert!(asked.len() <= 3, "it asks on without a pause: {asked:?}");
    };
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 3);
    assert_eq!(paused.group, attempt.group);
}

#[test]
fn a_write_whose_fate_is_unknown_is_sent_again_and_unknown_when_nobody_can_be_reached() {
    let fixture = Fixture::new("raft(3)", Policy::default());
    let (mut session, first) = led_write(&fixture);
    let Next::Retry(second) = session.handle_disconnect(fixture.view(), KEY) else {
        panic!("it is sent again");
    };
    assert_ne!(second.node, first.node);
    let call = session.call(second.group).expect("it may be sent again");
    assert_eq!((call.operation, call.again), (0, true));
    assert!(matches!(
        session.handle_unsent(fixture.view(), KEY),
        Next::Retry(_)
    ));
    let unknown = done(Outcome::Info(Trouble::NoConnection), true);
    assert_eq!(session.handle_unsent(fixture.view(), KEY), unknown);
}

#[test]
fn a_session_that_its_store_has_forgotten_ends() {
    let fixture = Fixture::new("raft(3)", Policy::default());
    let (mut session, _) = led_write(&fixture);
    let rejected = Response::Refused(Refusal::Rejected);
    let failed = Outcome::Fail(Trouble::Refused(Refusal::Rejected));
    let next = session.handle_response(fixture.view(), KEY, &rejected);
    assert_eq!(next, done(failed, true));
}
