//! The central rule of safety: nothing leaves before it is durable. A reply or a message may show
//! every change that came before it. So it waits until all of those are durable.
//!
//! The barrier counts changes and keeps what waits. It writes nothing itself. A node tells it of
//! its disk's commits, the simulator of virtual syncs, and a model of one change after another.

use std::collections::VecDeque;

use crate::bug::Bug;

/// What may not leave yet, behind the changes that it may show.
///
/// Its equality and its hash are of the state: two barriers are equal when the same waits behind
/// the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Barrier<T> {
    /// How many changes there were, and how many of them are durable.
    noted: u64,
    durable: u64,
    /// How many will be when the commit under way ends.
    committing: Option<u64>,
    /// What waits, oldest first, with how many changes have to be durable before it leaves.
    held: VecDeque<(u64, T)>,
    /// The planted bug [`Bug::AckBeforeSync`]: nothing waits.
    holds_nothing: bool,
}

impl<T> Barrier<T> {
    /// The barrier of a replica without changes, with the bug that is planted in it, if any.
    #[must_use]
    pub fn new(bug: Option<Bug>) -> Self {
        Self {
            noted: 0,
            durable: 0,
            committing: None,
            held: VecDeque::new(),
            holds_nothing: bug == Some(Bug::AckBeforeSync),
        }
    }

    /// The replica has made so many more changes.
    pub const fn note(&mut self, changes: u64) {
        self.noted += changes;
    }

    /// Whether every change is durable.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.durable == self.noted
    }

    /// Whether what would leave now has to wait: hand it to [`Barrier::hold`] then.
    #[must_use]
    pub const fn holds(&self) -> bool {
        !self.is_durable() && !self.holds_nothing
    }

    /// Keeps `what` back until every change that was noted by now is durable. What bounds the queue
    /// is its owner's: what may be thrown away differs.
    pub fn hold(&mut self, what: T) {
        self.held.push_back((self.noted, what));
    }

    /// Begins a commit of all that was noted, if one is needed and none is under way. Whether it
    /// began.
    pub const fn begin_commit(&mut self) -> bool {
        let begins = self.committing.is_none() && !self.is_durable();
        if begins {
            self.committing = Some(self.noted);
        }
        begins
    }

    /// The commit under way has ended well: what was noted before it began is durable. Returns how
    /// many changes that made durable.
    ///
    /// # Panics
    /// When no commit was under way.
    pub const fn end_commit(&mut self) -> u64 {
        let durable = self.committing.take().expect("a commit was under way");
        let newly = durable - self.durable;
        self.durable = durable;
        newly
    }

    /// One more change is durable, the oldest that was not.
    ///
    /// # Panics
    /// When every change is.
    pub fn advance(&mut self) {
        assert!(!self.is_durable(), "a change was not durable");
        self.durable += 1;
    }

    /// Everything that was noted is durable at once.
    pub const fn sync_at_once(&mut self) {
        self.durable = self.noted;
    }

    /// The next thing that may leave now.
    pub fn release(&mut self) -> Option<T> {
        self.held
            .pop_front_if(|(until, _)| *until <= self.durable)
            .map(|(_, what)| what)
    }

    /// How many changes are durable.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// How many changes there were.
    #[must_use]
    pub const fn noted(&self) -> u64 {
        self.noted
    }

    /// The process ends: so many changes are left, which are all durable from now on. The commit
    /// under way never ends, and nothing that waited will leave: it is handed over.
    ///
    /// # Panics
    /// When less is left than was durable, or more than was noted.
    pub fn crash(&mut self, left: u64) -> impl Iterator<Item = T> + '_ {
        assert!(
            (self.durable..=self.noted).contains(&left),
            "what is durable stays, and what was never noted does not come back"
        );
        self.noted = left;
        self.durable = left;
        self.committing = None;
        self.held.drain(..).map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(barrier: &mut Barrier<char>) -> String {
        std::iter::from_fn(|| barrier.release()).collect()
    }

    #[test]
    fn what_leaves_waits_for_the_commit_that_began_after_its_changes() {
        let mut barrier = Barrier::new(None);
        assert!(!barrier.holds() && !barrier.begin_commit(), "no change yet");
        barrier.note(1);
        barrier.hold('a');
        assert!(barrier.begin_commit());
        barrier.note(1);
        barrier.hold('b');
        assert!(!barrier.begin_commit(), "one at a time");
        assert_eq!(released(&mut barrier), "", "nothing is durable");
        assert_eq!(barrier.end_commit(), 1);
        assert_eq!(
            released(&mut barrier),
            "a",
            "the second change is not durable"
        );
        assert!(barrier.holds() && barrier.begin_commit());
        assert_eq!(barrier.end_commit(), 1);
        assert_eq!(released(&mut barrier), "b");
        assert!(!barrier.holds() && !barrier.begin_commit());
    }

    #[test]
    fn changes_become_durable_one_by_one_and_each_lets_leave_what_it_held_back() {
        let mut barrier = Barrier::new(None);
        for what in ['a', 'b'] {
            barrier.note(1);
            barrier.hold(what);
        }
        barrier.advance();
        assert_eq!(released(&mut barrier), "a");
        barrier.advance();
        assert_eq!(released(&mut barrier), "b");
    }

    #[test]
    fn a_get_waits_for_the_put_before_it_though_it_changes_nothing() {
        let mut barrier = Barrier::new(None);
        barrier.note(2);
        barrier.hold('g');
        barrier.advance();
        assert_eq!(released(&mut barrier), "");
        barrier.sync_at_once();
        assert_eq!(released(&mut barrier), "g");
    }

    #[test]
    fn a_crash_leaves_what_was_durable_and_nothing_that_waited_leaves_any_more() {
        let mut barrier = Barrier::new(None);
        barrier.note(1);
        barrier.sync_at_once();
        barrier.note(2);
        barrier.hold('a');
        assert!(barrier.begin_commit());
        assert_eq!(barrier.crash(2).collect::<String>(), "a");
        assert_eq!((barrier.noted(), barrier.durable()), (2, 2));
        assert_eq!(released(&mut barrier), "");
        barrier.note(1);
        assert!(barrier.begin_commit(), "the commit before has never ended");
    }

    #[test]
    #[should_panic(expected = "what is durable stays")]
    fn a_crash_that_takes_a_durable_change_is_a_mistake() {
        let mut barrier = Barrier::<char>::new(None);
        barrier.note(1);
        barrier.sync_at_once();
        let _ = barrier.crash(0).count();
    }

    #[test]
    fn the_planted_bug_lets_a_put_be_acknowledged_before_it_is_durable() {
        let mut barrier = Barrier::<char>::new(Some(Bug::AckBeforeSync));
        barrier.note(1);
        assert!(!barrier.holds());
        assert!(!barrier.is_durable(), "and a crash may take it");
        let mut other = Barrier::<char>::new(Some(Bug::NoRepair));
        other.note(1);
        assert!(other.holds(), "another bug leaves the rule alone");
    }
}
