//! The two listeners: bound before anything else, so that a busy port is found out first.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, rt};
use anyhow::Context as _;
use common::config::Config;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

use super::Services;
use super::stop::{self, last_answer};
use crate::admin_routes;

/// Threads of the admin listener, which answers people and scrapers.
const ADMIN_WORKERS: usize = 2;
/// Connections that may wait to be accepted.
const WAITING_CONNECTIONS: u32 = 1024;
/// How long requests under way may take once the instance is to end; a webhook's own limit is 4 s.
const PUBLIC_GRACE_SECONDS: u64 = 5;
/// The same for the admin listener, whose streams never end by themselves.
const ADMIN_GRACE_SECONDS: u64 = 1;

/// Bound, not yet serving.
pub struct Listeners {
    public: TcpListener,
    admin: TcpListener,
}

/// What to do where a configured port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortInUse {
    /// Say so and end.
    Refuse,
    /// Let the system choose another one.
    ChooseAnother,
}

/// Serving.
pub struct Servers {
    public: ServerHandle,
    admin: ServerHandle,
    ended: oneshot::Receiver<io::Error>,
}

impl Listeners {
    /// Binds the configured addresses.
    pub fn bind(config: &Config, in_use: PortInUse) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind("public.listen", config.public.listen, in_use)?,
            admin: bind("admin.listen", config.admin.listen, in_use)?,
        })
    }

    /// Where they are, public first.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.public.local_addr()?, self.admin.local_addr()?))
    }

    /// Starts to serve.
    pub(super) fn serve(self, services: &Services) -> anyhow::Result<Servers> {
        let cores = || thread::available_parallelism().map_or(2, usize::from);
        let workers = services.node.config.public.workers.unwrap_or_else(cores);
        let receiver = services.receiver.clone();
        let public = HttpServer::new(move || {
            let receiver = receiver.clone();
            App::new()
                .wrap(from_fn(last_answer))
                .configure(|config| ingest::receiver::configure(config, receiver))
        })
        .workers(workers)
        .tcp_nodelay(true)
        .client_disconnect_timeout(Duration::from_secs(1))
        .shutdown_timeout(PUBLIC_GRACE_SECONDS)
        .disable_signals()
        .listen(self.public)?
        .run();

        let (api, admin) = (services.api.clone(), services.admin.clone());
        let admin = HttpServer::new(move || {
            let (api, admin) = (api.clone(), admin.clone());
            App::new().wrap(from_fn(last_answer)).configure(|config| {
                aggregator::api::configure(config, api, |config| {
                    admin_routes::configure(config, admin);
                });
            })
        })
        .workers(ADMIN_WORKERS)
        .tcp_nodelay(true)
        .shutdown_timeout(ADMIN_GRACE_SECONDS)
        .disable_signals()
        .listen(self.admin)?
        .run();

        let handles = (public.handle(), admin.handle());
        let (end, ended) = oneshot::channel();
        rt::spawn(async move {
            let (public, admin) = tokio::join!(public, admin);
            if let Err(error) = public.and(admin) {
                // Whoever stopped the servers no longer listens.
                let _ = end.send(error);
            }
        });
        Ok(Servers { public: handles.0, admin: handles.1, ended })
    }
}

impl Servers {
    /// Resolves when the process is told to stop, or cannot go on.
    pub async fn until_stopped(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            stopped = stop::signal() => stopped,
            Ok(error) = &mut self.ended => Err(error).context("a listener ended"),
        }
    }

    /// Takes no more connections, finishes what is under way, and closes the listeners.
    pub async fn stop(&self) {
        tokio::join!(self.public.stop(true), self.admin.stop(true));
    }
}

fn bind(key: &str, listen: SocketAddr, in_use: PortInUse) -> anyhow::Result<TcpListener> {
    let bound = match listener(listen) {
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse && in_use == PortInUse::ChooseAnother =>
        {
            listener(SocketAddr::new(listen.ip(), 0))
        }
        other => other,
    };
    bound.with_context(|| {
        format!("cannot listen on {key} = {listen}; choose another address, or port 0 for any")
    })
}

/// The standard library's listener keeps 128 connections waiting, fewer than a sales day opens at
/// once; tokio's takes the number, but only where it runs.
fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _here = runtime.enter();
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(WAITING_CONNECTIONS)?.into_std()
}
