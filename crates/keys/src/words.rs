//! Digests in words, to be read aloud and compared by people: key fingerprints, ceremony payloads.

use metadata::{PublicKey, Sha256};

/// Bytes of a digest that become words: 128 bits, out of reach of anybody who looks for a second
/// input with the same words.
const WORD_BYTES: usize = 16;

/// Says a digest in words: one for each of its first 16 bytes, in order, separated by spaces. The
/// list is this program's own and will never change: words written down once must stay comparable.
/// All words differ in their first three letters and from each other in at least three places, so
/// that a misheard word is another word only rarely.
#[must_use]
pub fn fingerprint_words(digest: &[u8]) -> String {
    let words: Vec<&str> = digest
        .iter()
        .take(WORD_BYTES)
        .map(|byte| WORDS[usize::from(*byte)])
        .collect();
    words.join(" ")
}

/// Writes a digest in hex, in groups of four digits.
#[must_use]
pub fn fingerprint_hex(digest: &[u8]) -> String {
    let groups: Vec<String> = digest.chunks(2).map(hex::encode).collect();
    groups.join(" ")
}

/// The fingerprint of a key: the digest that is its key id as TUF prescribes it (TUF 4.2.1),
/// whatever id a document lists it under.
#[must_use]
pub fn key_fingerprint(key: &PublicKey) -> Sha256 {
    let id = key.id();
    Sha256::parse(id.as_str()).unwrap_or_else(|_| Sha256::of(id.as_str().as_bytes()))
}

/// Word N stands for the byte N. In alphabetical order.
const WORDS: [&str; 256] = [
    "acorn", "adult", "agenda", "airport", "album", "alley", "almond", "amber", "anchor", "animal",
    "ankle", "apron", "arch", "armor", "artist", "aspen", "atlas", "attic", "autumn", "avocado",
    "baby", "badge", "bakery", "balcony", "bamboo", "banana", "barrel", "basket", "beacon",
    "bench", "berry", "bicycle", "biscuit", "blossom", "boat", "bonfire", "border", "bottle",
    "breeze", "broom", "bubble", "buffalo", "bumper", "button", "cabin", "cactus", "camera",
    "canal", "captain", "caramel", "cashew", "cedar", "cement", "cereal", "chalk", "chimney",
    "cinema", "circle", "citrus", "cliff", "clock", "cobra", "coconut", "coffee", "collar",
    "compass", "copper", "couch", "cowboy", "crab", "crystal", "cushion", "cyclone", "daisy",
    "dancer", "dawn", "deck", "denim", "desert", "diamond", "diesel", "doctor", "dolphin",
    "domino", "donkey", "dragon", "drum", "dune", "dwarf", "eagle", "easel", "echo", "eclipse",
    "elbow", "emerald", "engine", "evening", "expert", "fabric", "factory", "feather", "fiddle",
    "filter", "flame", "forest", "fossil", "freight", "fridge", "frog", "fruit", "funnel",
    "galaxy", "garden", "gazelle", "giant", "ginger", "giraffe", "glacier", "glove", "goblet",
    "gorilla", "granite", "guitar", "helmet", "hiker", "horizon", "hotel", "hunter", "iceberg",
    "igloo", "incense", "indigo", "infant", "inlet", "island", "ivory", "jaguar", "jasmine",
    "jelly", "jigsaw", "journal", "juggler", "jury", "kayak", "kitten", "kiwi", "knuckle", "koala",
    "ladder", "lagoon", "lantern", "laundry", "lemon", "leopard", "lettuce", "library", "lilac",
    "lizard", "lobster", "locket", "lotus", "machine", "magnet", "mango", "marble", "meadow",
    "mermaid", "meteor", "microbe", "mineral", "mirror", "mosaic", "muffin", "museum", "myth",
    "napkin", "nectar", "needle", "nephew", "nickel", "nugget", "nurse", "nutmeg", "oasis",
    "oatmeal", "ocean", "office", "onion", "opera", "orange", "orchid", "osprey", "otter",
    "palace", "panda", "papaya", "parrot", "peanut", "pencil", "pickle", "pigeon", "pillow",
    "pirate", "poem", "potato", "prince", "puppet", "quail", "queen", "quiver", "rabbit", "raft",
    "raven", "razor", "recipe", "reef", "ribbon", "ring", "ritual", "robot", "school", "siren",
    "smoke", "soccer", "sofa", "spider", "sponge", "stereo", "stork", "sugar", "sunset", "swan",
    "syrup", "talent", "teapot", "temple", "tennis", "topaz", "tulip", "turtle", "tuxedo", "twig",
    "typist", "vacuum", "violin", "waffle", "walnut", "window", "wolf", "wombat", "yacht", "yeast",
    "yogurt", "zenith", "zephyr", "zodiac",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_list_does_not_change() {
        let list = WORDS.join("\n");
        assert_eq!(
            Sha256::of(list.as_bytes()).to_string(),
            "f2af967bc5405a770ee246bdd573612be9dfbbe3ff938feebd7a229ba066edfc"
        );
    }

    #[test]
    fn words_are_hard_to_mistake() {
        for (number, one) in WORDS.iter().enumerate() {
            assert!((4..=7).contains(&one.len()) && one.bytes().all(|b| b.is_ascii_lowercase()));
            for other in &WORDS[number + 1..] {
                assert!(one < other && one[..3] != other[..3], "{one} {other}");
                assert!(
                    distance(one.as_bytes(), other.as_bytes()) >= 3,
                    "{one} {other}"
                );
            }
        }
    }

    /// Letters to change, insert or remove.
    fn distance(one: &[u8], two: &[u8]) -> usize {
        let mut row: Vec<usize> = (0..=two.len()).collect();
        for (i, a) in one.iter().enumerate() {
            let mut last = row[0];
            row[0] = i + 1;
            for (j, b) in two.iter().enumerate() {
                let change = last + usize::from(a != b);
                last = row[j + 1];
                row[j + 1] = change.min(last + 1).min(row[j] + 1);
            }
        }
        row[two.len()]
    }

    #[test]
    fn fingerprints_of_a_key() {
        let key = PublicKey::ed25519(&[7; 32]);
        let digest = key_fingerprint(&key);
        assert_eq!(digest.to_string(), key.id().as_str());
        let words = fingerprint_words(digest.as_bytes());
        assert_eq!(words.split(' ').count(), 16);
        assert_eq!(fingerprint_words(&[0, 1, 255]), "acorn adult zodiac");
        assert_eq!(fingerprint_hex(&[0, 1, 0xab, 0xcd, 0xef]), "0001 abcd ef");
    }

    proptest! {
        #[test]
        fn words_say_the_first_128_bits(digest in prop::collection::vec(any::<u8>(), 0..40)) {
            let words = fingerprint_words(&digest);
            let bytes: Vec<u8> = words
                .split_whitespace()
                .map(|word| u8::try_from(WORDS.binary_search(&word).unwrap()).unwrap())
                .collect();
            prop_assert_eq!(&bytes[..], &digest[..digest.len().min(16)]);
        }
    }
}
