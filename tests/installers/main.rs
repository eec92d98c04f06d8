//! pip and uv, as released, install what is signed and nothing else.

mod attacks;
mod exec;
mod forward;
mod leaks;
mod machine;
mod private;
mod projects;
mod proxied;
mod stage;
mod upstreams;
