//! A timer that is exact to some tens of microseconds. The runtime's own timers are exact to a
//! millisecond, which would be the largest part of an open loop's latency on one machine.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// A kernel timer on the monotonic clock.
#[derive(Debug)]
pub(super) struct Timer {
    fd: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set.
    #[expect(
        deprecated,
        reason = "an `OwnedFd` keeps its file open, so this is sound; the replacement is `unsafe`"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            fd: AsyncFd::new(fd)?,
        })
    }

    /// Returns after `duration_ns` nanoseconds. Only the latest call counts.
    pub(super) async fn sleep(&self, duration_ns: u64) -> io::Result<()> {
        if duration_ns == 0 {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let after = Timespec {
            tv_sec: (duration_ns / NS_PER_SECOND) as i64,
            tv_nsec: (duration_ns % NS_PER_SECOND) as i64,
        };
        let setting = Itimerspec {
            it_interval: once,
            it_value: after,
        };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
        loop {
            let mut ready = self.fd.readable().await?;
            let mut expirations = [0; 8];
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut expirations)?));
            match read {
                Ok(outcome) => return outcome.map(|_| ()),
                // The readiness is spurious, or of a setting that was replaced: wait again.
                Err(_) => continue,
            }
        }
    }
}
