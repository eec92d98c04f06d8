//! A proxy before a simulated index, over real HTTP and under real installers.

mod bench;
mod freshness;
mod http;
mod installers;
mod refusals;
mod several;
mod unverified;
