use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use floe_plugin_api::Cancellation;

use super::*;

/// A server that says what it was asked, sends something, and then waits until the sender is dropped.
fn holding(sent: &'static str) -> (Server, Receiver<()>, Sender<()>) {
    let (asked, was_asked) = channel();
    let (release, released) = channel::<()>();
    let server = Server::with(move |_, stream| {
        stream.write_all(sent.as_bytes()).unwrap();
        asked.send(()).unwrap();
        let _ = released.recv();
    });
    (server, was_asked, release)
}

const NOTHING: &str = "";
const SOME: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";

#[test]
fn a_body_is_bounded() {
    let server = Server::new(|received| {
        match received.target.as_str() {
        "/said" => ok("12345"),
        "/chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\n12345\r\n0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n12345".to_owned(),
    }
    });
    let http = start(&value!({"allow_private": true, "max_bytes": 5})).unwrap();
    for path in ["/said", "/chunked", "/open"] {
        let url = server.url(path);
        run(&http, &value!({"url": url.as_str(), "max_bytes": 5})).unwrap();
        let input = value!({"url": url.as_str(), "max_bytes": 4});
        let error = refused(
            &http,
            &input,
            ErrorKind::ResourceExhausted,
            "longer than `4` bytes",
        );
        assert_eq!(error.details().get("max_bytes"), Some(&4.into()));
    }
    let long = Server::new(|_| ok("123456"));
    // A caller may ask for less than is configured, not for more.
    let input = value!({"url": long.url("/"), "max_bytes": 1_000});
    refused(
        &http,
        &input,
        ErrorKind::ResourceExhausted,
        "longer than `5` bytes",
    );
    let input = value!({"method": "POST", "url": long.url("/"), "body": {"text": "123456"}});
    refused(
        &http,
        &input,
        ErrorKind::ResourceExhausted,
        "the body is `6` bytes long",
    );
}

#[test]
fn headers_of_an_answer_are_bounded() {
    let server = Server::new(|_| answer("200 OK", &format!("x: {}\r\n", "y".repeat(100_000)), ""));
    let input = value!({"url": server.url("/")});
    refused(
        &local(),
        &input,
        ErrorKind::ResourceExhausted,
        "more than `65536` bytes of headers",
    );
    let server = Server::new(|_| answer("200 OK", &"x: y\r\n".repeat(200), ""));
    let input = value!({"url": server.url("/")});
    refused(
        &local(),
        &input,
        ErrorKind::ExecutionError,
        "too many headers",
    );
}

#[test]
fn an_answer_that_does_not_come_in_time_is_not_waited_for() {
    for sent in [NOTHING, SOME] {
        let (server, _asked, release) = holding(sent);
        let input = value!({"url": server.url("/"), "timeout_ms": 100});
        let reason = "has not answered within `100` ms";
        refused(&local(), &input, ErrorKind::ExecutionTimeout, reason);
        drop(release);
    }
    // The call's own deadline holds, whatever is asked for.
    let (server, _asked, release) = holding(SOME);
    let options = CallOptions::new().timeout(Duration::from_millis(100));
    let input = value!({"url": server.url("/"), "timeout_ms": 1_000_000});
    let error = request
        .execute(&local(), &input, &options.context())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ExecutionTimeout, "{error:?}");
    drop(release);
}

#[test]
fn a_look_up_that_does_not_end_is_not_waited_for() {
    let mut http = local();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    http.lookup = Arc::new(move |_, _| {
        let _ = released.lock().unwrap().recv();
        Ok(Vec::new())
    });
    let input = value!({"url": "http://slow.test/", "timeout_ms": 100});
    refused(
        &http,
        &input,
        ErrorKind::ExecutionTimeout,
        "within `100` ms",
    );
    drop(release);
}

#[test]
fn a_call_that_is_cancelled_ends_while_it_waits() {
    for sent in [NOTHING, SOME] {
        let (server, asked, release) = holding(sent);
        let cancellation = Cancellation::new();
        let options = CallOptions::new().cancellation(cancellation.clone());
        let input = value!({"url": server.url("/")});
        std::thread::scope(|scope| {
            let cancellation = &cancellation;
            scope.spawn(move || {
                asked.recv().unwrap();
                cancellation.cancel();
            });
            let error = request
                .execute(&local(), &input, &options.context())
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
        });
        drop(release);
    }
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = CallOptions::new().cancellation(cancellation);
    let server = Server::new(|_| ok(""));
    let input = value!({"url": server.url("/")});
    let error = request
        .execute(&local(), &input, &options.context())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(server.received().is_empty());
}
