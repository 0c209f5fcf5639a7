//! Whether a file can be what the owner of its directory put there.

use crate::discover::Ownership;

const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Which files are trusted to be what an operator meant to install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// A file that its directory's owner could have put there and nobody else can have changed: it
    /// belongs to that owner, to root or to the user of this process, and neither it nor its
    /// directory can be written by everybody.
    #[default]
    Owner,
    /// Any file.
    Any,
}

impl Trust {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Any => "any",
        }
    }
}

/// Whether the file's owner is one who may install plugins in its directory.
pub(super) fn owner_may_install(owned: Ownership, user: u32) -> bool {
    owned.file_uid == owned.directory_uid || owned.file_uid == 0 || owned.file_uid == user
}

/// Whether everybody may change the file's content.
pub(super) fn file_is_open_to_all(owned: Ownership) -> bool {
    owned.file_mode & WRITABLE_BY_ALL != 0
}

/// Whether everybody may put another file in the file's place; in a sticky directory, such as
/// `/tmp`, only its owner may.
pub(super) fn directory_is_open_to_all(owned: Ownership) -> bool {
    owned.directory_mode & WRITABLE_BY_ALL != 0 && owned.directory_mode & STICKY == 0
}
