use floe_plugin_api::Bytes;

use super::*;

#[test]
fn an_answer_is_told_whole() {
    let server = Server::new(|_| answer("200 OK", "X-One: a\r\nx-one: b\r\n", "åre"));
    let given = run(&local(), &value!({"url": server.url("/a?b=c#d")})).unwrap();
    assert_eq!(given.get("status"), Some(&200.into()));
    assert_eq!(given.get("body"), Some(&"åre".into()));
    assert_eq!(given.get("size"), Some(&4.into()));
    assert_eq!(given.get("url"), Some(&server.url("/a?b=c").into()));
    assert_eq!(given.pointer("/headers/x-one"), Some(&value!(["a", "b"])));
    assert!(given.get("elapsed_ms").and_then(Value::as_u64).is_some());
    let received = server.last();
    assert_eq!((&*received.method, &*received.target), ("GET", "/a?b=c"));
    assert_eq!(
        received.header("user-agent"),
        concat!("floe/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(received.header("accept-encoding"), "identity");
    assert_eq!(received.header("host"), server.address.to_string());
}

#[test]
fn methods() {
    let server = Server::new(|received| {
        if received.method == "HEAD" {
            return "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n".to_owned();
        }
        ok(&received.method)
    });
    let http = local();
    for method in ["GET", "POST", "put", "Patch", "DELETE", "OPTIONS"] {
        let given = run(&http, &value!({"method": method, "url": server.url("/")})).unwrap();
        let upper = method.to_ascii_uppercase();
        assert_eq!(given.get("body"), Some(&upper.as_str().into()));
        let length = if ["POST", "PUT", "PATCH"].contains(&&*upper) {
            "0"
        } else {
            ""
        };
        assert_eq!(server.last().header("content-length"), length, "{method}");
    }
    let given = run(&http, &value!({"method": "HEAD", "url": server.url("/")})).unwrap();
    assert_eq!(given.get("body"), Some(&"".into()));
    assert_eq!(
        given.pointer("/headers/content-length/0"),
        Some(&"99".into())
    );

    let invalid = ErrorKind::InvalidParameters;
    for method in ["CONNECT", "TRACE", "", "GET /", "FOO"] {
        let input = value!({"method": method, "url": server.url("/")});
        refused(&http, &input, invalid, "expected one of `GET`");
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        let input = value!({"method": method, "url": server.url("/"), "body": {"text": "x"}});
        refused(&http, &input, invalid, "takes no `body`");
    }
}

#[test]
fn bodies() {
    let server = Server::new(|_| ok(""));
    let http = local();
    let check = |body: Value, sent: &[u8], content_type: &str| {
        for method in ["POST", "DELETE"] {
            let input = value!({"method": method, "url": server.url("/"), "body": body.clone()});
            run(&http, &input).unwrap();
            let received = server.last();
            assert_eq!(received.body, sent);
            assert_eq!(received.header("content-type"), content_type);
            assert_eq!(received.header("transfer-encoding"), "");
        }
    };
    check(
        value!({"text": "å"}),
        "å".as_bytes(),
        "text/plain; charset=utf-8",
    );
    check(
        value!({"json": {"a": [1, null]}}),
        br#"{"a":[1,null]}"#,
        "application/json",
    );
    let bytes = Value::Bytes(Bytes::from(&[0, 255][..]));
    check(
        value!({"bytes": bytes}),
        &[0, 255],
        "application/octet-stream",
    );
    check(
        value!({"bytes": [1, 2]}),
        &[1, 2],
        "application/octet-stream",
    );
    check(
        value!({"form": {"a b": "c&d", "n": [1, true]}}),
        b"a%20b=c%26d&n=1&n=true",
        "application/x-www-form-urlencoded",
    );
    let input = value!({
        "method": "PUT",
        "url": server.url("/"),
        "headers": {"Content-Type": "text/csv"},
        "body": {"text": "a,b"},
    });
    run(&http, &input).unwrap();
    assert_eq!(server.last().header("content-type"), "text/csv");
    let input = value!({"method": "PUT", "url": server.url("/"), "body": {"json": f64::NAN}});
    refused(
        &http,
        &input,
        ErrorKind::InvalidParameters,
        "`body.json` cannot be sent",
    );
}

#[test]
fn a_query_is_encoded() {
    let server = Server::new(|_| ok(""));
    let input = value!({"url": server.url("/?x=1"), "query": {"q": "a b&å", "n": [1, 2]}});
    run(&local(), &input).unwrap();
    assert_eq!(server.last().target, "/?x=1&q=a%20b%26%C3%A5&n=1&n=2");
}

#[test]
fn what_a_body_is_read_as() {
    let server = Server::new(|received| {
        match received.target.as_str() {
        "/json" => ok("\u{feff}{\"a\": 18446744073709551615}"),
        "/empty" => answer("204 No Content", "", ""),
        "/chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n".to_owned(),
        "/open" => "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end".to_owned(),
        _ => ok("{"),
    }
    });
    let http = local();
    let body = |path: &str, form: &str| {
        let given = run(&http, &value!({"url": server.url(path), "as": form})).unwrap();
        given.get("body").unwrap().clone()
    };
    assert_eq!(body("/json", "json"), value!({"a": u64::MAX}));
    assert_eq!(body("/empty", "json"), Value::Null);
    assert_eq!(body("/empty", "text"), "".into());
    assert_eq!(body("/chunked", "text"), "abc".into());
    assert_eq!(body("/open", "text"), "until the end".into());
    assert_eq!(body("/x", "bytes"), Value::Bytes(Bytes::from(&b"{"[..])));
    let input = value!({"url": server.url("/x"), "as": "json"});
    refused(
        &http,
        &input,
        ErrorKind::ExecutionError,
        "is not the JSON that it should be",
    );

    let latin1 = Server::with(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xe5");
    });
    let input = value!({"url": latin1.url("/")});
    refused(
        &http,
        &input,
        ErrorKind::ExecutionError,
        "set `as` to `bytes`",
    );
}

#[test]
fn headers_are_sent_and_those_that_frame_a_request_are_not() {
    let server = Server::new(|_| ok(""));
    let http = local();
    let input = value!({
        "url": server.url("/"),
        "headers": {"X-A": ["1", "2"], "User-Agent": "me", "accept": "text/csv"},
    });
    run(&http, &input).unwrap();
    let received = server.last();
    assert_eq!(received.header("x-a"), "1;2");
    assert_eq!(received.header("user-agent"), "me");
    assert_eq!(received.header("accept"), "text/csv");

    let many: String =
        (0..101).fold("{".to_owned(), |text, n| format!("{text}\"h{n}\":\"\",")) + "\"z\":\"\"}";
    for (headers, reason) in [
        (value!({"Host": "other"}), "is this plugin's affair"),
        (value!({"content-length": "5"}), "is this plugin's affair"),
        (
            value!({"Transfer-Encoding": "chunked"}),
            "is this plugin's affair",
        ),
        (value!({"a b": "x"}), "is no header's name"),
        (value!({"": "x"}), "is no header's name"),
        (value!({"a\r\nb": "x"}), "is no header's name"),
        (
            value!({"a": "x\r\nb: y"}),
            "something else than visible ASCII",
        ),
        (value!({"a": "å"}), "something else than visible ASCII"),
        (value!({"a": 1}), "is of type `integer`"),
        (
            value!({"a": "x".repeat(70_000)}),
            "more than `100` headers, or `65536` bytes",
        ),
        (Value::from_json(&many).unwrap(), "more than `100` headers"),
    ] {
        let input = value!({"url": server.url("/"), "headers": headers});
        refused(&http, &input, ErrorKind::InvalidParameters, reason);
    }
    assert_eq!(server.received().len(), 1);
}

#[test]
fn default_headers_are_secrets_that_need_hosts() {
    let server = Server::new(|_| ok(""));
    let http = start(&value!({
        "allow_private": true,
        "allow_hosts": ["127.0.0.1"],
        "default_headers": {"X-Api-Key": "k3y", "accept": "a/b"},
        "user_agent": "me/1",
    }))
    .unwrap();
    run(
        &http,
        &value!({"url": server.url("/"), "headers": {"Accept": "c/d"}}),
    )
    .unwrap();
    let received = server.last();
    assert_eq!(received.header("x-api-key"), "k3y");
    assert_eq!(received.header("accept"), "c/d");
    assert_eq!(received.header("user-agent"), "me/1");

    for (config, reason) in [
        (
            value!({"default_headers": {"x-api-key": "k3y"}}),
            "name in `allow_hosts` those that may have them",
        ),
        (
            value!({"allow_hosts": ["a"], "default_headers": {"host": "k3y"}}),
            "`default_headers.host` cannot be sent",
        ),
        (
            value!({"allow_hosts": ["a"], "default_headers": {"a": "k3y\n"}}),
            "`default_headers.a` cannot be sent",
        ),
        (value!({"user_agent": "a\nb"}), "`user_agent` is"),
        (
            value!({"allow_hosts": ["http://a/"]}),
            "`allow_hosts[0]` is `http://a/`",
        ),
        (value!({"deny_hosts": ["a", "*"]}), "`deny_hosts[1]` is `*`"),
    ] {
        let error = start(&config).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
        assert!(error.message().contains(reason), "{error:?}");
        assert!(!format!("{error:?}").contains("k3y"), "{error:?}");
    }
}
