//! Both programs with keys wherever they live: the `key` commands, and the online key of an index.

mod agent;
mod desk;
mod external;
mod files;
mod online;
mod secrets;
mod terminal;
mod token;
