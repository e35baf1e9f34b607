//! The tester of regular registers: every get shows a put that nobody had overwritten when the get
//! began, or one that was under way at the same time (Lamport, *On interprocess communication*,
//! 1986; for several writers: Shao, Welch, Pierce, Lee, *Multiwriter consistency conditions for
//! shared memory registers*, 2011).

use std::collections::{BTreeMap, BTreeSet};

use kvs_check::checker::StoreOp;

use crate::recording::RegisterReturn;

type Op = StoreOp<&'static str, String>;

/// What is known of the operations so far, as far as it decides what later gets may show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RegularTester {
    /// In the order in which they were asked.
    puts: Vec<Put>,
    under_way: BTreeMap<u32, UnderWay>,
    /// Whether a get has shown what it may not.
    broken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Put {
    key: &'static str,
    value: String,
    /// Puts that were answered before it was asked.
    after: BTreeSet<usize>,
    answered: bool,
    /// It certainly had no effect.
    refused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum UnderWay {
    Put(usize),
    Get {
        key: &'static str,
        /// Puts that were answered before it was asked.
        after: BTreeSet<usize>,
    },
}

impl RegularTester {
    /// A session asks, which waits for nothing else.
    pub(crate) fn on_invoke(&mut self, session: u32, op: Op) {
        let answered = |put: &(usize, &Put)| put.1.answered;
        let after = self.puts.iter().enumerate().filter(answered);
        let after: BTreeSet<usize> = after.map(|(at, _)| at).collect();
        let under_way = match op {
            StoreOp::Get(key) => UnderWay::Get { key, after },
            StoreOp::Put(key, value) => {
                self.puts.push(Put {
                    key,
                    value,
                    after,
                    answered: false,
                    refused: false,
                });
                UnderWay::Put(self.puts.len() - 1)
            }
        };
        let before = self.under_way.insert(session, under_way);
        assert!(before.is_none(), "a session has one request under way");
    }

    /// The session has its answer.
    pub(crate) fn on_return(&mut self, session: u32, answer: &RegisterReturn) {
        let under_way = self.under_way.remove(&session).expect("the session waits");
        match (under_way, answer) {
            (UnderWay::Put(at), RegisterReturn::Refused) => self.puts[at].refused = true,
            (UnderWay::Put(at), _) => self.puts[at].answered = true,
            (UnderWay::Get { key, after }, RegisterReturn::Get(shown)) => {
                self.broken |= !self.explains(key, &after, shown.as_deref());
            }
            (UnderWay::Get { .. }, _) => {}
        }
    }

    pub(crate) const fn is_consistent(&self) -> bool {
        !self.broken
    }

    /// Whether a get of `key` that began after these puts may show this.
    fn explains(&self, key: &str, after: &BTreeSet<usize>, shown: Option<&str>) -> bool {
        let of_key = |at: &&usize| self.puts[**at].key == key;
        let mut before = after.iter().filter(of_key);
        let Some(shown) = shown else {
            return before.next().is_none();
        };
        let is_shown = |put: &Put| put.key == key && put.value == shown && !put.refused;
        let put = self.puts.iter().position(is_shown);
        // Overwritten: another one came after it, and was answered before the get began.
        put.is_some_and(|put| !before.any(|other| self.puts[*other].after.contains(&put)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tester: &mut RegularTester, session: u32, value: &str) {
        tester.on_invoke(session, StoreOp::Put("k", value.to_owned()));
    }

    fn get(tester: &mut RegularTester, session: u32, shown: Option<&str>) -> bool {
        tester.on_invoke(session, StoreOp::Get("k"));
        let answer = RegisterReturn::Get(shown.map(str::to_owned));
        tester.on_return(session, &answer);
        tester.is_consistent()
    }

    #[test]
    fn a_get_may_go_back_while_a_put_is_under_way_and_not_once_it_was_answered() {
        let mut tester = RegularTester::default();
        assert!(get(&mut tester, 9, None));
        put(&mut tester, 0, "a");
        tester.on_return(0, &RegisterReturn::Put);
        put(&mut tester, 0, "b");
        assert!(get(&mut tester, 1, Some("b")));
        assert!(get(&mut tester, 1, Some("a")), "the new one, then the old");
        tester.on_return(0, &RegisterReturn::Put);
        assert!(get(&mut tester, 1, Some("b")));
        assert!(!get(&mut tester, 1, Some("a")), "it is overwritten");
    }

    #[test]
    fn of_two_puts_at_once_either_may_be_shown_for_ever() {
        let mut tester = RegularTester::default();
        put(&mut tester, 0, "a");
        put(&mut tester, 1, "b");
        tester.on_return(0, &RegisterReturn::Put);
        tester.on_return(1, &RegisterReturn::Put);
        for value in ["a", "b", "a"] {
            assert!(get(&mut tester, 2, Some(value)));
        }
        assert!(!get(&mut tester, 2, None), "both are answered");
    }

    #[test]
    fn what_nobody_put_or_what_was_refused_is_not_shown() {
        let mut tester = RegularTester::default();
        put(&mut tester, 0, "a");
        assert!(!get(&mut tester.clone(), 1, Some("b")));
        tester.on_return(0, &RegisterReturn::Refused);
        assert!(get(&mut tester, 1, None));
        assert!(!get(&mut tester, 1, Some("a")));
    }
}
