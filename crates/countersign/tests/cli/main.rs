//! The program as users meet it: real runs in temporary folders, over real connections.

mod inputs;
mod installs;
mod lifecycle;
mod operating;
mod locks;
mod past;
mod program;
mod proxies;
mod quickstart;
mod screens;
mod settings;
mod signers;
mod trust;
mod verdicts;
