//! Machines that are not as they should be, for programs that are run as they are: libraries for `LD_PRELOAD`
//! under which the clock is wrong, or a file is another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How far a program's clock is moved, in milliseconds: read by the library of [`moved_clock`].
pub const CLOCK_MOVED_BY: &str = "TEST_CLOCK_MOVED_BY";

const CLOCK: &str = "
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

/// The path of the file that is another: read by the library of [`other_file`], as is [`OTHER_FILE`].
pub const FILE: &str = "TEST_FILE";

/// The path of the file that is found in its place.
pub const OTHER_FILE: &str = "TEST_OTHER_FILE";

const OTHER: &str = "
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
static const char *found(const char *path) {
    const char *file = getenv(\"TEST_FILE\"), *other = getenv(\"TEST_OTHER_FILE\");
    return file && other && path && !strcmp(path, file) ? other : path;
}
int open64(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, \"open64\");
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return real(found(path), flags, mode);
}
int statx(int dir, const char *path, int flags, unsigned mask, struct statx *about) {
    int (*real)(int, const char *, int, unsigned, struct statx *) = dlsym(RTLD_NEXT, \"statx\");
    return real(dir, found(path), flags, mask, about);
}
";

/// A library under which the clock is moved by as much as [`CLOCK_MOVED_BY`] says: libfaketime in short.
///
/// # Panics
///
/// Where there is no C compiler.
#[must_use]
pub fn moved_clock(folder: &Path) -> PathBuf {
    library(folder, "clock", CLOCK)
}

/// A library under which [`OTHER_FILE`] is found where [`FILE`] is asked for.
///
/// # Panics
///
/// Where there is no C compiler.
#[must_use]
pub fn other_file(folder: &Path) -> PathBuf {
    library(folder, "other", OTHER)
}

fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let file = folder.join(name).with_extension("c");
    let library = file.with_extension("so");
    fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&file);
    assert!(cc.arg("-ldl").status().unwrap().success());
    library
}
