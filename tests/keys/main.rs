//! Every back end of keys with real tokens, agents, children and key services: each kind of key signs
//! what `ring` and python-tuf's securesystemslib verify, what goes wrong is named, both programs use
//! them, and an index whose online key lives in one is signed and read.

mod agent;
mod agent_faults;
mod common;
mod exec;
mod exec_faults;
mod formats;
mod hsm;
mod indexes;
mod pkcs11;
mod programs;
mod ssh_agent;
mod table;
