//! Signs, rehearses, publishes, recovers, sweeps.
