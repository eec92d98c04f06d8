//! pip and uv, as released, install what is signed and nothing else.

mod attacks;
mod doctor;
mod exec;
mod forward;
mod leaks;
mod machine;
mod messages;
mod private;
mod projects;
mod proxied;
mod slow;
mod stage;
mod unverified;
mod upstreams;
