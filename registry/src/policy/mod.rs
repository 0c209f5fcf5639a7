//! What is decided about calls: who may make them, what becomes of failures, what is put on record.
//!
//! All of it is decided on words alone: nothing in here calls a plugin. The one path that every call takes asks
//! these decisions and does what they say.
//!
//! *What is absent*: plugins, instances, doors.

mod audit;
mod recovery;
mod tenant;
