//! The keys that plugins are signed with: their numbers and their public halves.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What a public key's file says before the key.
const COMMENT: &str = "untrusted comment:";

/// How long a public key is in base64: 42 bytes.
const PUBLIC_KEY_LENGTH: usize = 56;

/// The algorithm of every minisign key: Ed25519.
const ALGORITHM: [u8; 2] = *b"Ed";

/// The number of a minisign key: 16 hexadecimal digits in upper case, as its tools show it.
///
/// It tells keys apart and proves nothing: whoever makes a key can give it any number. Some tools leave
/// out the zeros that it begins with, and it is read without them too.
///
/// ```
/// use floe_registry::KeyId;
///
/// let id: KeyId = "80fff2766732dcb".parse()?;
/// assert_eq!(id.to_string(), "080FFF2766732DCB");
/// # Ok::<(), floe_registry::ParseKeyIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not a [`KeyId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the number of a key, expected up to 16 hexadecimal digits; `floe keygen` and `minisign -G` show a key's, and the first line of its public file has it"
)]
pub struct ParseKeyIdError(String);

impl FromStr for KeyId {
    type Err = ParseKeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(id) if digits && text.len() <= 16 => Ok(Self(id)),
            _ => Err(ParseKeyIdError(excerpt(text))),
        }
    }
}

/// The public half of a minisign key, which tells whether a signature was made with the other half.
///
/// It is read from the line of base64 that begins with `RW`, or from the whole text of a `.pub` file,
/// and written as that line.
///
/// ```
/// use floe_registry::PublicKey;
///
/// let line = "RWTLLXNmJ/8PCM8gKDOgMoU+4oUKMNPyFSmkGMlJKYMhwDUdDrMteNzX";
/// let key: PublicKey = line.parse()?;
/// assert_eq!(key.id().to_string(), "080FFF2766732DCB");
/// assert_eq!(key.to_string(), line);
/// # Ok::<(), floe_registry::ParsePublicKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    /// The canonical text: base64 has but one for the same bytes where its reader is strict.
    line: String,
    key: minisign_verify::PublicKey,
}

impl PublicKey {
    /// Its number.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) const fn verifier(&self) -> &minisign_verify::PublicKey {
        &self.key
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.line)
    }
}

/// Why a text is not a [`PublicKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {found}, expected a minisign public key: a line of 56 characters that begins with `RW`, or the text of a `.pub` file; copy it from what `floe keygen` or `minisign -G` wrote"
)]
pub struct ParsePublicKeyError {
    found: String,
}

impl FromStr for PublicKey {
    type Err = ParsePublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |found: String| ParsePublicKeyError { found };
        let mut lines = text.trim().lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        let line = if first.starts_with(COMMENT) {
            lines.next().unwrap_or_default()
        } else {
            first
        };
        if lines.next().is_some() {
            return Err(refuse("a text of more lines".to_owned()));
        }
        // What is not shown cannot be leaked: this may be the secret half.
        if line.len() > PUBLIC_KEY_LENGTH {
            return Err(refuse(format!("a line of {} characters", line.len())));
        }
        let key = minisign_verify::PublicKey::from_base64(line);
        match (key, head(line)) {
            (Ok(key), Some((ALGORITHM, id))) => Ok(Self {
                id,
                line: line.to_owned(),
                key,
            }),
            _ if line.is_empty() => Err(refuse("no key".to_owned())),
            _ => Err(refuse(format!("`{}`", excerpt(line)))),
        }
    }
}

/// The algorithm and the key's number, with which both keys and signatures begin, from their base64.
pub(super) fn head(line: &str) -> Option<([u8; 2], KeyId)> {
    let digits = line.as_bytes().first_chunk::<16>()?;
    let mut bits: u128 = 0;
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(value);
    }
    // Twelve bytes: two, eight, and two that are of no interest.
    let [_, _, _, _, a, b, id @ .., _, _] = bits.to_be_bytes();
    Some(([a, b], KeyId(u64::from_le_bytes(id))))
}

/// A text from outside, on one line and not too long.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::signature::vectors::{KEY, KEY_FILE, OTHER_KEY_FILE};

    #[test]
    fn a_number_is_that_of_minisign() {
        for file in [KEY_FILE, OTHER_KEY_FILE] {
            let key: PublicKey = file.parse().unwrap();
            let shown = file.lines().next().unwrap().rsplit(' ').next().unwrap();
            assert_eq!(key.id(), shown.parse().unwrap());
            assert_eq!(key.id().to_string(), format!("{shown:0>16}"));
            assert_eq!(
                serde_json::to_value(key.id()).unwrap(),
                format!("{shown:0>16}")
            );
        }
    }

    #[test]
    fn numbers_that_are_none() {
        for text in ["", "G", "+1", "-1", "0x1", "00123456789ABCDEF", "١", " 1"] {
            let error = text.parse::<KeyId>().unwrap_err().to_string();
            assert!(error.contains("expected up to 16 hexadecimal"), "{error}");
        }
    }

    #[test]
    fn a_key_is_read_from_its_line_and_from_its_file() {
        let key: PublicKey = KEY.parse().unwrap();
        assert_eq!(KEY_FILE.parse(), Ok(key.clone()));
        assert_eq!(KEY_FILE.replace('\n', "\r\n").parse(), Ok(key.clone()));
        assert_eq!(format!(" {KEY}\n\n").parse(), Ok(key.clone()));
        assert_eq!(key.to_string(), KEY);
        assert_eq!(format!("{key:?}"), KEY);
        assert_ne!(OTHER_KEY_FILE.parse(), Ok(key));
    }

    #[track_caller]
    fn refused(text: &str, found: &str) {
        let error = text.parse::<PublicKey>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("found {found}, expected a minisign public key")),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn keys_that_are_none() {
        refused("", "no key");
        refused("untrusted comment: a key", "no key");
        refused("ssh-ed25519 AAAA", "`ssh-ed25519 AAAA`");
        refused("a\nb", "a text of more lines");
        refused(&format!("{KEY_FILE}{KEY}"), "a text of more lines");
        refused(&KEY[1..], &format!("`{}`", &KEY[1..]));
        // A secret key is not shown.
        refused(&"RW".repeat(106), "a line of 212 characters");
        // A prehashed signature's algorithm is not a key's.
        let other = KEY.replacen("RWT", "RUT", 1);
        refused(&other, &format!("`{other}`"));
    }
}
