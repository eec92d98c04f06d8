//! Several processes of the real program on one datastore, some of them killed: no floor is lowered, no
//! file is half written, and none waits for ever.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign_tests::environment::{clean_command, program};
use countersign_tests::{Bend, Simulator};
use metadata::{Document, Timestamp, Wire};

/// Rounds, processes in each, and how long the killed one of a round lives, in steps.
const ROUNDS: u64 = 6;
const AT_ONCE: usize = 4;
const STEP: Duration = Duration::from_millis(4);

/// The version of the timestamp that is held.
fn version(file: &[u8]) -> u64 {
    let wire = Wire::parse(file, 64).unwrap();
    Timestamp::parse(wire.signed).unwrap().version.get()
}

fn succeeds(mut child: Child) -> bool {
    child.wait().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_a_datastore_and_may_be_killed() {
    let mut repository = Simulator::standard();
    let listening = repository.server().listen().await;
    let folder = tempfile::tempdir().unwrap();
    let (datastore, root) = (folder.path().join("md"), folder.path().join("root.json"));
    fs::create_dir(&datastore).unwrap();
    fs::write(&root, repository.archived("root", 1)).unwrap();
    let url = listening.metadata_url().to_string();
    let start = |words: &[&str]| {
        let mut command: Command = clean_command(program("countersign"), folder.path());
        command.args(["client", "--metadata-url", &url, "--metadata-dir"]);
        command.arg(&datastore).args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    assert!(succeeds(start(&["init", root.to_str().unwrap()])));
    for round in 1..=ROUNDS {
        repository.publish();
        let newest = repository.version("timestamp").get();
        let mut killed = start(&["refresh"]);
        let others: Vec<Child> = (1..AT_ONCE).map(|_| start(&["refresh"])).collect();
        tokio::time::sleep(STEP * u32::try_from(round).unwrap()).await;
        // It may have ended by itself.
        let _ = killed.kill();
        let _ = killed.wait();
        for child in others {
            assert!(succeeds(child), "a killed process is in nobody's way");
        }
        for name in ["root", "timestamp", "snapshot", "targets"] {
            let kept = fs::read(datastore.join(format!("{name}.json"))).unwrap();
            assert!(kept == repository.file(name), "{name} in round {round}");
        }
        assert_eq!(version(&repository.file("timestamp")), newest);

        // The state of before is refused, by however many.
        let old = repository.archived("timestamp", newest - 1);
        repository
            .server()
            .bend("metadata/timestamp.json", Bend::replaced(old));
        let refused: Vec<Child> = (0..2).map(|_| start(&["refresh"])).collect();
        for child in refused {
            assert!(!succeeds(child), "a rollback in round {round}");
        }
        repository.server().unbend();
        let kept = fs::read(datastore.join("timestamp.json")).unwrap();
        assert_eq!(version(&kept), newest);
    }
    let left = fs::read_dir(&datastore).unwrap().count();
    // Each killed process may leave one unfinished file, which a later sweep takes.
    assert!(left <= 6 + usize::try_from(ROUNDS).unwrap(), "{left}");
}
