//! The tester of stores that only promise to agree in the end: a get shows what somebody has put,
//! and in the end every replica shows of each key the put of the largest version that was answered,
//! or a larger one.

use std::collections::BTreeMap;

use kvs_check::checker::StoreOp;
use kvs_core::protocol::Version;

use crate::reply::{Reply, Witness};

type Op = StoreOp<&'static str, String>;

/// What is known of the operations so far, as far as it decides what later gets may show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct EventualTester {
    /// Whose answer is awaited.
    under_way: BTreeMap<u32, Op>,
    /// What was put and not refused.
    puts: Vec<(&'static str, String)>,
    /// The largest version of each key that was answered.
    answered: BTreeMap<&'static str, Version>,
    /// Whether a get has shown what it may not.
    broken: bool,
}

impl EventualTester {
    /// A session asks, which waits for nothing else.
    pub(crate) fn on_invoke(&mut self, session: u32, op: Op) {
        if let StoreOp::Put(key, value) = &op {
            self.puts.push((*key, value.clone()));
        }
        let before = self.under_way.insert(session, op);
        assert!(before.is_none(), "a session has one request under way");
    }

    /// The session has its answer; `in_the_end` when everything was healed before it asked.
    pub(crate) fn on_return(&mut self, session: u32, reply: &Reply, in_the_end: bool) {
        let op = self.under_way.remove(&session).expect("the session waits");
        match (op, reply) {
            (StoreOp::Put(key, _), Reply::Put(Witness::Lww(version))) => {
                let largest = self.answered.entry(key).or_insert(*version);
                *largest = (*largest).max(*version);
            }
            (StoreOp::Get(key), Reply::Get(_, shown)) => {
                let was_put = |value: &str| self.puts.iter().any(|put| *put == (key, value.into()));
                self.broken |= !shown.iter().all(|shown| was_put(&shown.value));
                if let (Some(answered), true) = (self.answered.get(key), in_the_end) {
                    let is_late = |evidence: &Witness| match evidence {
                        Witness::Lww(version) => version >= answered,
                        Witness::None | Witness::Causal(..) => false,
                    };
                    self.broken |= !shown.iter().any(|shown| is_late(&shown.evidence));
                }
            }
            (StoreOp::Put(key, value), Reply::Refused(_)) => {
                self.puts.retain(|put| *put != (key, value.clone()));
            }
            (StoreOp::Get(_), Reply::Refused(_)) => {}
            (op, reply) => panic!("{reply:?} answers {op:?}"),
        }
    }

    pub(crate) const fn is_consistent(&self) -> bool {
        !self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Shown;
    use kvs_core::protocol::Vector;

    fn put(tester: &mut EventualTester, value: &str, time: u64) {
        tester.on_invoke(0, StoreOp::Put("k", value.to_owned()));
        let version = Version { time, origin: 0 };
        tester.on_return(0, &Reply::Put(Witness::Lww(version)), false);
    }

    fn get(tester: &mut EventualTester, shown: Option<(&str, u64)>, in_the_end: bool) -> bool {
        tester.on_invoke(1, StoreOp::Get("k"));
        let shown = shown.map(|(value, time)| Shown {
            value: value.to_owned(),
            evidence: Witness::Lww(Version { time, origin: 0 }),
        });
        let reply = Reply::Get(Vector::new(), shown.into_iter().collect());
        tester.on_return(1, &reply, in_the_end);
        tester.is_consistent()
    }

    #[test]
    fn a_get_may_show_anything_that_was_put_until_the_end() {
        let mut tester = EventualTester::default();
        put(&mut tester, "a", 1);
        put(&mut tester, "b", 2);
        assert!(get(&mut tester, None, false));
        assert!(get(&mut tester, Some(("a", 1)), false));
        assert!(!get(&mut tester.clone(), Some(("c", 3)), false));
        assert!(get(&mut tester.clone(), Some(("b", 2)), true));
        assert!(!get(&mut tester.clone(), Some(("a", 1)), true));
        assert!(!get(&mut tester, None, true));
    }

    #[test]
    fn what_was_refused_is_not_shown() {
        let mut tester = EventualTester::default();
        tester.on_invoke(0, StoreOp::Put("k", "a".to_owned()));
        tester.on_return(
            0,
            &Reply::Refused(kvs_core::protocol::Refusal::Overloaded),
            false,
        );
        assert!(get(&mut tester, None, true));
        assert!(!get(&mut tester, Some(("a", 1)), false));
    }
}
