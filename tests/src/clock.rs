//! A clock that is wrong, for programs that are run as they are: a library that is loaded before theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How far a program's clock is moved, in milliseconds: read by the library of [`moved_clock`].
pub const CLOCK_MOVED_BY: &str = "TEST_CLOCK_MOVED_BY";

const SOURCE: &str = "
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, \"clock_gettime\");
    int failed = real(id, at);
    const char *moved = getenv(\"TEST_CLOCK_MOVED_BY\");
    if (id == CLOCK_REALTIME && moved) {
        long long now = at->tv_sec * 1000LL + at->tv_nsec / 1000000 + atoll(moved);
        at->tv_sec = now / 1000;
        at->tv_nsec = now % 1000 * 1000000;
    }
    return failed;
}
";

/// A library for `LD_PRELOAD` under which the clock is moved by as much as [`CLOCK_MOVED_BY`] says:
/// libfaketime in short.
///
/// # Panics
///
/// Where there is no C compiler.
#[must_use]
pub fn moved_clock(folder: &Path) -> PathBuf {
    let (file, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&file, SOURCE).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&file);
    assert!(cc.arg("-ldl").status().unwrap().success());
    library
}
