//! A proxy before a simulated index, over real HTTP and under real installers.

mod bench;
mod http;
mod installers;
