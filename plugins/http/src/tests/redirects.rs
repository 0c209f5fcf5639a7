use super::*;

/// Answers with the status and place that the path says: `/302/next`.
fn redirecting() -> Server {
    Server::new(|received| {
        let mut parts = received.target.splitn(3, '/').skip(1);
        match (parts.next(), parts.next()) {
            (Some(status), Some(next)) if status.parse::<u16>().is_ok() => {
                let next = next.replace('~', "/");
                answer(
                    &format!("{status} x"),
                    &format!("location: {next}\r\n"),
                    "moved",
                )
            }
            _ => ok("there"),
        }
    })
}

#[test]
fn redirects_are_followed_and_change_the_method_as_they_say() {
    let server = redirecting();
    let http = local();
    for (status, method, becomes, keeps) in [
        (301, "POST", "GET", false),
        (302, "POST", "GET", false),
        (302, "PUT", "PUT", true),
        (303, "PUT", "GET", false),
        (303, "HEAD", "HEAD", false),
        (307, "POST", "POST", true),
        (308, "POST", "POST", true),
        (301, "GET", "GET", false),
    ] {
        let mut input = value!({
            "method": method,
            "url": server.url(&format!("/{status}/~there?x")),
            "headers": {"authorization": "a"},
        });
        if let (true, Value::Map(map)) = (matches!(method, "POST" | "PUT"), &mut input) {
            map.insert("body", value!({"text": "b"}));
        }
        let given = run(&http, &input).unwrap();
        assert_eq!(given.get("url"), Some(&server.url("/there?x").into()));
        let received = server.last();
        assert_eq!(received.method, becomes, "{status} {method}");
        assert_eq!(received.body == b"b", keeps, "{status} {method}");
        assert_eq!(received.header("content-type").is_empty(), !keeps);
        // It is the same server.
        assert_eq!(received.header("authorization"), "a");
    }
}

#[test]
fn only_so_many_are_followed() {
    let server = redirecting();
    let http = local();
    let url = server.url("/302/~302~~302~~there");
    run(&http, &value!({"url": url.as_str(), "redirects": 3})).unwrap();
    let round = Server::new(|_| answer("302 x", "location: /\r\n", ""));
    let input = value!({"url": round.url("/"), "redirects": 3});
    refused(
        &http,
        &input,
        ErrorKind::ExecutionError,
        "once more after `3` redirects",
    );
    assert_eq!(round.received().len(), 4);

    let given = run(&http, &value!({"url": url.as_str(), "redirects": 0})).unwrap();
    assert_eq!(given.get("status"), Some(&302.into()));
    assert_eq!(given.get("body"), Some(&"moved".into()));
    let given = run(&http, &value!({"url": server.url("/304/x")})).unwrap();
    assert_eq!(given.get("status"), Some(&304.into()));
}

#[test]
fn what_is_secret_does_not_go_to_another_server() {
    let other = redirecting();
    let place = other.url("/there").replace('/', "~");
    let server = redirecting();
    let http = start(&value!({
        "allow_private": true,
        "allow_hosts": ["127.0.0.1"],
        "default_headers": {"x-api-key": "k3y"},
    }))
    .unwrap();
    let input = value!({
        "url": server.url(&format!("/302/{place}")),
        "headers": {"authorization": "a", "cookie": "b", "x-own": "c"},
    });
    run(&http, &input).unwrap();
    let (first, second) = (server.last(), other.last());
    for (name, value) in [
        ("authorization", "a"),
        ("cookie", "b"),
        ("x-api-key", "k3y"),
    ] {
        assert_eq!(first.header(name), value);
        assert_eq!(second.header(name), "", "{name}");
    }
    assert_eq!(second.header("x-own"), "c");
}

#[test]
fn a_redirect_leads_nowhere_that_a_request_may_not_go() {
    let server = redirecting();
    // As if the server were on the internet.
    let mut http = start(&value!({"deny_hosts": ["denied.test"]})).unwrap();
    http.policy.exempt = Some(server.address);
    http.lookup = Arc::new(|host, port| {
        Ok(vec![match host {
            "inside.test" => SocketAddr::from(([10, 0, 0, 1], port)),
            _ => SocketAddr::from(([8, 8, 8, 8], port)),
        }])
    });
    let invalid = ErrorKind::ValidationFailed;
    for (place, reason) in [
        (
            "http:~~169.254.169.254~latest",
            "`169.254.169.254`, which is of the local link",
        ),
        (
            "http:~~127.0.0.1:1~",
            "`127.0.0.1`, which is of this machine",
        ),
        ("~~[::1]~", "`::1`, which is of this machine"),
        (
            "http:~~inside.test~",
            "the host `inside.test` has the address `10.0.0.1`",
        ),
        (
            "http:~~denied.test~",
            "`deny_hosts` in the configuration names it",
        ),
    ] {
        let input = value!({"url": server.url(&format!("/302/{place}"))});
        refused(&http, &input, invalid, reason);
    }
    for place in [
        "file:~~~etc~passwd",
        "ftp:~~a~",
        "http:~~u:p@a.test~",
        "javascript:x",
    ] {
        let input = value!({"url": server.url(&format!("/302/{place}"))});
        let reason = "redirects to where no request goes";
        refused(&http, &input, ErrorKind::ExecutionError, reason);
    }
}
