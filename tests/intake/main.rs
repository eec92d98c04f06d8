//! The intake over HTTP as web heads meet it: the real `countersign online serve`, real connections, and the
//! signer beside it. Every answer that any of these tests gets has to be in the `OpenAPI` document.

mod bad_input;
mod description;
mod door;
mod slow;
mod stage;
mod tokens;
mod transactions;
