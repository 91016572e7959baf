//! Connections to Redis: a few that wait, more where more threads ask, none that once failed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::store::StoreError;
use redis::cluster::{ClusterClient, ClusterConnection};
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::io::tcp::TcpSettings;
use redis::{
    Client, Cmd, Connection, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError,
    RedisResult, TlsCertificates, Value, from_redis_value,
};

use super::access;
use super::options::{RedisOptions, Topology};

/// Connections kept open while nobody asks.
const IDLE: usize = 8;
/// How often the cluster's client follows a moved slot or waits for a new master.
const CLUSTER_RETRIES: u32 = 6;
/// How long it waits in between; who asks tries again later anyway.
const CLUSTER_WAIT_MS: (u64, u64) = (50, 1_000);

/// All connections of a store.
pub struct Links {
    target: Target,
    idle: Mutex<Vec<Link>>,
    timeout: Duration,
    place: String,
}

enum Target {
    Standalone(Client),
    Cluster(ClusterClient),
}

enum Link {
    Standalone(Connection),
    Cluster(Box<ClusterConnection>),
}

/// A master of the servers.
pub enum Master {
    /// The server that stands alone.
    Only,
    /// A node of a cluster, by host and port.
    Node(String, u16),
}

impl Links {
    /// Connects; finds out whether it is a cluster unless told.
    pub fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        let unusable = |error: &RedisError| StoreError::Engine {
            place: "Redis".to_owned(),
            message: format!("redis.url cannot be used: {error}"),
        };
        access::choose_cryptography();
        let tls = options.tls.as_ref().map(access::certificates);
        let client = |url: &String| {
            let server = url.as_str().into_connection_info()?.set_tcp_settings(tcp());
            match &tls {
                None => Client::open(server),
                Some(tls) => Client::build_with_tls(server, tls.clone()),
            }
        };
        let clients = options.urls.iter().map(client);
        let clients = clients.collect::<RedisResult<Vec<Client>>>();
        let clients = clients.map_err(|error| unusable(&error))?;
        let Some(first) = clients.first() else {
            let message = "redis.url is empty: use redis://HOST:PORT".to_owned();
            return Err(StoreError::Engine { place: "Redis".to_owned(), message });
        };
        let place = format!("Redis at {}", first.get_connection_info().addr());
        let cluster = match options.topology {
            Topology::Standalone => false,
            Topology::Cluster => true,
            Topology::Detect => is_cluster(&clients, options.timeout).map_err(|error| {
                let plain = tls.is_none() && error.is_connection_dropped();
                let hint = if plain { "; if TLS is spoken there, write rediss://" } else { "" };
                let message = format!("{}{hint}", access::explained(&error));
                StoreError::Engine { place: place.clone(), message }
            })?,
        };
        let target = if cluster {
            let nodes = clients.iter().map(|client| client.get_connection_info().clone());
            let client = cluster_client(nodes.collect(), tls, options.timeout);
            Target::Cluster(client.map_err(|error| unusable(&error))?)
        } else {
            Target::Standalone(first.clone())
        };
        Ok(Self { target, idle: Mutex::default(), timeout: options.timeout, place })
    }

    /// Where Redis is, without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The store's error for one of Redis.
    #[must_use]
    pub fn failed(&self, error: &RedisError) -> StoreError {
        StoreError::Engine { place: self.place.clone(), message: access::explained(error) }
    }

    /// Sends a command that may be repeated; a connection that was lost while it waited is replaced.
    pub fn read(&self, command: &Cmd) -> Result<Value, StoreError> {
        let waited = !self.lock().is_empty();
        let answer = match self.send(command) {
            Err(error) if waited && is_lost(&error) => self.send(command),
            answer => answer,
        };
        answer.map_err(|error| self.failed(&error))
    }

    /// Sends a command once. A lost answer means that it may have run.
    pub fn send(&self, command: &Cmd) -> RedisResult<Value> {
        self.with(|link| match link {
            Link::Standalone(connection) => command.query(connection),
            Link::Cluster(connection) => command.query(connection.as_mut()),
        })
    }

    /// Sends a command to every master; one answer each.
    pub fn send_to_all(&self, command: &Cmd) -> RedisResult<Vec<Value>> {
        let answer = self.with(|link| match link {
            Link::Standalone(connection) => command.query(connection).map(|one| vec![one]),
            Link::Cluster(connection) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let answers = connection.route_command(command, masters)?;
                let answers: Vec<(Value, Value)> = from_redis_value(answers)?;
                Ok(answers.into_iter().map(|(_, one)| one).collect())
            }
        });
        answer?.into_iter().map(Value::extract_error).collect()
    }

    /// Every master that holds keys.
    pub fn masters(&self) -> RedisResult<Vec<Master>> {
        self.with(|link| match link {
            Link::Standalone(_) => Ok(vec![Master::Only]),
            Link::Cluster(connection) => {
                let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let answers = connection.route_command(&redis::cmd("PING"), masters)?;
                let answers: Vec<(String, Value)> = from_redis_value(answers)?;
                let address = |answer: (String, Value)| {
                    let (host, port) = answer.0.rsplit_once(':')?;
                    Some(Master::Node(host.to_owned(), port.parse().ok()?))
                };
                Ok(answers.into_iter().filter_map(address).collect())
            }
        })
    }

    /// Sends a command to one master.
    pub fn send_to(&self, master: &Master, command: &Cmd) -> RedisResult<Value> {
        self.with(|link| match (link, master) {
            (Link::Cluster(connection), Master::Node(host, port)) => {
                let (host, port) = (host.clone(), *port);
                let node = SingleNodeRoutingInfo::ByAddress { host, port };
                connection.route_command(command, RoutingInfo::SingleNode(node))
            }
            (Link::Cluster(connection), Master::Only) => command.query(connection.as_mut()),
            (Link::Standalone(connection), Master::Only | Master::Node(..)) => {
                command.query(connection)
            }
        })
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Link) -> RedisResult<T>) -> RedisResult<T> {
        let idle = self.lock().pop();
        let mut link = match idle {
            Some(link) => link,
            None => self.connect()?,
        };
        let answer = ask(&mut link);
        match &answer {
            Err(error) if is_lost(error) => self.lock().clear(),
            Ok(_) | Err(_) => {
                let mut idle = self.lock();
                if idle.len() < IDLE {
                    idle.push(link);
                }
            }
        }
        answer
    }

    fn connect(&self) -> RedisResult<Link> {
        match &self.target {
            Target::Standalone(client) => connect(client, self.timeout).map(Link::Standalone),
            Target::Cluster(client) => {
                client.get_connection().map(|connection| Link::Cluster(Box::new(connection)))
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection is of no more use, and a command sent over it may or may not have run.
fn is_lost(error: &RedisError) -> bool {
    !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// A commit's last packet must not wait for the answer to those before it.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn connect(client: &Client, timeout: Duration) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    Ok(connection)
}

fn cluster_client(
    nodes: Vec<ConnectionInfo>,
    tls: Option<TlsCertificates>,
    timeout: Duration,
) -> RedisResult<ClusterClient> {
    // User and password are taken from the addresses and used for every node, as is TLS.
    let builder = ClusterClient::builder(nodes);
    let builder = match tls {
        Some(tls) => builder.certs(tls),
        None => builder,
    };
    builder
        .tcp_settings(tcp())
        .connection_timeout(timeout)
        .response_timeout(timeout)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_WAIT_MS.0)
        .max_retry_wait(CLUSTER_WAIT_MS.1)
        .build()
}

/// Asks the first node that answers; a server that does not let us ask counts as standing alone.
fn is_cluster(clients: &[Client], timeout: Duration) -> RedisResult<bool> {
    let mut last = Ok(false);
    for client in clients {
        let answer = connect(client, timeout).and_then(|mut connection| {
            redis::cmd("INFO").arg("cluster").query::<String>(&mut connection)
        });
        match answer {
            Ok(text) => return Ok(text.lines().any(|line| line.trim() == "cluster_enabled:1")),
            Err(error) if is_lost(&error) => last = Err(error),
            Err(_) => return Ok(false),
        }
    }
    last
}
