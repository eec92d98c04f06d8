//! pip and uv, as released, install what is signed and nothing else.

mod attacks;
mod dependencies;
mod doctor;
mod exec;
mod forward;
mod large;
mod leaks;
mod machine;
mod matrix;
mod messages;
mod operator;
mod poetry;
mod private;
mod projects;
mod proxied;
mod pypiserver;
mod real;
mod registry;
mod repositories;
mod slow;
mod stage;
mod unverified;
mod upstreams;
