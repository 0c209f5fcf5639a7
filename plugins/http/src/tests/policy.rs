use std::io;
use std::sync::atomic::AtomicUsize;

use super::*;

const INVALID: ErrorKind = ErrorKind::ValidationFailed;

#[test]
fn this_machine_is_not_reached_however_it_is_written() {
    let server = Server::new(|_| ok("inside"));
    let http = start(&value!({})).unwrap();
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ] {
        let input = value!({"url": format!("http://{host}:{port}/")});
        let error = refused(&http, &input, INVALID, "and may not be reached");
        assert!(
            error.message().contains("set `allow_private = true`"),
            "{error:?}"
        );
    }
    assert!(server.received().is_empty());
}

#[test]
fn a_name_is_refused_for_any_of_its_addresses() {
    let mut http = start(&value!({})).unwrap();
    http.lookup = Arc::new(|_, port| {
        Ok(vec![
            SocketAddr::from(([8, 8, 8, 8], port)),
            SocketAddr::from(([192, 168, 0, 1], port)),
        ])
    });
    let input = value!({"url": "http://mixed.test/"});
    refused(&http, &input, INVALID, "has the address `192.168.0.1`");
}

#[test]
fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let server = Server::new(|received| ok(received.header("host")));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut http = local();
    let (address, count) = (server.address, Arc::clone(&asked));
    // A second look-up would find another address.
    http.lookup = Arc::new(move |host, _| {
        assert_eq!(host, "rebinding.test");
        match count.fetch_add(1, Ordering::AcqRel) {
            0 => Ok(vec![address]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    });
    let url = format!("http://rebinding.test:{}/", address.port());
    let given = run(&http, &value!({"url": url})).unwrap();
    let host = format!("rebinding.test:{}", address.port());
    assert_eq!(given.get("body"), Some(&host.into()));
    assert_eq!(asked.load(Ordering::Acquire), 1);
}

#[test]
fn hosts_are_allowed_and_denied() {
    let server = Server::new(|_| ok(""));
    let http = |config: &Value| {
        let mut http = start(config).unwrap();
        let address = server.address;
        http.lookup = Arc::new(move |_, _| Ok(vec![address]));
        http
    };
    let allowed = http(&value!({"allow_private": true, "allow_hosts": ["a.test", "*.b.test"]}));
    for url in ["http://a.test/", "http://A.TEST./", "http://x.y.b.test:81/"] {
        run(&allowed, &value!({"url": url})).unwrap();
    }
    for url in ["http://b.test/", "http://c.test/", "http://a.test.c.test/"] {
        refused(
            &allowed,
            &value!({"url": url}),
            INVALID,
            "add it to `allow_hosts`",
        );
    }
    // Neither does being allowed by name make an address public.
    let named = http(&value!({"allow_hosts": ["a.test"]}));
    refused(
        &named,
        &value!({"url": "http://a.test/"}),
        INVALID,
        "is of this machine",
    );

    let denied = http(&value!({"allow_private": true, "deny_hosts": ["a.test"]}));
    refused(
        &denied,
        &value!({"url": "http://a.test/"}),
        INVALID,
        "`deny_hosts`",
    );
    run(&denied, &value!({"url": "http://b.test/"})).unwrap();
    let by_address = http(&value!({"allow_private": true, "deny_hosts": ["127.0.0.1"]}));
    let reason = "the host `a.test` has the address `127.0.0.1`, which may not be reached";
    refused(
        &by_address,
        &value!({"url": "http://a.test/"}),
        INVALID,
        reason,
    );
}

/// In a process of its own, as the environment is one for all tests of a process.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test starts the process")]
fn proxies_of_the_environment_are_ignored() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::requests::an_answer_is_told_whole"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        // Nobody listens there.
        command.env(name, "http://127.0.0.1:1");
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}
