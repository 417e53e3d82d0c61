//! The scalade command.
fn main() {}
