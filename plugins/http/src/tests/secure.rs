//! TLS, with a server whose certificate is of an authority of these tests. Its key is no secret.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const AUTHORITY: &str = include_str!("tls/authority.pem");
const SERVER: &str = include_str!("tls/server.pem");
const SERVER_KEY: &str = include_str!("tls/server-key.pem");

/// A server that answers one connection, whose handshake may fail.
fn serve(answer: String) -> (SocketAddr, JoinHandle<()>) {
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).unwrap(),
            )
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut line = String::new();
        let mut reader = BufReader::new(&mut stream);
        while line != "\r\n" {
            line.clear();
            if !reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                return;
            }
        }
        let _ = stream.write_all(answer.as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (address, thread)
}

/// A plugin to which both names are of this machine.
fn trusting(config: &Value) -> Http {
    let mut http = start(config).unwrap();
    http.lookup = Arc::new(|host, port| {
        assert!(["server.test", "other.test"].contains(&host));
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    });
    http
}

#[test]
fn a_server_is_who_its_certificate_says() {
    let http = trusting(&value!({"allow_private": true, "certificates": [AUTHORITY]}));
    let (address, thread) = serve(ok("secret"));
    let url = format!("https://server.test:{}/", address.port());
    let given = run(&http, &value!({"url": url})).unwrap();
    assert_eq!(given.get("body"), Some(&"secret".into()));
    thread.join().unwrap();

    let (address, thread) = serve(ok("secret"));
    let url = format!("https://other.test:{}/", address.port());
    let reason = "no secure connection to";
    let error = refused(
        &http,
        &value!({"url": url}),
        ErrorKind::ExecutionError,
        reason,
    );
    assert!(error.message().contains("not valid for name"), "{error:?}");
    thread.join().unwrap();
}

#[test]
fn an_authority_that_nobody_named_is_not_believed() {
    let http = trusting(&value!({"allow_private": true}));
    let (address, thread) = serve(ok("secret"));
    let url = format!("https://server.test:{}/", address.port());
    let reason = "UnknownIssuer";
    refused(
        &http,
        &value!({"url": url}),
        ErrorKind::ExecutionError,
        reason,
    );
    thread.join().unwrap();
    for pem in ["", "x", SERVER_KEY] {
        let error = start(&value!({"certificates": [pem]})).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error
                .message()
                .contains("`certificates[0]` is no certificate"),
            "{error:?}"
        );
    }
}

#[test]
fn what_was_secure_is_not_made_readable_by_a_redirect() {
    let http = trusting(&value!({"allow_private": true, "certificates": [AUTHORITY]}));
    let (address, thread) = serve(answer("302 x", "location: http://server.test/\r\n", ""));
    let url = format!("https://server.test:{}/", address.port());
    let reason = "redirects to `http://server.test/`, which anybody on the way could read";
    refused(
        &http,
        &value!({"url": url}),
        ErrorKind::ExecutionError,
        reason,
    );
    thread.join().unwrap();
}
