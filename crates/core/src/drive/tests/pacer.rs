//! When lanes go on.

use super::*;

/// A pacer, and paper for all that it acts through.
struct Fixture {
    pacer: Pacer<char>,
    wire: PaperWire,
    record: PaperRecord,
    steps: PaperSteps,
}

impl Fixture {
    fn new(lanes: u32) -> Self {
        Self::pinned("local", &vec![None; lanes as usize])
    }

    fn pinned(architecture: &str, pins: &[Option<NodeId>]) -> Self {
        let mut pacer = Pacer::new(settings(architecture, pins.len() as u32, 1));
        pacer.renew(pins.iter().copied());
        Self {
            pacer,
            wire: PaperWire::default(),
            record: PaperRecord::default(),
            steps: PaperSteps::default(),
        }
    }

    /// Lays out gets of key 0 that are to start at these times.
    fn lay_out(&mut self, times_ns: &[u64]) {
        let gets = times_ns.iter().map(|at_ns| due(StepKind::Read, 0, *at_ns));
        self.steps.laid_out.extend(gets);
    }

    fn act(
        &mut self,
        act: impl FnOnce(&mut Pacer<char>, &mut Hands<'_, PaperWire, PaperRecord, PaperSteps>),
    ) {
        let mut hands = Hands {
            wire: &mut self.wire,
            record: &mut self.record,
            steps: &mut self.steps,
        };
        act(&mut self.pacer, &mut hands);
    }

    fn tick(&mut self, now_ns: u64) {
        self.act(|pacer, hands| pacer.tick(now_ns, hands));
    }

    /// Answers the oldest request that is not answered.
    #[track_caller]
    fn answer(&mut self, now_ns: u64) {
        let asked = self.wire.sent.pop_front().expect("a request was sent");
        self.act(|pacer, hands| {
            pacer.handle_response(asked.id, &nothing(&[]), now_ns, hands);
        });
    }

    fn under_way(&self) -> usize {
        self.wire.sent.len()
    }
}

#[test]
fn lanes_idle_until_a_step_is_due() {
    let mut test = Fixture::new(2);
    test.lay_out(&[MS, 3 * MS]);
    test.tick(0);
    assert_eq!((test.under_way(), test.pacer.idle()), (0, 2));
    test.tick(MS);
    assert_eq!((test.under_way(), test.pacer.idle()), (1, 1));
    test.tick(3 * MS);
    assert_eq!((test.under_way(), test.pacer.idle()), (2, 0));
    assert!(!test.pacer.is_idle());
    test.answer(4 * MS);
    test.answer(4 * MS);
    assert!(test.pacer.is_idle());
}

#[test]
fn a_lane_goes_on_at_once_with_what_is_due() {
    let mut test = Fixture::new(1);
    test.lay_out(&[0, MS, 9 * MS]);
    test.tick(0);
    test.answer(2 * MS);
    assert_eq!(test.under_way(), 1);
    test.answer(3 * MS);
    assert_eq!((test.under_way(), test.pacer.idle()), (0, 1));
}

#[test]
fn a_step_is_told_whether_a_lane_had_been_free_for_it() {
    let mut test = Fixture::new(2);
    test.lay_out(&[0, 0, MS, MS, MS]);
    test.tick(0);
    test.answer(2 * MS);
    test.answer(2 * MS);
    test.answer(2 * MS);
    assert_eq!(test.steps.was_free, [true, true, false, false, false]);
    test.answer(3 * MS);
    test.lay_out(&[3 * MS]);
    test.answer(4 * MS);
    assert_eq!(test.steps.was_free.last(), Some(&true));
}

#[test]
fn that_a_lane_came_free_where_none_was_is_told_once() {
    let mut test = Fixture::new(2);
    test.lay_out(&[0, 0]);
    test.tick(0);
    assert!(!test.pacer.take_lane_came_free());
    test.answer(MS);
    assert!(test.pacer.take_lane_came_free());
    assert!(!test.pacer.take_lane_came_free());
    test.answer(MS);
    assert!(!test.pacer.take_lane_came_free(), "one was free before");
}

#[test]
fn a_lane_that_thinks_pauses_after_each_step() {
    let mut test = Fixture::new(1);
    test.steps.think_ns = 5 * MS;
    test.lay_out(&[0, 0]);
    test.tick(0);
    test.answer(MS);
    assert_eq!((test.under_way(), test.pacer.idle()), (0, 0));
    test.tick(6 * MS - 1);
    assert_eq!(test.under_way(), 0);
    test.tick(6 * MS);
    assert_eq!(test.under_way(), 1);
}

#[test]
fn pauses_end_in_the_order_of_their_ends_and_then_of_their_beginnings() {
    let mut test = Fixture::new(4);
    let ends_ns = [3 * MS, MS, 3 * MS, 2 * MS];
    test.pacer.stagger(|lane| ends_ns[lane as usize]);
    assert_eq!(test.pacer.idle(), 0);
    assert_eq!(test.pacer.wake(MS - 1), None);
    let mut woken = Vec::new();
    while let Some(Wake { lane, at_ns }) = test.pacer.wake(u64::MAX) {
        assert_eq!(at_ns, ends_ns[lane as usize]);
        woken.push(lane);
    }
    assert_eq!(woken, [1, 3, 0, 2]);
}

#[test]
fn a_lane_that_can_reach_nobody_pauses_and_tries_the_next_step_then() {
    let mut test = Fixture::new(1);
    test.wire.down = vec![NodeId(0)];
    test.lay_out(&[0, 0]);
    test.tick(0);
    assert_eq!((test.record.ended.len(), test.pacer.idle()), (1, 0));
    test.tick(PAUSE_NS - 1);
    assert_eq!(test.record.ended.len(), 1);
    test.wire.down.clear();
    test.tick(PAUSE_NS);
    assert_eq!(test.under_way(), 1);
}

#[test]
fn a_step_that_is_overdue_frees_its_lane_for_the_next() {
    let mut test = Fixture::new(1);
    test.lay_out(&[0, 0]);
    test.tick(0);
    test.tick(TIMEOUT_NS - 1);
    assert_eq!(test.under_way(), 1);
    test.tick(TIMEOUT_NS);
    assert_eq!(test.under_way(), 2);
    assert_eq!(test.record.ended.len(), 1);
}

#[test]
fn a_node_that_is_lost_ends_what_it_was_asked_and_nothing_else() {
    let nodes = [NodeId(0), NodeId(1)];
    let mut test = Fixture::pinned("replicated(2)", &nodes.map(Some));
    for node in nodes {
        let due = due(StepKind::Update, u64::from(node.0), 0);
        test.steps.laid_out.push_back(due);
    }
    test.tick(0);
    assert_eq!(test.under_way(), 2);
    // The connection of lane 0 to a node that it asked nothing.
    test.act(|pacer, hands| pacer.handle_node_lost(NodeId(1), Some(0), MS, hands));
    assert!(test.record.ended.is_empty());
    test.act(|pacer, hands| pacer.handle_node_lost(NodeId(1), None, MS, hands));
    let ended: Vec<NodeId> = { &test.record.ended }
        .iter()
        .map(|one| one.operation.node)
        .collect();
    assert_eq!(ended, [NodeId(1)]);
    assert_eq!(test.pacer.idle(), 1);
}

#[test]
fn a_pinned_lane_without_a_step_keeps_no_other_from_its_own() {
    let pins = [0, 1, 2].map(|node| Some(NodeId(node)));
    let mut test = Fixture::pinned("replicated", &pins);
    test.steps.laid_out.push_back(due(StepKind::Read, 1, 0));
    test.tick(0);
    assert_eq!((test.under_way(), test.pacer.idle()), (1, 2));
    test.answer(MS);
    assert!(test.pacer.is_idle());
}

#[test]
#[should_panic(expected = "one phase at a time")]
fn sessions_are_not_renewed_while_a_lane_pauses() {
    let mut test = Fixture::new(1);
    test.pacer.stagger(|_| MS);
    test.pacer.renew([None].into_iter());
}
