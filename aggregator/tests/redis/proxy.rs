//! A proxy in front of a server that can swallow the next answer and hang up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The proxy; its threads end with the connections they serve, at the latest with the test.
pub struct Proxy {
    port: u16,
    swallow: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands in front of the server at `port`.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let swallow = Arc::new(AtomicBool::new(false));
        let swallowing = swallow.clone();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
                let (asks, answers) = (client.try_clone(), server.try_clone());
                let swallowing = swallowing.clone();
                std::thread::spawn(move || pass(asks.expect("a stream"), server, None));
                std::thread::spawn(move || {
                    pass(answers.expect("a stream"), client, Some(&swallowing));
                });
            }
        });
        Self { port: own, swallow }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The next answer never arrives: the connection ends in its place.
    pub fn swallow_next(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, swallow: Option<&AtomicBool>) {
    let mut bytes = [0; 16_384];
    while let Ok(length) = from.read(&mut bytes) {
        let ended =
            length == 0 || swallow.is_some_and(|swallow| swallow.swap(false, Ordering::SeqCst));
        if ended || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
