//! Keys held by real programs: ssh-agent, external signers, and files that OpenSSL, OpenSSH and
//! Python read and write. `tests/run --setup-only` sets the programs up.

mod agent;
mod agent_faults;
mod common;
mod exec;
mod exec_faults;
mod formats;
mod ssh_agent;
