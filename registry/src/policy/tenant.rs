//! What a tenant may call, how often, and what it may send and get.
