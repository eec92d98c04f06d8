//! The programs themselves, killed at random moments while they work, and a soak: uploads, renewals under a
//! short policy, sweeps and kills at once. Judged by the checker, python-tuf and pip. Short here; `tests/long`
//! gives it time.

mod machines;
mod moves;
mod stage;

use std::time::{Duration, Instant};

use stage::{Dice, Stage};

/// A number from the environment, where `tests/long` wants more.
fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// Kills `online tick` and `index add` with SIGKILL after a random time, over and over on one index. At no
/// moment do clients see half a publication, and nothing acknowledged is lost.
#[test]
fn killed_at_any_moment_nothing_is_lost() {
    let seed = number("COUNTERSIGN_SEED", 1);
    let mut dice = Dice::new(seed);
    let mut stage = Stage::new();
    let whole = {
        let begin = Instant::now();
        stage.add(&mut dice);
        stage.tick();
        begin.elapsed()
    };
    let kills = number("COUNTERSIGN_LONG_KILLS", 12);
    for kill in 0..kills {
        let context = format!("seed {seed}, kill {kill}");
        stage.change(&mut dice);
        if dice.below(4) == 0 {
            stage.add_killed(whole.mul_f64(dice.share()));
        }
        stage.tick_killed(whole.mul_f64(dice.share()));
        stage.look(&format!("after the kill: {context}"));
        if dice.below(3) == 0 {
            // Twice in a row: recovery dies as well.
            stage.tick_killed(whole.mul_f64(dice.share()));
            stage.look(&format!("after the second kill: {context}"));
        }
        stage.tick();
        stage.expect_all(&context);
    }
    stage.python_tuf_reads_it();
    println!("{}", stage.figures());
    assert!(stage.kills() > kills / 2, "most came too late");
}

/// A daemon under a policy of seconds, killed and started again while files come, go and are yanked and old
/// metadata is swept.
#[test]
fn an_index_lives_through_a_soak() {
    let seconds = number("COUNTERSIGN_SOAK_SECONDS", 20);
    let seed = number("COUNTERSIGN_SEED", 2);
    let mut dice = Dice::new(seed);
    let mut stage = Stage::new();
    stage.serve();
    stage.start_daemon();
    let begin = Instant::now();
    let mut judged = Instant::now();
    while begin.elapsed() < Duration::from_secs(seconds) {
        match dice.below(10) {
            0..6 => stage.change(&mut dice),
            6 | 7 => stage.sweep(),
            8 => stage.kill_daemon_and_start(Duration::from_secs(1).mul_f64(dice.share())),
            _ => std::thread::sleep(Duration::from_secs(1)),
        }
        stage.look(&format!("after {:?}, seed {seed}", begin.elapsed()));
        if judged.elapsed() > Duration::from_secs(60) {
            stage.python_tuf_reads_it();
            judged = Instant::now();
        }
    }
    stage.stop_daemon();
    stage.tick();
    stage.expect_all(&format!("seed {seed}"));
    println!("{}", stage.figures());
    // A timestamp lives for seconds here, so it is kept fresh for readers that take their time.
    stage.start_daemon();
    stage.python_tuf_reads_it();
    stage.pip_installs();
    stage.stop_daemon();
}
