//! The timers of a node's replica.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kvs_core::replica::Timer;
use tokio::task::AbortHandle;

/// The timers that run: each has one task, which waits for it.
#[derive(Debug, Default)]
pub(super) struct Timers(RefCell<BTreeMap<Timer, AbortHandle>>);

impl Timers {
    /// Has `fire` called once, `delay_ms` from now; with 0, after what is ready by now. A timer
    /// that runs is set anew: what it was to call before is not called.
    pub(super) fn arm(self: &Rc<Self>, timer: Timer, delay_ms: u64, fire: impl FnOnce() + 'static) {
        let timers = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            if delay_ms == 0 {
                // After the answers are on their way, and together with what else has come.
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            }
            timers.0.borrow_mut().remove(&timer);
            fire();
        });
        let before = self.0.borrow_mut().insert(timer, task.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use kvs_core::replica::GossipTimer;
    use tokio::sync::mpsc;
    use tokio::task::LocalSet;

    use super::*;

    const DEFERRAL: Timer = Timer::Gossip(GossipTimer::Deferral);
    const RUMOUR: Timer = Timer::Gossip(GossipTimer::Rumour);
    /// Longer than the test takes.
    const FOR_EVER_MS: u64 = 3_600_000;

    #[tokio::test]
    async fn a_timer_that_is_set_again_fires_once_and_as_it_was_set_last() {
        let local = LocalSet::new();
        let fired = local.run_until(async {
            let timers = Rc::<Timers>::default();
            let (tell, mut told) = mpsc::unbounded_channel();
            let arm = |timer, delay_ms, name| {
                let tell = tell.clone();
                timers.arm(timer, delay_ms, move || tell.send(name).unwrap());
            };
            arm(DEFERRAL, FOR_EVER_MS, "long");
            arm(RUMOUR, 0, "other");
            arm(DEFERRAL, 1, "short");
            arm(DEFERRAL, 2, "last");
            drop(tell);
            let mut fired = Vec::new();
            // It ends when nobody can fire any more: those that were set before are gone.
            while let Some(name) = told.recv().await {
                fired.push(name);
            }
            (fired, timers.0.borrow().len())
        });
        assert_eq!(fired.await, (vec!["other", "last"], 0));
    }
}
