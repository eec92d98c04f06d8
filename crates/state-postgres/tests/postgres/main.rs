//! The state in a real PostgreSQL server, with what the state in SQLite has to stand, and with what only
//! several machines bring: leases that are lost, servers that restart, connections that break.

// The tests of both kinds of state share these modules.
extern crate repository as countersign_repository;

#[allow(unreachable_pub, reason = "the whole-system tests use it, too")]
#[path = "../../../../tests/src/postgres.rs"]
mod server;
#[path = "../../../repository/tests/support/mod.rs"]
mod support;

mod carried;
mod commit;
mod crash;
mod fail_over;
mod interference;
mod lease;
mod moves;
mod same;
mod site;
mod tls;
