//! The description, written, read and broken.

use proptest::prelude::*;

use super::*;

fn sample() -> Description {
    let layout = draft::BinLayout {
        count: BinCount::new(16).unwrap(),
        encoding: policy::Encoding::Succinct,
    };
    let planned = Expiry::parse("2030-01-01T00:00:00Z").unwrap();
    let mut one = Description::new(Kind::Genesis, planned, "name", layout);
    let key = |byte, holder: &str| HeldKey {
        holder: holder.to_owned(),
        key: PublicKey::ed25519(&[byte; 32]),
    };
    one.add_keys(KeyRole::Root, &[key(1, "Ada"), key(2, "Bo")])
        .unwrap();
    one.add_keys(KeyRole::Targets, &[key(1, "Ada")]).unwrap();
    one
}

#[test]
fn what_is_written_is_read() {
    let one = sample();
    let text = one.write().unwrap();
    let path = Path::new(FILE);
    assert_eq!(Description::parse(path, text.as_bytes()).unwrap(), one);
    assert_eq!(one.key[0].roles, [KeyRole::Root, KeyRole::Targets]);
    assert_eq!(one.key[0].held(path).unwrap().holder, "Ada");
}

#[test]
fn names_that_could_trick_a_reader_are_refused() {
    for name in ["", " ", "a\u{1b}[2K", "a\nb", &"x".repeat(65)] {
        assert!(check_holder(name).is_err(), "{name:?}");
    }
    assert!(check_holder("Zoë O'Neil").is_ok());
}

proptest! {
    #[test]
    fn never_panics(text in "(?s).{0,200}", at in 0_usize..2000, byte in any::<u8>()) {
        let path = Path::new(FILE);
        let _ = Description::parse(path, text.as_bytes());
        let mut bytes = sample().write().unwrap().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = Description::parse(path, &bytes) {
            let _ = (read.layout(path), read.planned(path));
            for part in &read.key {
                let _ = part.held(path);
            }
        }
    }
}
