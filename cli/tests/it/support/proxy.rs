//! An address that stays while the server behind it is replaced.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// Passes connections on to whatever stands behind it; its threads end with the test.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    behind: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Stands in front of a port of this machine.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (behind, open) = (Arc::new(AtomicU16::new(port)), Arc::new(Mutex::new(Vec::new())));
        let (target, streams) = (behind.clone(), open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nobody behind it: the connection ends at once, as a refused one does.
                let server =
                    TcpStream::connect((Ipv4Addr::LOCALHOST, target.load(Ordering::SeqCst)));
                let Ok(server) = server else { continue };
                let copies =
                    [client.try_clone(), server.try_clone()].map(|one| one.expect("a copy"));
                let mut streams: std::sync::MutexGuard<'_, Vec<TcpStream>> =
                    streams.lock().expect("no panic");
                streams.extend(copies.iter().map(|one| one.try_clone().expect("a copy")));
                let [asks, answers] = copies;
                std::thread::spawn(move || pass(asks, server));
                std::thread::spawn(move || pass(answers, client));
            }
        });
        Self { port: own, behind, open }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on another port stands behind it; connections to the one before end.
    pub fn lead_to(&self, port: u16) {
        self.behind.store(port, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic").drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
