//! The texts of values that are lists.
//!
//! To the checkers an append adds a text to a text. So a list is the texts of its elements, one
//! after another, each with [`END`] behind it. No element has that inside, and different elements
//! have different texts: two lists are equal where their texts are, and one starts with another
//! where its text does.

use std::fmt::Debug;
use std::hash::Hash;

use hashbrown::{HashMap, HashSet};

use super::naming::shortened;
use super::operation::Split;

/// What ends the text of an element.
const END: char = ';';
/// What stands for [`END`] inside an element.
const INSTEAD: &str = ",";

/// The elements that were named.
pub(super) struct Lists<V> {
    split: Split<V>,
    /// By a list of one, the place of its element's text.
    numbers: HashMap<V, usize, foldhash::fast::FixedState>,
    texts: Vec<String>,
    given: HashSet<String, foldhash::fast::FixedState>,
}

impl<V: Eq + Hash + Debug> Lists<V> {
    pub(super) fn new(split: Split<V>) -> Self {
        Self {
            split,
            numbers: HashMap::default(),
            texts: Vec::new(),
            given: HashSet::default(),
        }
    }

    /// The text of a list; empty where the list is.
    pub(super) fn text(&mut self, list: &V) -> String {
        let mut text = String::new();
        for single in (self.split)(list) {
            let number = self.number(single);
            text.push_str(&self.texts[number]);
            text.push(END);
        }
        text
    }

    pub(super) fn is_empty(&self, list: &V) -> bool {
        (self.split)(list).is_empty()
    }

    /// The place of the text of the element in a list of one.
    fn number(&mut self, single: V) -> usize {
        if let Some(number) = self.numbers.get(&single) {
            return *number;
        }
        let name = element(&single);
        let mut free = name.clone();
        let mut times = 1;
        while !self.given.insert(free.clone()) {
            times += 1;
            free = format!("{name} ({times})");
        }
        self.texts.push(free);
        self.numbers.insert(single, self.texts.len() - 1);
        self.texts.len() - 1
    }
}

/// What the element in a list of one is called.
fn element(single: &impl Debug) -> String {
    let whole = format!("{single:?}");
    let inside = { whole.strip_prefix('[') }.and_then(|rest| rest.strip_suffix(']'));
    shortened(inside.unwrap_or(&whole)).replace(END, INSTEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::write_json_lines;
    use crate::{Append, Get, History, Model, Options, Put, Recorder, Report, check};

    type Numbers = Recorder<&'static str, Vec<u32>>;

    fn judged(recorder: Numbers) -> Report {
        recorder.finish().check(Model::Linearizable)
    }

    /// Alice appends 1 and then 2; what Bob's get finds then.
    fn two_appends(found: Option<Vec<u32>>) -> Numbers {
        let recorder = Numbers::new();
        let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
        alice.invoke(Append("x", 1)).ok(());
        alice.invoke(Append("x", 2)).ok(());
        bob.invoke(Get("x")).ok(found);
        recorder
    }

    #[test]
    fn a_list_has_every_element_that_was_appended_once_and_in_order() {
        let right = judged(two_appends(Some(vec![1, 2])));
        assert!(right.is_valid(), "{right}");
        let wrong: [&[u32]; 6] = [&[], &[1], &[2], &[2, 1], &[1, 2, 2], &[1, 2, 3]];
        for list in wrong
            .map(|list| Some(list.to_vec()))
            .into_iter()
            .chain([None])
        {
            let report = judged(two_appends(list.clone()));
            assert!(report.is_invalid(), "{list:?}: {report}");
        }
        let lost = judged(two_appends(Some(vec![2]))).explained().to_string();
        for line in ["append \"x\" + 1; [", "get \"x\" -> 2; ["] {
            assert!(lost.contains(line), "{line} is missing:\n{lost}");
        }
    }

    #[test]
    fn both_engines_judge_lists_alike_before_and_after_they_were_saved() {
        for (list, is_right) in [(vec![1, 2], true), (vec![2, 1], false)] {
            let history = two_appends(Some(list)).finish();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            write_json_lines(&history, file.as_file_mut()).unwrap();
            for history in [History::read(file.path()).unwrap(), history] {
                assert_eq!(history.check(Model::Linearizable).is_valid(), is_right);
                let options = Options {
                    judged_by: crate::JudgedBy::Model(Model::Linearizable),
                    ..Options::default()
                };
                let report = check(&history, &options);
                assert_eq!(report.is_valid(), is_right, "{report}");
            }
        }
    }

    #[test]
    fn an_append_that_nobody_knows_of_came_once_or_never() {
        let seen = |lists: [&[u32]; 2]| {
            let recorder = Numbers::new();
            let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
            drop(alice.invoke(Append("x", 1)));
            bob.invoke(Append("x", 2)).ok(());
            for list in lists {
                bob.invoke(Get("x")).ok(Some(list.to_vec()));
            }
            judged(recorder)
        };
        let right: [[&[u32]; 2]; 4] = [[&[2], &[2]], [&[2], &[2, 1]], [&[1, 2]; 2], [&[2, 1]; 2]];
        for lists in right {
            let report = seen(lists);
            assert!(report.is_valid(), "{lists:?}: {report}");
        }
        let wrong: [[&[u32]; 2]; 3] = [[&[2, 1], &[2]], [&[1, 2], &[1, 2, 1]], [&[1], &[1, 2]]];
        for lists in wrong {
            let report = seen(lists);
            assert!(report.is_invalid(), "{lists:?}: {report}");
        }
    }

    #[test]
    fn what_a_list_holds_at_first_is_appended_to() {
        let reads = |initial: &[u32], before: Option<&[u32]>, after: &[u32]| {
            let recorder = Numbers::with_initial(initial.to_vec());
            let alice = recorder.process("alice");
            alice.invoke(Get("x")).ok(before.map(<[u32]>::to_vec));
            alice.invoke(Append("x", 2)).ok(());
            alice.invoke(Get("x")).ok(Some(after.to_vec()));
            alice
                .invoke(Get("never appended to"))
                .ok(Some(initial.to_vec()));
            judged(recorder)
        };
        for right in [
            reads(&[1], Some(&[1]), &[1, 2]),
            reads(&[], Some(&[]), &[2]),
        ] {
            assert!(right.is_valid(), "{right}");
        }
        for wrong in [
            reads(&[1], Some(&[]), &[1, 2]),
            reads(&[1], None, &[1, 2]),
            reads(&[1], Some(&[1]), &[2]),
            reads(&[], None, &[2]),
        ] {
            assert!(wrong.is_invalid(), "{wrong}");
        }
    }

    #[test]
    fn a_put_replaces_a_list_and_an_empty_one_is_an_absent_key() {
        let after = |list: &[u32], found: Option<&[u32]>| {
            let recorder = two_appends(Some(vec![1, 2]));
            let alice = recorder.process("alice");
            alice.invoke(Put("x", list.to_vec())).ok(());
            alice.invoke(Get("x")).ok(found.map(<[u32]>::to_vec));
            judged(recorder).is_valid()
        };
        assert!(after(&[3], Some(&[3])) && !after(&[3], Some(&[1, 2, 3])));
        assert!(after(&[], Some(&[])) && after(&[], None) && !after(&[], Some(&[1, 2])));
    }

    /// Different elements that look alike, or like two.
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Odd(&'static str, u8);

    impl Debug for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    #[test]
    fn elements_that_look_alike_are_told_apart() {
        let appended = |elements: [Odd; 2], found: &[Odd]| {
            let recorder = Recorder::new();
            let alice = recorder.process("alice");
            for element in elements {
                alice.invoke(Append("x", element)).ok(());
            }
            alice.invoke(Get("x")).ok(Some(found.to_vec()));
            recorder.finish().check(Model::Linearizable).is_valid()
        };
        let [a, twin, both] = [Odd("a", 1), Odd("a", 2), Odd("a;a", 1)];
        let pair = [a.clone(), twin.clone()];
        assert!(appended(pair.clone(), &pair));
        assert!(!appended(pair.clone(), &[twin, a.clone()]));
        assert!(!appended([a.clone(), a], &[both]));
        let mut lists =
            Lists::new(|list: &Vec<Odd>| list.iter().map(|e| vec![e.clone()]).collect());
        assert_eq!(lists.text(&pair.to_vec()), "a;a (2);");
    }
}
