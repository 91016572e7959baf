//! The end of an instance: by a signal, with every request under way answered, within ten seconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// When the process ends whatever is still under way: everything acknowledged is in the log.
const HARD_LIMIT: Duration = Duration::from_secs(9);

/// Whether the process is about to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// SIGTERM and SIGINT, which end the process by themselves until somebody listens.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> anyhow::Result<Self> {
        let open = |kind| listen(kind).context("cannot listen for signals");
        let (terminate, interrupt) =
            (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Resolves on the first signal. A second one ends the process at once.
pub async fn told(signals: &mut Signals) -> anyhow::Result<()> {
    signals.next().await;
    let mut second = Signals::listen()?;
    tracing::info!("stopping: finishing what is under way");
    ENDING.store(true, Ordering::Release);
    thread::spawn(|| {
        thread::sleep(HARD_LIMIT);
        tracing::warn!("the end took too long; the next start folds what is left");
        std::process::exit(0);
    });
    actix_web::rt::spawn(async move {
        second.next().await;
        tracing::warn!("stopped at once; the next start folds what is left");
        std::process::exit(1);
    });
    Ok(())
}

/// While the process ends, each answer is the last one of its connection, so that busy connections
/// end between two requests and not in one.
pub async fn last_answer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    if ENDING.load(Ordering::Acquire) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
