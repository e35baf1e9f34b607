//! Makes a set small that shows something: leaves out half of it at a time, then a quarter, and so
//! on down to single items, as long as the rest still shows it (Zeller and Hildebrandt,
//! *Simplifying and isolating failure-inducing input*, 2002, without its test of subsets).

/// What came of leaving some items out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// They are gone, or they have to stay.
    Decided,
    /// Nobody knows: there is no work left for any more attempts.
    Over,
}

/// A set that shows something, and goes on to do so.
pub(super) trait Shrinking {
    /// What can be left out, alone or together with others.
    type Item;

    /// What is there, in the order in which it is to be tried.
    fn items(&mut self) -> Vec<Self::Item>;

    /// How much is there.
    fn size(&self) -> usize;

    /// Leaves items out, with all that rests on them, if what is left still shows it.
    fn leave_out(&mut self, items: &[Self::Item]) -> Tried;
}

/// Tries halves, then quarters, and so on, and each single item once.
pub(super) fn halve(set: &mut impl Shrinking) {
    let mut at_once = half(set.size());
    while pass(set, at_once) == Tried::Decided && at_once > 1 {
        at_once = half(at_once);
    }
}

/// The same, and single items again until none of those that are left can be spared.
pub(super) fn minimise(set: &mut impl Shrinking) {
    let mut at_once = half(set.size());
    loop {
        let before = set.size();
        if pass(set, at_once) == Tried::Over {
            return;
        }
        if at_once > 1 {
            at_once = half(at_once);
        } else if set.size() == before {
            return;
        }
    }
}

fn half(count: usize) -> usize {
    count.div_ceil(2).max(1)
}

/// Tries to leave out so many at a time.
fn pass(set: &mut impl Shrinking, at_once: usize) -> Tried {
    for items in set.items().chunks(at_once) {
        if set.leave_out(items) == Tried::Over {
            return Tried::Over;
        }
    }
    Tried::Decided
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that show something as long as all of `needed` are there.
    struct Numbers {
        left: Vec<u32>,
        needed: Vec<u32>,
        tries: u32,
    }

    impl Shrinking for Numbers {
        type Item = u32;

        fn items(&mut self) -> Vec<u32> {
            self.left.clone()
        }

        fn size(&self) -> usize {
            self.left.len()
        }

        fn leave_out(&mut self, items: &[u32]) -> Tried {
            let Some(tries) = self.tries.checked_sub(1) else {
                return Tried::Over;
            };
            self.tries = tries;
            if !items.iter().any(|item| self.needed.contains(item)) {
                self.left.retain(|item| !items.contains(item));
            }
            Tried::Decided
        }
    }

    #[test]
    fn what_is_left_is_what_is_needed_and_in_its_order() {
        for count in 0..40 {
            let needed: Vec<u32> = (0..count).filter(|item| item % 7 == 3).collect();
            let mut numbers = Numbers {
                left: (0..count).collect(),
                needed: needed.clone(),
                tries: u32::MAX,
            };
            minimise(&mut numbers);
            assert_eq!(numbers.left, needed);
        }
    }

    #[test]
    fn without_work_left_nothing_more_is_left_out() {
        for shrink in [halve, minimise] {
            let mut numbers = Numbers {
                left: (0..40).collect(),
                needed: Vec::new(),
                tries: 1,
            };
            shrink(&mut numbers);
            assert_eq!(numbers.left.len(), 20);
        }
    }
}
