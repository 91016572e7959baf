//! The load: connections that each send the next request when the last one is answered.
//!
//! One thread drives them all and does little per request: one write of bytes made before, one read,
//! one look at the status. It costs the same whoever answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::bodies::Pool;
use super::process::processor_seconds;
use super::table::{count, quantile};

/// How many connections there are where nothing else is said.
pub const CONNECTIONS: usize = 64;
/// The longest answer that is looked for; answers here have no body.
const ANSWER_BYTES: usize = 2048;

/// What a round of load came to.
#[derive(Clone, Copy)]
pub struct Round {
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers came faster.
    pub p50: Duration,
    /// All but a hundredth of the answers came faster.
    pub p99: Duration,
    /// Microseconds of processor time a request, load and server together.
    pub processor_us: f64,
}

/// Loads `address` with requests of `pool`, and measures from the end of the warm-up on.
pub fn round(
    address: SocketAddr,
    pool: &Arc<Pool>,
    connections: usize,
    warm_up: Duration,
    length: Duration,
) -> anyhow::Result<Round> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begin = Instant::now() + warm_up;
        let until = begin + length;
        let next = Arc::new(AtomicUsize::new(0));
        let mut all = JoinSet::new();
        for _ in 0..connections {
            all.spawn(connection(address, pool.clone(), next.clone(), begin, until));
        }
        tokio::time::sleep_until(begin.into()).await;
        let processor = processor_seconds()?;
        tokio::time::sleep_until(until.into()).await;
        let processor = processor_seconds()? - processor;
        let mut times = Vec::new();
        while let Some(done) = all.join_next().await {
            times.append(&mut done.context("a connection's task failed")??);
        }
        times.sort();
        let requests = count(times.len() as u64);
        Ok(Round {
            per_second: requests / length.as_secs_f64(),
            p50: quantile(&times, 0.5),
            p99: quantile(&times, 0.99),
            processor_us: processor * 1e6 / requests.max(1.0),
        })
    })
}

async fn connection(
    address: SocketAddr,
    pool: Arc<Pool>,
    next: Arc<AtomicUsize>,
    begin: Instant,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut times = Vec::with_capacity(1 << 14);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed) % pool.requests.len().max(1);
        let request = pool.requests.get(number).context("there is no request to send")?;
        let sent = Instant::now();
        stream.write_all(request).await.context("cannot send")?;
        answered(&mut stream).await?;
        let answered = Instant::now();
        if answered >= until {
            return Ok(times);
        }
        if answered >= begin {
            times.push(answered - sent);
        }
    }
}

/// Reads an answer without a body; anything but 200 is an error.
async fn answered(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut answer = [0; ANSWER_BYTES];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut answer[length..]).await.context("cannot read the answer")?;
        if read == 0 {
            bail!("the answer ended early: {}", String::from_utf8_lossy(&answer[..length]));
        }
        length += read;
    }
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("refused: {}", String::from_utf8_lossy(&answer[..length]));
    }
    Ok(())
}
