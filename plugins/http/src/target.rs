//! Where a request goes.

use std::fmt::Write;

use floe_plugin_api::{Error, ErrorKind, Map, Result, Value};
use ureq::http::Uri;

use crate::policy;

/// The longest address on the web that is taken, in bytes.
const MAX_URL: usize = 64 << 10;

/// Reads what a caller gives.
pub(crate) fn parse(url: &str, query: &Map) -> Result<Uri> {
    let mut text = encoded(url)?;
    if !query.is_empty() {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&pairs("query", query)?);
    }
    uri(&text)
}

/// Reads what a server gives as the place to go to from another one.
pub(crate) fn join(base: &Uri, location: &str) -> Result<Uri> {
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let path = base.path();
    let location = location.trim_matches([' ', '\t']);
    let whole = if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else if location.is_empty() || location.starts_with('#') {
        return Ok(base.clone());
    } else {
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        format!("{scheme}://{authority}{above}/{location}")
    };
    let whole = whole.replace(' ', "%20");
    uri(&without_dots(&encoded(&whole)?))
}

/// An address as it may be shown: what follows the `?` is often a secret.
pub(crate) fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", uri.path())
}

/// Whether two addresses are of the same server, as far as what it may be told goes.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri| (policy::host(uri), policy::port(uri));
    one.scheme_str() == other.scheme_str() && origin(one) == origin(other)
}

/// Names and values as they stand after the `?`, or in a form.
pub(crate) fn pairs(field: &str, map: &Map) -> Result<String> {
    let mut text = String::new();
    for entry in map {
        let one = std::slice::from_ref(&entry.value);
        let values = entry.value.as_list().unwrap_or(one);
        for value in values {
            let value = match value {
                Value::String(text) => text.as_str().to_owned(),
                Value::Bool(value) => value.to_string(),
                Value::I64(value) => value.to_string(),
                Value::U64(value) => value.to_string(),
                Value::F64(value) if value.is_finite() => value.to_string(),
                other => {
                    let at = format!("{field}.{}", entry.key);
                    let rule = "a string, a number, a boolean or a list of them";
                    return Err(Error::invalid(&at, rule, other.clone())
                        .with_kind(ErrorKind::InvalidParameters));
                }
            };
            if !text.is_empty() {
                text.push('&');
            }
            percent(&mut text, &entry.key);
            text.push('=');
            percent(&mut text, &value);
        }
    }
    Ok(text)
}

/// Writes all but RFC 3986's unreserved characters as `%` and two digits.
fn percent(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte.into());
        } else {
            // A string takes whatever is written to it.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

fn has_scheme(text: &str) -> bool {
    let scheme = text.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// What is before the path, and the path with what follows.
fn split(url: &str) -> Option<(&str, &str)> {
    let begin = url.find("://")? + 3;
    let end = url[begin..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |end| begin + end);
    Some(url.split_at(end))
}

/// Checks what is before the path; encodes what is not ASCII after it, and leaves out the fragment.
fn encoded(url: &str) -> Result<String> {
    if url.len() > MAX_URL {
        return Err(refused(format!("is longer than `{MAX_URL}` bytes")));
    }
    if !url.split_once("://").is_some_and(|(scheme, _)| {
        ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    }) {
        return Err(refused("does not begin with `http://` or `https://`"));
    }
    let Some((before, after)) = split(url) else {
        return Err(refused("names no host"));
    };
    if before.contains('@') {
        return Err(refused(
            "holds a user or a password; give them in the header `authorization`",
        ));
    }
    if !before.is_ascii() {
        return Err(refused(
            "has a host that is not ASCII; write it as `xn--…`, as it is looked up",
        ));
    }
    let mut text = before.to_owned();
    if !after.starts_with('/') {
        text.push('/');
    }
    for c in after.chars().take_while(|c| *c != '#') {
        match c {
            c if c.is_ascii_graphic() => text.push(c),
            c if c.is_ascii() => {
                return Err(refused(format!(
                    "holds `{}`; write it as `%{:02X}`",
                    c.escape_debug(),
                    u32::from(c)
                )));
            }
            c => percent(&mut text, c.encode_utf8(&mut [0; 4])),
        }
    }
    Ok(text)
}

/// Takes `.` and `..` out of a path, as RFC 3986 has it.
fn without_dots(url: &str) -> String {
    let Some((before, after)) = split(url) else {
        return url.to_owned();
    };
    let (path, query) = after
        .find('?')
        .map_or((after, ""), |query| after.split_at(query));
    let mut kept: Vec<&str> = Vec::new();
    let mut names = path.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        let last = names.peek().is_none();
        match name {
            "." => {}
            ".." => {
                kept.pop();
            }
            name => {
                kept.push(name);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    format!("{before}/{}{query}", kept.join("/"))
}

fn uri(text: &str) -> Result<Uri> {
    let uri: Uri = text
        .parse()
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    let host = uri.host().unwrap_or_default();
    if host.is_empty() || host.contains(['%', '\\']) {
        return Err(refused("names no host that can be looked up"));
    }
    let after = uri
        .authority()
        .and_then(|authority| authority.as_str().strip_prefix(host))
        .unwrap_or_default();
    if !after.is_empty() && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(refused("has a port that is no number from 1 to 65535"));
    }
    Ok(uri)
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(
        ErrorKind::InvalidParameters,
        format!("the url {}", why.into()),
    )
    .with_detail("path", "url")
}

#[cfg(test)]
mod tests {
    use floe_plugin_api::value;

    use super::*;

    fn read(url: &str) -> Result<String> {
        parse(url, &Map::new()).map(|uri| uri.to_string())
    }

    #[test]
    fn addresses() {
        assert_eq!(read("http://a").unwrap(), "http://a/");
        assert_eq!(
            read("HTTPS://a.b:81/c?d=e#f").unwrap(),
            "https://a.b:81/c?d=e"
        );
        assert_eq!(read("http://a?b").unwrap(), "http://a/?b");
        assert_eq!(
            read("http://a/å b".replace(' ', "").as_str()).unwrap(),
            "http://a/%C3%A5b"
        );
        assert_eq!(read("http://[::1]:8080/").unwrap(), "http://[::1]:8080/");
        for (url, reason) in [
            ("file:///etc/passwd", "does not begin with `http://`"),
            ("ftp://a/", "does not begin with `http://`"),
            ("//a/", "does not begin with `http://`"),
            ("a.b/c", "does not begin with `http://`"),
            ("", "does not begin with `http://`"),
            ("javascript://http://a", "does not begin with `http://`"),
            ("http://", "cannot be read"),
            ("http:///x", "cannot be read"),
            ("http://u@a/", "give them in the header `authorization`"),
            ("http://u:p@a/", "give them in the header `authorization`"),
            ("http://a@b@c/", "give them in the header `authorization`"),
            ("http://å.se/", "`xn--…`"),
            ("http://a:0/", "no number from 1 to 65535"),
            ("http://a:99999/", "no number from 1 to 65535"),
            ("http://a:/", "no number from 1 to 65535"),
            ("http://a/b c", "write it as `%20`"),
            ("http://a/b\r\nx: y", "write it as `%0D`"),
            ("http://a b/", "cannot be read"),
            ("http://a\\@b/", "holds a user"),
            ("http://a%2eb/", "cannot be read"),
        ] {
            let error = read(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidParameters);
            assert!(error.message().contains(reason), "{url} {error:?}");
            assert!(!error.message().contains("p@a"), "{error:?}");
        }
        assert!(read(&format!("http://a/{}", "x".repeat(MAX_URL))).is_err());
    }

    #[test]
    fn queries() {
        let Value::Map(query) = value!({"q": "a b&c=å", "n": [1, 2.5, true], "empty": ""}) else {
            panic!("a map");
        };
        assert_eq!(
            parse("http://a/?x=1", &query).unwrap().to_string(),
            "http://a/?x=1&q=a%20b%26c%3D%C3%A5&n=1&n=2.5&n=true&empty="
        );
        let Value::Map(query) = value!({"q": null}) else {
            panic!("a map");
        };
        let error = parse("http://a/", &query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameters);
        assert!(error.message().contains("`query.q` is `null`"));
    }

    #[test]
    fn locations() {
        let base: Uri = "https://a.b:81/c/d?e".parse().unwrap();
        for (location, expected) in [
            ("/x?y", "https://a.b:81/x?y"),
            ("x", "https://a.b:81/c/x"),
            ("../x/./y/", "https://a.b:81/x/y/"),
            ("../../../x/..", "https://a.b:81/"),
            ("?y", "https://a.b:81/c/d?y"),
            ("//z/x", "https://z/x"),
            ("http://z", "http://z/"),
            ("", "https://a.b:81/c/d?e"),
            ("#f", "https://a.b:81/c/d?e"),
            ("x y å", "https://a.b:81/c/x%20y%20%C3%A5"),
            ("x:y/z".trim_start_matches("x:"), "https://a.b:81/c/y/z"),
        ] {
            assert_eq!(
                join(&base, location).unwrap().to_string(),
                expected,
                "{location}"
            );
        }
        for location in [
            "ftp://a/",
            "file:///etc/passwd",
            "javascript:x",
            "http://u:p@a/",
            "//u@a/",
        ] {
            assert!(join(&base, location).is_err(), "{location}");
        }
    }

    #[test]
    fn origins() {
        let same =
            |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("http://a/x", "http://A:80/y"));
        assert!(!same("http://a/", "https://a/"));
        assert!(!same("http://a/", "http://a:81/"));
        assert!(!same("http://a/", "http://b/"));
    }
}
