//! AWS KMS keys against the double and against foreign emulators. No real AWS is asked here.

mod blocking;
mod child;
mod credentials;
mod dependencies;
mod foreign;
mod network;
mod python;
mod refusals;
mod retries;
mod signing;
mod stand;
