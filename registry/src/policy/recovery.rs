//! What is done when a call fails: a pure decision.
