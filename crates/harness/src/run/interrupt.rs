//! Ctrl-C, a polite request to end, and a terminal that is gone: the run stops its load, saves what
//! it has, and ends. A second Ctrl-C or request ends the program at once; the nodes notice that
//! their control channel closes.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The exit status of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Whether the user has asked the run to end.
#[derive(Clone, Debug)]
pub(super) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on, on the current runtime.
    pub(super) fn listen() -> std::io::Result<Self> {
        let (tell, asked) = watch::channel(false);
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        // Under nohup the program goes on without its terminal.
        let hang_up = if is_ignored(SignalKind::hangup()) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        tokio::task::spawn_local(async move {
            let (mut interrupt, mut terminate) = (interrupt, terminate);
            tokio::select! {
                () = either(&mut interrupt, &mut terminate) => {}
                () = hung_up(hang_up) => {}
            }
            // The run may be over already: then nobody listens.
            let _ = tell.send(true);
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(INTERRUPTED);
        });
        Ok(Self { asked })
    }

    /// Whether it was asked.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once it is asked.
    pub(super) async fn asked(&self) {
        let mut asked = self.asked.clone();
        // The listener lives as long as the runtime, so that the channel does not close first.
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Returns once the terminal is gone. The shell and the kernel may both say so: only the first is
/// waited for, so that the
/// second, which goes on being caught, does not end the program before it has saved what it has.
async fn hung_up(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started the program told it to ignore the signal.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
