//! The two listeners: bound before anything else, so that a busy port is found out first.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer, rt};
use anyhow::Context as _;
use common::config::Config;
use futures_util::future::{join_all, try_join_all};
use ingest::receiver::Receiver;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

use super::stop::{self, Signals, last_answer};

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
    /// Only where webhooks are received.
    public: Option<TcpListener>,
    admin: TcpListener,
}

/// What the listeners answer with.
pub(super) struct Answering<A> {
    /// Takes webhooks.
    pub receiver: Option<Data<Receiver>>,
    /// Threads of the public listener; as many as there are cores unless it says so.
    pub workers: Option<usize>,
    /// Adds the routes of the admin listener.
    pub admin: A,
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
    handles: Vec<ServerHandle>,
    ended: oneshot::Receiver<io::Error>,
    signals: Signals,
}

impl Listeners {
    /// Binds the configured addresses of a process that receives webhooks.
    pub fn bind(config: &Config, in_use: PortInUse) -> anyhow::Result<Self> {
        Ok(Self {
            public: Some(bind("public.listen", config.public.listen, in_use)?),
            admin: bind("admin.listen", config.admin.listen, in_use)?,
        })
    }

    /// Binds the configured address of a process that receives none.
    pub fn bind_admin(config: &Config) -> anyhow::Result<Self> {
        let admin = bind("admin.listen", config.admin.listen, PortInUse::Refuse)?;
        Ok(Self { public: None, admin })
    }

    /// Where webhooks are received.
    pub fn public(&self) -> io::Result<Option<SocketAddr>> {
        self.public.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Where the admin listener is.
    pub fn admin(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Starts to serve.
    pub(super) fn serve<A>(self, answering: Answering<A>) -> anyhow::Result<Servers>
    where
        A: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let mut servers = Vec::new();
        if let (Some(listener), Some(receiver)) = (self.public, answering.receiver) {
            let cores = || thread::available_parallelism().map_or(2, usize::from);
            let workers = answering.workers.unwrap_or_else(cores);
            servers.push(public(listener, receiver, workers)?);
        }
        let routes = answering.admin;
        let admin = HttpServer::new(move || {
            let routes = routes.clone();
            App::new().wrap(from_fn(last_answer)).configure(|config| routes(config))
        })
        .workers(ADMIN_WORKERS)
        .tcp_nodelay(true)
        .shutdown_timeout(ADMIN_GRACE_SECONDS)
        .disable_signals()
        .listen(self.admin)?
        .run();
        servers.push(admin);

        let handles = servers.iter().map(Server::handle).collect();
        let (end, ended) = oneshot::channel();
        rt::spawn(async move {
            if let Err(error) = try_join_all(servers).await {
                // Whoever stopped the servers no longer listens.
                let _ = end.send(error);
            }
        });
        // Before anybody is told the addresses: who is, may stop the process at once.
        let signals = Signals::listen()?;
        Ok(Servers { handles, ended, signals })
    }
}

fn public(
    listener: TcpListener,
    receiver: Data<Receiver>,
    workers: usize,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
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
    .listen(listener)?;
    Ok(server.run())
}

impl Servers {
    /// Resolves when the process is told to stop, or cannot go on.
    pub async fn until_stopped(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            stopped = stop::told(&mut self.signals) => stopped,
            Ok(error) = &mut self.ended => Err(error).context("a listener ended"),
        }
    }

    /// Takes no more connections, finishes what is under way, and closes the listeners.
    pub async fn stop(&self) {
        join_all(self.handles.iter().map(|server| server.stop(true))).await;
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
