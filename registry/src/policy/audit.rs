//! An append-only record of calls, in which an edit shows.
