//! A defect ends the program with its own code and says that it is one.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::process::ExitCode;

use crate::console::Console;
use crate::exit_code::INTERNAL;

/// Runs the program; a panic becomes a message and [`INTERNAL`].
pub(crate) fn guard(console: &Console, run: impl FnOnce() -> ExitCode) -> ExitCode {
    let console = console.clone();
    set_hook(Box::new(move |info| console.defect(&describe(info))));
    // Nothing of what `run` has touched is looked at afterwards.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(ExitCode::from(INTERNAL))
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown");
    match info.location() {
        Some(place) => format!("{what}, at {}:{}", place.file(), place.line()),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code() {
        let console = Console::silent();
        let code = guard(&console, || panic!("on purpose"));
        assert_eq!(code, ExitCode::from(INTERNAL));
        assert_eq!(guard(&console, || ExitCode::from(3)), ExitCode::from(3));
    }
}
