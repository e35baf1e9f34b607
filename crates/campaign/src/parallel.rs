//! Work that many threads share: seeds, which have nothing to do with one another.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

/// Does `work` for every number of a range, `jobs` at a time, and returns what came of each, in
/// their order. `tell` hears of each when it is done.
///
/// # Panics
/// When `work` does.
pub fn each<T: Send>(
    numbers: Range<u64>,
    jobs: NonZero<usize>,
    work: impl Fn(u64) -> T + Sync,
    mut tell: impl FnMut(&T),
) -> Vec<T> {
    let next = AtomicU64::new(numbers.start);
    let (send, receive) = channel();
    let mut done: Vec<(u64, T)> = std::thread::scope(|scope| {
        for _ in 0..jobs.get() {
            let (send, next, work, end) = (send.clone(), &next, &work, numbers.end);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end || send.send((number, work(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        receive.into_iter().inspect(|(_, one)| tell(one)).collect()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, one)| one).collect()
}

/// How many of them run at once: as many as there are cores unless told.
#[must_use]
pub fn jobs(told: Option<NonZero<usize>>) -> NonZero<usize> {
    told.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN))
}
