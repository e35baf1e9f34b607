//! The life of an operation.

use super::*;
use crate::protocol::{Operation, Origin, Sibling};

/// Lanes, and paper for all that they act through.
struct Fixture {
    lanes: Lanes<char>,
    wire: PaperWire,
    record: PaperRecord,
    steps: PaperSteps,
}

impl Fixture {
    fn new(architecture: &str, lanes: u32) -> Self {
        Self::of_clients(architecture, lanes, 1)
    }

    fn of_clients(architecture: &str, lanes: u32, clients: u16) -> Self {
        let mut fixture = Self {
            lanes: Lanes::new(settings(architecture, lanes, clients)),
            wire: PaperWire::default(),
            record: PaperRecord::default(),
            steps: PaperSteps::default(),
        };
        fixture.lanes.renew(vec![None; lanes as usize].into_iter());
        fixture
    }

    fn act(
        &mut self,
        act: impl FnOnce(
            &mut Lanes<char>,
            &mut Hands<'_, PaperWire, PaperRecord, PaperSteps>,
        ) -> Option<Free>,
    ) -> Option<Free> {
        let mut hands = Hands {
            wire: &mut self.wire,
            record: &mut self.record,
            steps: &mut self.steps,
        };
        act(&mut self.lanes, &mut hands)
    }

    fn start(&mut self, lane: u32, kind: StepKind, now_ns: u64) -> Option<Free> {
        let due = due(kind, 7, now_ns);
        self.act(|lanes, hands| lanes.start(lane, due, now_ns, hands))
    }

    /// Starts a step, and gives the request that it began with.
    #[track_caller]
    fn begun(&mut self, lane: u32, kind: StepKind, now_ns: u64) -> Asked {
        assert_eq!(self.start(lane, kind, now_ns), None);
        self.only()
    }

    fn answer(&mut self, asked: &Asked, response: &Response<'_>, now_ns: u64) -> Option<Free> {
        self.act(|lanes, hands| lanes.handle_response(asked.id, response, now_ns, hands))
    }

    fn disconnect(&mut self, asked: &Asked, now_ns: u64) -> Option<Free> {
        self.act(|lanes, hands| lanes.handle_disconnect(asked.id, now_ns, hands))
    }

    fn time_out(&mut self, now_ns: u64) -> Option<Free> {
        self.act(|lanes, hands| lanes.time_out(now_ns, hands))
    }

    /// The one request that was sent since the last was looked at.
    #[track_caller]
    fn only(&mut self) -> Asked {
        let asked = self.wire.sent.pop_front().expect("a request was sent");
        assert_eq!(self.wire.sent, []);
        asked
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.record.ended.iter().map(|one| one.outcome).collect()
    }
}

/// A lane that goes on at once.
const fn free(lane: u32) -> Option<Free> {
    let pauses = false;
    Some(Free { lane, pauses })
}

#[test]
fn a_step_begins_with_one_request_and_its_answer_ends_it() {
    let mut test = Fixture::new("replicated", 2);
    let asked = test.begun(1, StepKind::Update, 5 * MS);
    let value = NewValue { id: 100, bytes: 16 };
    assert_eq!(
        (asked.key, asked.ask),
        (7, Ask::Put(value)),
        "session 1's first"
    );
    assert_eq!(asked.context, []);
    assert!(test.lanes.is_awaited(asked.id));
    assert_eq!(test.lanes.asked(1, asked.node), Some(asked.id));
    assert_eq!(test.lanes.asked(0, asked.node), None, "it asked nobody");

    assert_eq!(test.answer(&asked, &TAKEN, 6 * MS), free(1));
    assert!(!test.lanes.is_awaited(asked.id));
    let [recorded] = test.record.ended[..] else {
        panic!("one operation: {:?}", test.record.ended);
    };
    let operation = recorded.operation;
    assert_eq!((recorded.session, recorded.mark), (1, 'm'));
    assert_eq!((recorded.outcome, recorded.answered), (Outcome::Ok, true));
    assert_eq!((operation.invoke_ns, recorded.ended_ns), (5 * MS, 6 * MS));
    assert_eq!(operation.incarnation, 10 + operation.node.0);
    assert_eq!(test.steps.ended.len(), 1);
}

#[test]
fn the_next_request_carries_what_its_session_has_seen() {
    let mut test = Fixture::new("replicated", 1);
    let seen = [Dot::new(Origin::new(NodeId(2), 0), 3)];
    let asked = test.begun(0, StepKind::Read, 0);
    let _ = test.answer(&asked, &nothing(&seen), MS);
    let asked = test.begun(0, StepKind::Read, MS);
    assert_eq!(asked.context, seen);
}

#[test]
fn a_refusal_moves_the_operation_on_until_every_replica_has_refused() {
    let mut test = Fixture::new("replicated", 1);
    let mut asked = test.begun(0, StepKind::Update, 0);
    let mut nodes = vec![asked.node];
    for _ in 0..2 {
        assert_eq!(test.answer(&asked, &OVERLOADED, MS), None);
        asked = test.only();
        nodes.push(asked.node);
    }
    assert_eq!(test.answer(&asked, &OVERLOADED, MS), free(0));
    nodes.sort_unstable();
    assert_eq!(nodes, [NodeId(0), NodeId(1), NodeId(2)]);
    assert_eq!(test.record.retries, 2);
    let overloaded = Trouble::Refused(Refusal::Overloaded);
    assert_eq!(test.outcomes(), [Outcome::Fail(overloaded)]);
}

#[test]
fn a_pinned_lane_asks_nobody_else() {
    let mut test = Fixture::new("replicated", 1);
    test.lanes.renew([Some(NodeId(2))].into_iter());
    let asked = test.begun(0, StepKind::Read, 0);
    assert_eq!(asked.node, NodeId(2));
    assert_eq!(test.answer(&asked, &OVERLOADED, MS), free(0));
    assert_eq!(test.wire.sent, []);
}

#[test]
fn a_put_without_an_answer_ends_its_session_and_a_get_does_not() {
    for (kind, outcome, session) in [
        (StepKind::Update, Outcome::Info(Trouble::Timeout), 1),
        (StepKind::Read, Outcome::Fail(Trouble::Timeout), 0),
    ] {
        let mut test = Fixture::new("local", 1);
        test.begun(0, kind, 0);
        assert_eq!(test.lanes.deadline_ns(), Some(TIMEOUT_NS));
        assert_eq!(test.time_out(TIMEOUT_NS), free(0));
        assert_eq!(test.lanes.deadline_ns(), None);
        let asked = test.begun(0, StepKind::Read, TIMEOUT_NS);
        let _ = test.answer(&asked, &nothing(&[]), TIMEOUT_NS);
        assert_eq!(test.outcomes(), [outcome, Outcome::Ok]);
        assert_eq!(test.record.ended[1].session, session);
    }
}

#[test]
fn the_oldest_request_under_way_is_the_first_to_be_overdue() {
    let mut test = Fixture::new("local", 3);
    let first = test.begun(0, StepKind::Read, 0);
    test.begun(1, StepKind::Read, MS);
    let third = test.begun(2, StepKind::Read, 2 * MS);
    let _ = test.answer(&first, &nothing(&[]), 3 * MS);
    assert_eq!(test.lanes.deadline_ns(), Some(TIMEOUT_NS + MS));
    let _ = test.answer(&third, &nothing(&[]), 3 * MS);
    assert_eq!(test.time_out(TIMEOUT_NS + MS), free(1));
    assert_eq!(test.time_out(TIMEOUT_NS + MS), None, "none is under way");
}

#[test]
fn a_broken_connection_moves_a_get_on_and_ends_a_put() {
    let mut test = Fixture::new("replicated", 2);
    let get = test.begun(0, StepKind::Read, 0);
    let put = test.begun(1, StepKind::Update, 0);
    assert_eq!(test.disconnect(&get, MS), None);
    let again = test.only();
    assert_ne!(again.node, get.node);
    assert_eq!(test.disconnect(&put, MS), free(1));
    let unknown = Outcome::Info(Trouble::Disconnected);
    assert_eq!(test.outcomes(), [unknown]);
    assert_eq!(test.disconnect(&get, MS), None, "it is awaited no longer");
    assert_eq!(test.wire.sent, []);
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_ignored() {
    let mut test = Fixture::new("replicated", 1);
    let moved_on = test.begun(0, StepKind::Read, 0);
    let _ = test.disconnect(&moved_on, MS);
    let timed_out = test.only();
    let _ = test.time_out(MS);
    let _ = test.time_out(MS);
    let current = test.begun(0, StepKind::Read, 2 * MS);
    for late in [&moved_on, &timed_out] {
        assert_eq!(test.answer(late, &nothing(&[]), 3 * MS), None);
    }
    assert_eq!(test.record.ended.len(), 1);
    assert_eq!(test.answer(&current, &nothing(&[]), 3 * MS), free(0));
    assert_eq!(test.record.ended.len(), 2, "the control");
}

#[test]
fn an_answer_from_before_the_sessions_were_renewed_is_ignored() {
    let mut test = Fixture::new("local", 1);
    let late = test.begun(0, StepKind::Read, 0);
    let _ = test.time_out(TIMEOUT_NS);
    test.lanes.renew([None].into_iter());
    let current = test.begun(0, StepKind::Read, TIMEOUT_NS);
    assert_eq!(test.answer(&late, &nothing(&[]), TIMEOUT_NS), None);
    assert!(test.lanes.is_awaited(current.id));
    let _ = test.answer(&current, &nothing(&[]), TIMEOUT_NS);
    let sessions: Vec<u32> = test.record.ended.iter().map(|one| one.session).collect();
    assert_eq!(sessions, [0, 1]);
}

#[test]
fn a_read_modify_write_is_a_get_then_a_put_in_one_session_and_one_step() {
    let mut test = Fixture::new("replicated", 1);
    let seen = [Dot::new(Origin::new(NodeId(0), 0), 1)];
    let get = test.begun(0, StepKind::ReadModifyWrite, MS);
    assert_eq!(get.ask, Ask::Get);
    assert_eq!(test.answer(&get, &nothing(&seen), 2 * MS), None);
    let put = test.only();
    assert_eq!((put.key, &put.context[..]), (get.key, &seen[..]));
    assert_eq!(put.ask, Ask::Put(NewValue { id: 1, bytes: 16 }));
    assert!(test.steps.ended.is_empty(), "the step goes on");
    assert_eq!(test.answer(&put, &TAKEN, 4 * MS), free(0));

    let [read, written] = test.record.ended[..] else {
        panic!("two operations: {:?}", test.record.ended);
    };
    assert_eq!(read.session, written.session);
    let times = (written.operation.intended_ns, written.operation.invoke_ns);
    assert_eq!(times, (2 * MS, 2 * MS));
    let [step] = test.steps.ended[..] else {
        panic!("one step: {:?}", test.steps.ended);
    };
    assert_eq!((step.started_ns, step.ended_ns), (MS, 4 * MS));
}

#[test]
fn a_read_modify_write_whose_get_failed_puts_nothing() {
    let mut test = Fixture::new("local", 1);
    let get = test.begun(0, StepKind::ReadModifyWrite, 0);
    assert_eq!(test.answer(&get, &OVERLOADED, MS), free(0));
    assert_eq!(test.wire.sent, []);
    assert_eq!(test.steps.ended.len(), 1);
}

/// The answer to a get that finds these values.
fn found<T>(values: &[&[u8]], look: impl FnOnce(&Response<'_>) -> T) -> T {
    let siblings: Vec<Sibling<'_>> = { values.iter() }
        .map(|value| Sibling {
            value,
            witness: PutWitness::None,
        })
        .collect();
    look(&Response::Get {
        vector: &[],
        siblings: &siblings,
    })
}

/// The payload of a value.
fn payload_of(value: NewValue) -> Vec<u8> {
    let mut bytes = vec![0; value.bytes as usize];
    payload::fill(value.id, &mut bytes);
    bytes
}

#[test]
fn a_compare_and_set_expects_what_its_get_found_in_one_session_and_one_step() {
    let old = NewValue { id: 77, bytes: 40 };
    for expected in [None, Some(old)] {
        let mut test = Fixture::new("local", 1);
        let get = test.begun(0, StepKind::CompareAndSet, MS);
        assert_eq!(get.ask, Ask::Get);
        let values: Vec<Vec<u8>> = expected.map(payload_of).into_iter().collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let freed = found(&values, |response| test.answer(&get, response, 2 * MS));
        assert_eq!(freed, None);
        let cas = test.only();
        let new = NewValue { id: 1, bytes: 16 };
        assert_eq!(cas.ask, Ask::Cas { expected, new });
        assert_eq!(test.answer(&cas, &TAKEN, 4 * MS), free(0));
        assert_eq!(test.record.ended[0].session, test.record.ended[1].session);
        assert_eq!(test.outcomes(), [Outcome::Ok, Outcome::Ok]);
        assert_eq!(
            (test.steps.ended[0].started_ns, test.steps.ended.len()),
            (MS, 1)
        );
    }
}

#[test]
fn several_values_and_a_corrupt_one_are_nothing_that_a_compare_and_set_could_expect() {
    let (one, other) = (NewValue { id: 1, bytes: 16 }, NewValue { id: 2, bytes: 16 });
    let (one, other) = (payload_of(one), payload_of(other));
    let values: [&[&[u8]]; 2] = [&[&one, &other], &[b"nobody wrote this value"]];
    for values in values {
        let mut test = Fixture::new("local", 1);
        let get = test.begun(0, StepKind::CompareAndSet, 0);
        let freed = found(values, |response| test.answer(&get, response, MS));
        assert_eq!(freed, free(0));
        assert_eq!(test.wire.sent, []);
        assert_eq!((test.steps.ended.len(), test.record.ended.len()), (1, 1));
    }
}

#[test]
fn a_mismatch_ends_a_compare_and_set_well_and_it_is_not_tried_again() {
    let mut test = Fixture::new("local", 1);
    let get = test.begun(0, StepKind::CompareAndSet, 0);
    assert_eq!(test.answer(&get, &nothing(&[]), MS), None);
    let cas = test.only();
    let mismatch = Response::Mismatch { found: None };
    assert_eq!(test.answer(&cas, &mismatch, 2 * MS), free(0));
    assert_eq!(test.wire.sent, []);
    assert_eq!(test.outcomes(), [Outcome::Ok, Outcome::Ok]);
    assert_eq!(test.begun(0, StepKind::Read, 3 * MS).ask, Ask::Get);
    assert_eq!(test.record.ended[0].session, 0, "and the session goes on");
}

#[test]
fn a_compare_and_set_that_is_not_answered_may_have_taken_effect() {
    let mut test = Fixture::new("local", 1);
    let get = test.begun(0, StepKind::CompareAndSet, 0);
    assert_eq!(test.answer(&get, &nothing(&[]), MS), None);
    let cas = test.only();
    assert_eq!(test.disconnect(&cas, 2 * MS), free(0));
    assert_eq!(test.outcomes()[1], Outcome::Info(Trouble::Disconnected));
    assert_eq!(test.record.retries, 0);
}

#[test]
fn an_order_makes_both_values_of_a_compare_and_set() {
    let (old, new) = (NewValue { id: 5, bytes: 33 }, NewValue { id: 6, bytes: 20 });
    for expected in [None, Some(old)] {
        let order = Order {
            client: 0,
            lane: 0,
            key: 3,
            ask: Ask::Cas { expected, new },
            context: &[],
            call: None,
        };
        let before = expected.map(payload_of);
        order.with(&mut vec![1; 7], |request| {
            let expected = Operation::Cas {
                expected: before.as_deref(),
                value: &payload_of(new),
            };
            assert_eq!(request.operation, expected);
        });
    }
}

#[test]
fn a_node_that_cannot_be_reached_is_passed_over() {
    let mut test = Fixture::new("replicated", 1);
    test.wire.down = vec![NodeId(0), NodeId(1)];
    for _ in 0..3 {
        let asked = test.begun(0, StepKind::Update, 0);
        assert_eq!(asked.node, NodeId(2));
        let _ = test.answer(&asked, &TAKEN, 0);
    }
    assert_eq!(test.outcomes(), [Outcome::Ok; 3]);
}

#[test]
fn a_lane_pauses_when_no_replica_can_be_reached() {
    let mut test = Fixture::new("replicated", 1);
    test.wire.down = (0..3).map(NodeId).collect();
    let pauses = true;
    let lane = 0;
    let paused = Some(Free { lane, pauses });
    assert_eq!(test.start(0, StepKind::Update, MS), paused);
    assert_eq!(test.outcomes(), [Outcome::Fail(Trouble::NoConnection)]);
    assert_eq!((test.record.retries, test.steps.ended.len()), (2, 1));
    assert!(!test.record.ended[0].answered);
    assert_eq!(test.lanes.deadline_ns(), None, "nothing was sent");
}

#[test]
fn a_lane_pauses_when_its_operation_cannot_be_moved_on_either() {
    let mut test = Fixture::new("replicated", 1);
    let asked = test.begun(0, StepKind::Read, 0);
    test.wire.down = (0..3).map(NodeId).collect();
    let freed = test.disconnect(&asked, MS).expect("it has ended");
    assert!(freed.pauses);
}

#[test]
fn the_lanes_of_one_client_avoid_a_node_that_did_not_answer_one_of_them() {
    let mut test = Fixture::of_clients("replicated(2)", 3, 2);
    let of_client: Vec<u16> = (0..3).map(|lane| test.lanes.client(lane)).collect();
    assert_eq!(of_client, [0, 1, 0]);
    test.wire.down = vec![NodeId(0)];
    // Whichever is asked first, one attempt at least finds out that node 0 is down.
    for _ in 0..2 {
        let asked = test.begun(0, StepKind::Read, 0);
        assert_eq!((asked.client, asked.node), (0, NodeId(1)));
        let _ = test.answer(&asked, &nothing(&[]), 0);
    }
    test.wire.down.clear();
    let asks = |test: &mut Fixture, lane| {
        let both = (0..2).map(|_| {
            let asked = test.begun(lane, StepKind::Read, MS);
            let _ = test.answer(&asked, &nothing(&[]), MS);
            asked.node
        });
        both.collect::<Vec<_>>()
    };
    assert_eq!(asks(&mut test, 2), [NodeId(1), NodeId(1)]);
    assert!(asks(&mut test, 1).contains(&NodeId(0)), "another client");
}

#[test]
#[should_panic(expected = "needs its session")]
fn sessions_are_not_renewed_under_a_step() {
    let mut test = Fixture::new("local", 1);
    test.begun(0, StepKind::Read, 0);
    test.lanes.renew([None].into_iter());
}
