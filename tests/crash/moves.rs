//! The state is carried from SQLite to PostgreSQL and back while a signer runs, files come in and a client
//! polls; the move is killed at any moment.

use std::process::Command;
use std::time::{Duration, Instant};

use countersign_tests::environment::said;
use countersign_tests::postgres::{PASSWORD, PostgresServer};

use crate::number;
use crate::stage::{Dice, Stage};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Moves, as often as the signer is at work just then or a move before was killed.
fn move_to(stage: &Stage, words: &[&str]) {
    let since = Instant::now();
    loop {
        let output = stage.run(words);
        match output.status.code() {
            // There already: it was killed after its work.
            Some(0 | 2) => return,
            Some(75) if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
            _ => panic!("{words:?}: {}", said(&output)),
        }
    }
}

#[test]
fn the_state_moves_while_the_index_lives() {
    let seed = number("COUNTERSIGN_SEED", 1);
    let mut dice = Dice::new(seed);
    let server = PostgresServer::start();
    let url = server.database("index");
    let mut stage = Stage::new();
    std::fs::write(stage.home().join("database"), PASSWORD).unwrap();
    stage.serve();
    let poller = stage.poll();
    stage.start_daemon();
    let to_postgres = [
        "index",
        "move",
        "--state-to",
        &url,
        "--state-password-file",
        "database",
    ];
    let to_file = ["index", "move", "--state-to", "index/state.sqlite"];
    let mut whole = Duration::from_millis(300);
    let kills = number("COUNTERSIGN_LONG_KILLS", 6);
    for kill in 0..kills {
        let words = if kill.is_multiple_of(2) {
            &to_postgres[..]
        } else {
            &to_file
        };
        let context = format!("seed {seed}, kill {kill}");
        stage.change(&mut dice);
        for _ in 0..2 {
            let command = stage.command(words);
            stage.kill(command, whole.mul_f64(dice.share()));
        }
        let begin = Instant::now();
        move_to(&stage, words);
        whole = begin.elapsed().min(Duration::from_secs(1));
        stage.change(&mut dice);
        stage.look(&context);
        // Who follows the settings goes on; who names the old place is refused, whatever is asked.
        let old = if kill.is_multiple_of(2) {
            "index/state.sqlite"
        } else {
            &url
        };
        let refused = naming(&stage, old).output().unwrap();
        assert_eq!(
            refused.status.code(),
            Some(1),
            "{}: {context}",
            said(&refused)
        );
        let text = said(&refused);
        assert!(text.contains("the state was moved to"), "{text}");
        assert!(
            text.contains("name the new place in this machine's settings"),
            "{text}"
        );
    }
    // A file that comes in during a move is in the new place, or was not acknowledged.
    let back = if kills.is_multiple_of(2) {
        &to_postgres[..]
    } else {
        &to_file
    };
    stage.stop_daemon();
    let command = stage.command(back);
    if let Some(text) = stage.add_meanwhile(command) {
        assert!(text.contains("the state was moved to"), "{text}");
    }
    stage.tick();
    stage.expect_all("at the end");
    assert!(poller.end() > 4);
}

/// A command on the state in a place of the caller's.
fn naming(stage: &Stage, place: &str) -> Command {
    let mut command = stage.command(&["index", "status", "--state", place]);
    command.args(["--state-password-file", "database"]);
    command
}
