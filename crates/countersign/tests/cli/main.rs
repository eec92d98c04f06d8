//! The program as users meet it: real runs in temporary folders, over real connections.

mod downloads;
mod environments;
mod inputs;
mod installs;
mod lifecycle;
mod locks;
mod mirrors;
mod operating;
mod past;
mod program;
mod project;
mod proxies;
mod quickstart;
mod screens;
mod settings;
mod signers;
mod trust;
mod verdicts;
