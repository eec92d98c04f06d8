//! Attacks by snapshot deltas (decision 0021), and what deltas are for. One that is of no use costs a request; it
//! never costs an update.

use countersign_tests::{Bend, BinEncoding, Key, Simulator, User, fails};
use metadata::Sha256;

/// The deltas to the third and fourth snapshot from the second, which the user holds.
const TO_THIRD: &str = "metadata/deltas/3-from-2.snapshot.zst";
const TO_FOURTH: &str = "metadata/deltas/4-from-2.snapshot.zst";

/// A repository that lists deltas, and a user who holds its second snapshot of some thousand bytes.
async fn warm() -> (Simulator, User) {
    let mut repository = Simulator::with_bins(BinEncoding::Succinct);
    let online = Key::ed25519("online");
    repository.delegate_bins("bins", "bin", 8, BinEncoding::Succinct, &online);
    repository.publish();
    repository.offer_deltas(4);
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository.server().take_requests();
    (repository, user)
}

/// A new snapshot that differs in these bins.
fn publish(repository: &mut Simulator, bins: &[&str]) {
    for bin in bins {
        repository.touch(bin);
    }
    repository.publish();
}

/// Has the next timestamp list `delta` as that from the second snapshot, and serves it, as a thief of the
/// timestamp's key can.
fn list(repository: &mut Simulator, name: &str, delta: Vec<u8>) {
    let listed = serde_json::json!({
        "length": delta.len(),
        "hashes": { "sha256": Sha256::of(&delta).to_string() },
    });
    repository
        .tamper("timestamp")
        .json(move |timestamp| timestamp["x-snapshot-deltas"]["2"] = listed);
    repository.server().bend(name, Bend::replaced(delta));
}

/// The update ends well, with the repository's own snapshot.
async fn is_up_to_date(user: &User, repository: &Simulator) {
    let updated = user.refresh(repository).await;
    fails(updated.is_ok(), updated.err());
    assert_eq!(
        user.kept("snapshot"),
        Some(repository.file("snapshot").to_vec())
    );
}

/// A frame that says again and again: 128 kB of zeros (RFC 8878 3.1.1.2).
fn bomb(blocks: u32) -> Vec<u8> {
    const RLE_OF_128_KB: u32 = 1 << 1 | 131_072 << 3;
    let mut frame = b"\x28\xB5\x2F\xFD\xE0".to_vec();
    frame.extend((u64::from(blocks) << 17).to_le_bytes());
    for block in 1..=blocks {
        let head = RLE_OF_128_KB | u32::from(block == blocks);
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// The most memory that this process ever had, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}

/// A few kilobytes that unpack to 196 MB, well listed: what comes out is held to the length of the snapshot.
#[tokio::test]
async fn bomb_listed_by_a_thief() {
    let (mut repository, user) = warm().await;
    list(&mut repository, TO_THIRD, bomb(1_500));
    publish(&mut repository, &["bin-00"]);
    let before = most_memory();
    is_up_to_date(&user, &repository).await;
    let grown = most_memory() - before;
    fails(grown < 128 << 20, grown);
    let asked = repository.server().take_requests();
    assert_eq!(asked[2..], [TO_THIRD, "metadata/3.snapshot.json"]);
}

/// A replay: the delta to an earlier snapshot in place of the one to the newest.
#[tokio::test]
async fn delta_of_another_snapshot_served_as_this_one() {
    let (mut repository, user) = warm().await;
    publish(&mut repository, &["bin-00"]);
    publish(
        &mut repository,
        &["bin-01", "bin-20", "bin-40", "bin-60", "bin-80", "bin-a0"],
    );
    let earlier = repository.server().file(TO_THIRD).unwrap();
    repository.server().bend(TO_FOURTH, Bend::replaced(earlier));
    is_up_to_date(&user, &repository).await;
}

/// The same replay, well listed: the timestamp names the snapshot by its hash as well.
#[tokio::test]
async fn delta_of_another_snapshot_listed_by_a_thief() {
    let (mut repository, user) = warm().await;
    publish(&mut repository, &["bin-00"]);
    let earlier = repository.server().file(TO_THIRD).unwrap();
    list(&mut repository, TO_FOURTH, earlier.to_vec());
    publish(&mut repository, &["bin-01"]);
    is_up_to_date(&user, &repository).await;
}

/// A delta that starts from what nobody holds, as a careless signer makes it or a thief lists it.
#[tokio::test]
async fn delta_made_with_another_dictionary() {
    let (mut repository, user) = warm().await;
    let held = String::from_utf8(repository.file("snapshot").to_vec()).unwrap();
    let other = held.replace("{\"version\":1}", "{\"version\":7}");
    let delta = deltas::make(other.as_bytes(), held.as_bytes()).unwrap();
    list(&mut repository, TO_THIRD, delta);
    publish(&mut repository, &["bin-00"]);
    is_up_to_date(&user, &repository).await;
}

/// Endless data (TUF 1.5.2) under the name of a delta: read as far as its listed length.
#[tokio::test]
async fn delta_without_end() {
    let (mut repository, user) = warm().await;
    publish(&mut repository, &["bin-00"]);
    repository.server().bend(TO_THIRD, Bend::Endless);
    is_up_to_date(&user, &repository).await;
    let requests = repository.server().requests();
    let delta = requests.iter().find(|it| it.name == TO_THIRD).unwrap();
    fails(delta.sent() < 100_000, delta.sent());
}

/// A delta listed as larger than the snapshot is not asked for.
#[tokio::test]
async fn delta_larger_than_the_snapshot() {
    let (mut repository, user) = warm().await;
    list(&mut repository, TO_THIRD, vec![0; 1_000_000]);
    publish(&mut repository, &["bin-00"]);
    is_up_to_date(&user, &repository).await;
    let asked = repository.server().take_requests();
    fails(!asked.iter().any(|name| name == TO_THIRD), asked);
}

/// A server that has no deltas, or breaks off, holds nobody up: the plain file is asked for at once.
#[tokio::test]
async fn delta_cut_or_missing() {
    let (mut repository, user) = warm().await;
    for (bend, number) in [
        Bend::Status(404),
        Bend::Status(500),
        Bend::Refused,
        Bend::Truncated(40),
        Bend::Broken(40),
        Bend::one_bit(),
    ]
    .into_iter()
    .zip(3..)
    {
        publish(&mut repository, &["bin-00"]);
        repository.server().bend("*.snapshot.zst", bend);
        is_up_to_date(&user, &repository).await;
        let asked = repository.server().take_requests();
        let delta = format!("metadata/deltas/{number}-from-{}.snapshot.zst", number - 1);
        assert_eq!(
            asked[2..],
            [delta, format!("metadata/{number}.snapshot.json")]
        );
    }
}

/// Not an attack: one small file instead of a large one, and nothing else is asked for. Who holds nothing, or nothing
/// that is listed, asks for what every client asks for.
#[tokio::test]
async fn used_by_clients_that_hold_a_listed_snapshot() {
    let (mut repository, user) = warm().await;
    let (cold, old) = (User::of(&repository), User::of(&repository));
    old.refresh(&repository).await.unwrap();
    repository.server().take_requests();
    publish(&mut repository, &["bin-00"]);
    is_up_to_date(&user, &repository).await;
    let asked = repository.server().take_requests();
    assert_eq!(
        asked,
        ["metadata/2.root.json", "metadata/timestamp.json", TO_THIRD]
    );
    let delta = repository.server().file(TO_THIRD).unwrap();
    assert!(
        delta.len() * 10 < repository.file("snapshot").len(),
        "{}",
        delta.len()
    );

    cold.refresh(&repository).await.unwrap();
    let asked = repository.server().take_requests();
    assert!(
        !asked.iter().any(|name| name.contains("/deltas/")),
        "{asked:?}"
    );

    repository.offer_deltas(1);
    publish(&mut repository, &["bin-00"]);
    is_up_to_date(&old, &repository).await;
    let asked = repository.server().take_requests();
    assert_eq!(asked[2..], ["metadata/4.snapshot.json"]);
}

/// Not an attack: whose snapshot was signed by keys that are no more (TUF 5.3.11), or is damaged, holds nothing
/// that a delta could start from.
#[tokio::test]
async fn of_no_use_to_clients_whose_snapshot_is_void() {
    let (mut repository, user) = warm().await;
    publish(&mut repository, &["bin-00"]);
    std::fs::write(user.datastore().join("snapshot.json"), b"{}").unwrap();
    is_up_to_date(&user, &repository).await;
    let asked = repository.server().take_requests();
    assert_eq!(asked[2..], ["metadata/3.snapshot.json"]);

    repository.rotate("snapshot", &[Key::ed25519("another")], 1);
    publish(&mut repository, &[]);
    is_up_to_date(&user, &repository).await;
    let asked = repository.server().take_requests();
    assert_eq!(asked[3..], ["metadata/4.snapshot.json"]);
}
