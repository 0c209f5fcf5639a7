use std::io;
use std::time::{Duration, SystemTime};

use super::*;

/// Answers with the status that the path says.
fn failing(headers: &'static str) -> Server {
    Server::new(move |received| {
        let path = received.target.split('?').next().unwrap();
        answer(&format!("{} x", &path[1..]), headers, "the reason")
    })
}

#[test]
fn statuses_have_kinds() {
    let server = failing("");
    let http = local();
    for (status, kind) in [
        (400, ErrorKind::ExecutionError),
        (401, ErrorKind::CredentialMissing),
        (403, ErrorKind::ExecutionError),
        (404, ErrorKind::ExecutionError),
        (408, ErrorKind::Transient),
        (429, ErrorKind::Transient),
        (500, ErrorKind::ExecutionError),
        (501, ErrorKind::ExecutionError),
        (502, ErrorKind::Transient),
        (503, ErrorKind::Transient),
        (504, ErrorKind::Transient),
    ] {
        let url = server.url(&format!("/{status}"));
        let input = value!({"url": format!("{url}?token=s3cret")});
        let error = refused(&http, &input, kind, &format!("the status `{status}`"));
        assert_eq!(error.details().get("status"), Some(&status.into()));
        assert_eq!(error.details().get("url"), Some(&url.as_str().into()));
        assert_eq!(error.details().get("body"), Some(&"the reason".into()));
        assert_eq!(error.details().get("retry_after_ms"), None);
        assert!(!error.message().contains("s3cret"), "{error:?}");

        let input = value!({"url": url, "fail_on_status": false});
        let given = run(&http, &input).unwrap();
        assert_eq!(given.get("status"), Some(&status.into()));
        assert_eq!(given.get("body"), Some(&"the reason".into()));
    }
    // Who said who asks misses nothing.
    let input = value!({"url": server.url("/401"), "headers": {"authorization": "wrong"}});
    let error = refused(&http, &input, ErrorKind::ExecutionError, "the status `401`");
    assert!(!format!("{error:?}").contains("wrong"));
}

#[test]
fn a_server_says_when_to_come_back() {
    let server = failing("retry-after: 7\r\n");
    let http = local();
    for status in [408, 429, 502, 503, 504] {
        let input = value!({"url": server.url(&format!("/{status}"))});
        let error = refused(&http, &input, ErrorKind::Transient, "try again later");
        assert_eq!(error.details().get("retry_after_ms"), Some(&7_000.into()));
    }
    let date = SystemTime::now() + Duration::from_secs(3_600);
    let date = httpdate::fmt_http_date(date);
    let server = Server::new(move |_| answer("503 x", &format!("Retry-After: {date}\r\n"), ""));
    let input = value!({"url": server.url("/")});
    let error = refused(&http, &input, ErrorKind::Transient, "try again later");
    let wait = error
        .details()
        .get("retry_after_ms")
        .and_then(Value::as_u64);
    assert!(
        wait.is_some_and(|wait| (1..=3_600_000).contains(&wait)),
        "{wait:?}"
    );
}

#[test]
fn what_cannot_be_connected_to_may_be_later() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    for method in ["GET", "POST"] {
        let input = value!({"method": method, "url": format!("http://{address}/")});
        refused(
            &local(),
            &input,
            ErrorKind::Transient,
            "cannot be connected to now",
        );
    }
    let mut http = local();
    http.lookup = Arc::new(|_, _| Err(io::ErrorKind::NotFound.into()));
    let input = value!({"url": "http://absent.test/"});
    refused(&http, &input, ErrorKind::Transient, "has no address now");
    http.lookup = Arc::new(|_, _| Ok(Vec::new()));
    refused(&http, &input, ErrorKind::Transient, "has no address now");
}

#[test]
fn a_connection_that_breaks_is_tried_again_only_where_that_does_no_harm() {
    for sent in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"] {
        let server = Server::with(|_, stream| {
            let _ = stream.write_all(sent.as_bytes());
        });
        for method in ["GET", "PUT", "DELETE"] {
            let input = value!({"method": method, "url": server.url("/")});
            refused(&local(), &input, ErrorKind::Transient, "broke; try again");
        }
        for method in ["POST", "PATCH"] {
            let input = value!({"method": method, "url": server.url("/")});
            let reason = "the request may have been carried out";
            refused(&local(), &input, ErrorKind::ExecutionError, reason);
        }
    }
}

#[test]
fn what_is_no_http_or_tls_is_said_to_be() {
    let server = Server::new(|_| "SSH-2.0-x\r\n\r\n".to_owned());
    let input = value!({"url": server.url("/")});
    refused(
        &local(),
        &input,
        ErrorKind::ExecutionError,
        "does not answer as HTTP/1.1 has it",
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        // What TLS begins a handshake with.
        assert_eq!(hello[0], 22);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let reason = "no secure connection to";
    refused(
        &local(),
        &value!({"url": url}),
        ErrorKind::ExecutionError,
        reason,
    );
    thread.join().unwrap();
}

#[test]
fn addresses_that_are_wrong_are_the_callers() {
    for url in [
        "file:///etc/passwd",
        "http://u:p4ss@a.test/",
        "http://",
        "x",
    ] {
        let error = refused(
            &local(),
            &value!({"url": url}),
            ErrorKind::InvalidParameters,
            "the url",
        );
        assert!(!format!("{error:?} {:?}", error.details()).contains("p4ss"));
    }
}
