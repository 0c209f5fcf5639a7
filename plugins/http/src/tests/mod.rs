//! `http.request` as a host calls it, against a server of this process's own.

mod errors;
mod limits;
mod policy;
mod readme;
mod redirects;
mod requests;
mod secure;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use floe_plugin_api::{
    CallOptions, Error, ErrorKind, Executor, HostRef, Plugin, Result, Value, value,
};

use crate::request::request;
use crate::{Config, Http};

fn start(config: &Value) -> Result<Http> {
    Http::start(config.to_typed::<Config>()?, HostRef::unconnected())
}

/// A plugin that may reach this machine, as the servers here are on it.
fn local() -> Http {
    start(&value!({"allow_private": true})).unwrap()
}

fn run(http: &Http, input: &Value) -> Result<Value> {
    request.execute(http, input, &CallOptions::new().context())
}

#[track_caller]
fn refused(http: &Http, input: &Value, kind: ErrorKind, reason: &str) -> Error {
    let error = run(http, input).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(format!("{error:?}").contains(reason), "{error:?}");
    error
}

/// A request as the server sees it.
#[derive(Clone, Debug)]
struct Received {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::<String, String>::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            let known = headers.entry(name.to_ascii_lowercase()).or_default();
            known.push_str(value);
            known.push(';');
        }
        let length = headers.get("content-length");
        let length = length.map_or(0, |text| text.trim_end_matches(';').parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self {
            method,
            target,
            headers,
            body,
        })
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.trim_end_matches(';'))
    }
}

/// A server that answers as it is told, one connection after another, until it is dropped.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// What is answered to each request.
    fn new(answer: impl Fn(&Received) -> String + Send + 'static) -> Self {
        Self::with(move |received, stream| {
            let _ = stream.write_all(answer(received).as_bytes());
        })
    }

    /// What is done with each request.
    fn with(act: impl Fn(&Received, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let over = Arc::new(AtomicBool::new(false));
        let (all, ended) = (Arc::clone(&received), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let mut stream = stream.unwrap();
                if let Some(received) = Received::read(&stream) {
                    all.lock().unwrap().push(received.clone());
                    act(&received, &mut stream);
                }
            }
        });
        Self {
            address,
            received,
            over,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    fn last(&self) -> Received {
        self.received().pop().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // It waits for a connection, and sees that it was the last.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer with a body.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}
