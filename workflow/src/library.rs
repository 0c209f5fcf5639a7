//! Where a workflow finds the others that it calls.

mod directories;
mod error;

use std::sync::Arc;

use semver::VersionReq;

pub use self::directories::WorkflowDirectories;
pub use self::error::LibraryError;
pub(crate) use self::error::shown;
use crate::document::Document;

/// Where a workflow finds the others that it calls, each by its id.
///
/// What it gives is checked by who asks for it: a document with [problems](Document::problems) is as
/// good an answer as any.
pub trait Library: Send + Sync {
    /// The workflow of an id: the newest whose version is in the range, or the newest of all where there
    /// is none.
    ///
    /// One [validator's](crate::Validator) check asks once for each id and range, and takes two answers of
    /// one id and version for the same.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be told which; and why.
    fn find(&self, id: &str, version: Option<&VersionReq>) -> Result<Document, LibraryError>;

    /// The known id that is most like an unknown one.
    fn nearest(&self, id: &str) -> Option<String>;
}

impl<L: Library + ?Sized> Library for &L {
    fn find(&self, id: &str, version: Option<&VersionReq>) -> Result<Document, LibraryError> {
        (**self).find(id, version)
    }

    fn nearest(&self, id: &str) -> Option<String> {
        (**self).nearest(id)
    }
}

impl<L: Library + ?Sized> Library for Arc<L> {
    fn find(&self, id: &str, version: Option<&VersionReq>) -> Result<Document, LibraryError> {
        (**self).find(id, version)
    }

    fn nearest(&self, id: &str) -> Option<String> {
        (**self).nearest(id)
    }
}

/// A library that has no workflows: what a [`Validator`](crate::Validator) has where it is given none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoLibrary;

impl Library for NoLibrary {
    fn find(&self, id: &str, _version: Option<&VersionReq>) -> Result<Document, LibraryError> {
        Err(LibraryError::NoLibrary { id: id.to_owned() })
    }

    fn nearest(&self, _id: &str) -> Option<String> {
        None
    }
}
