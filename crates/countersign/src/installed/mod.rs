//! What is installed in a Python environment, held file by file against the wheels it came from.

mod compare;
mod distribution;
mod environment;
mod scripts;
mod wheel;

pub(crate) use compare::{Deviation, compare, unowned};
pub(crate) use distribution::{Installed, Origin, installed};
pub(crate) use environment::{EnvironmentError, site_packages};
pub(crate) use wheel::WheelFiles;
