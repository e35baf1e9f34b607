//! Ctrl-C, and a polite request to end: the run stops its load, saves what it has, and ends. A
//! second one ends the program at once; the nodes notice that their control channel closes.

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
        tokio::task::spawn_local(async move {
            let (mut interrupt, mut terminate) = (interrupt, terminate);
            either(&mut interrupt, &mut terminate).await;
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
