//! The program as users meet it: real runs in temporary folders, over real connections.

mod inputs;
mod installs;
mod lifecycle;
mod past;
mod program;
mod project;
mod quickstart;
mod screens;
mod settings;
mod verdicts;
