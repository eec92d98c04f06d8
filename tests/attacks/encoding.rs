//! Attacks on the text of metadata: what one reader takes for a document and another for none, or for
//! a different one (TUF 4.1; reference A-7, F22). More of them in `form.rs`.

use countersign_tests::{Simulator, User, fails, files};
use metadata::{JsonFlaw, MetadataError, Role, TargetFile, Wire};
use trust::{Mismatch, Rejection};

/// What the client says of a timestamp whose whole file is edited after it was signed, beside the
/// same client and the honest file.
async fn refused_file(edit: impl FnOnce(Vec<u8>) -> Vec<u8> + Send + 'static) -> MetadataError {
    let mut repository = Simulator::standard();
    let user = User::of(&repository).lenient();
    repository.tamper("timestamp").file(edit);
    repository.publish();
    let refused = user.refused(&repository).await;
    repository.publish();
    user.refresh(&repository).await.unwrap();
    match refused {
        Rejection::Malformed {
            role: Role::Timestamp,
            source,
        } => source,
        other => panic!("{other:?}"),
    }
}

/// An envelope with two of its members: one reader takes the first, another the last, and what is
/// signed is not what is read.
#[tokio::test]
async fn envelope_with_a_member_twice() {
    for member in ["signed", "signatures"] {
        let source = refused_file(move |file| {
            let wire = Wire::parse(&file, 64).unwrap();
            let thief = match member {
                "signed" => String::from_utf8(wire.signed.to_vec())
                    .unwrap()
                    .replace("2030", "2099"),
                _ => "[]".to_owned(),
            };
            let text = String::from_utf8(file.clone()).unwrap();
            let end = text.len() - 1;
            format!(r#"{},"{member}":{thief}}}"#, &text[..end]).into_bytes()
        });
        let MetadataError::Json { why, .. } = source.await else {
            panic!()
        };
        assert_eq!(why, JsonFlaw::DuplicateKey(member.to_owned()));
    }
}

/// A signature with a member twice, and one whose unknown members name a key twice.
#[tokio::test]
async fn signature_with_a_member_twice() {
    for more in [
        r#","sig":"00""#,
        r#","keyid":"other""#,
        r#","x":{"y":1,"y":2}"#,
    ] {
        let source = refused_file(move |file| {
            let text = String::from_utf8(file).unwrap();
            let at = text.find("}],").unwrap();
            format!("{}{more}{}", &text[..at], &text[at..]).into_bytes()
        });
        let MetadataError::Json { why, .. } = source.await else {
            panic!("{more}")
        };
        assert!(matches!(why, JsonFlaw::DuplicateKey(_)), "{more}: {why:?}");
    }
}

/// Text that lenient readers take for JSON: a byte order mark, comments, trailing commas, numbers
/// that are none, single quotes, broken UTF-8, UTF-16, lone surrogates, NUL.
#[tokio::test]
async fn text_that_is_almost_json() {
    type Edit = fn(String) -> Vec<u8>;
    let edits: [(&str, Edit); 10] = [
        ("a byte order mark", |text| {
            [b"\xef\xbb\xbf", text.as_bytes()].concat()
        }),
        ("a comment", |text| {
            text.replacen('{', "{/* no */", 1).into_bytes()
        }),
        ("a trailing comma", |text| {
            text.replacen("}]", "},]", 1).into_bytes()
        }),
        ("a number that is none", |text| {
            text.replacen('{', r#"{"x":NaN,"#, 1).into_bytes()
        }),
        ("single quotes", |text| {
            text.replacen(r#""signed""#, "'signed'", 1).into_bytes()
        }),
        ("a broken letter", |text| {
            let more = [br#"{"x":""#.as_slice(), b"\xff", br#"","#].concat();
            [&more, &text.as_bytes()[1..]].concat()
        }),
        ("an overlong letter", |text| {
            let more = [br#"{"x":""#.as_slice(), b"\xc0\xaf", br#"","#].concat();
            [&more, &text.as_bytes()[1..]].concat()
        }),
        ("half a letter", |text| {
            text.replacen('{', r#"{"x":"\ud800","#, 1).into_bytes()
        }),
        ("UTF-16", |text| {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        ("a NUL", |text| [text.as_bytes(), b"\0"].concat()),
    ];
    for (what, edit) in edits {
        let source = refused_file(move |file| edit(String::from_utf8(file).unwrap())).await;
        assert!(
            matches!(source, MetadataError::Json { .. }),
            "{what}: {source:?}"
        );
    }
}

/// Nesting without end, which would exhaust the stack of a reader that recurses.
#[tokio::test]
async fn brackets_in_brackets_without_end() {
    for open in ["[", r#"{"a":"#] {
        let source = refused_file(move |file| {
            let text = String::from_utf8(file).unwrap();
            let deep = open.repeat(8_000 / open.len());
            text.replacen('{', &format!(r#"{{"x":{deep}"#), 1)
                .into_bytes()
        });
        assert!(matches!(source.await, MetadataError::Json { .. }), "{open}");
    }
}

/// Members of another type than TUF gives them, which readers convert each in its own way: numbers in
/// quotes, a list of one as its member, a negative length, the word for yes.
#[tokio::test]
async fn members_of_another_type() {
    for (from, to) in [
        (r#""version":2}"#, r#""version":"2"}"#),
        (r#""version":2}"#, r#""version":[2]}"#),
        (r#""version":2}"#, r#""version":-2}"#),
        (r#""version":2}"#, r#""version":true}"#),
        (r#""_type":"timestamp""#, r#""_type":["timestamp"]"#),
        (r#""expires":""#, r#""expires":["x"],"y":""#),
    ] {
        let mut repository = Simulator::bare();
        repository.publish();
        let user = User::of(&repository).lenient();
        repository.tamper("timestamp").text(move |text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        });
        repository.publish();
        let refused = user.refused(&repository).await;
        assert!(
            matches!(refused, Rejection::Malformed { .. }),
            "{to}: {refused:?}"
        );
        repository.publish();
        user.refresh(&repository).await.unwrap();
    }
}

/// Lists [`files::ANCHOR`] with these hashes, the file being honest, and returns what a client says.
async fn refused_hashes(hashes: serde_json::Value, bytes: &'static [u8]) -> Rejection {
    let mut repository = Simulator::standard();
    repository.root.consistent_snapshot = false;
    repository.publish();
    let user = User::of(&repository);
    let file = TargetFile::new(bytes.len() as u64, metadata::Sha256::of(bytes));
    repository.list_target("targets", files::ANCHOR, file);
    repository.serve_target(files::ANCHOR, bytes);
    repository.tamper("targets").json(move |targets| {
        targets["targets"][files::ANCHOR]["hashes"] = hashes;
    });
    repository.publish();
    user.refused_file(&repository, files::ANCHOR).await
}

/// Downgrade of the digest: hashes of algorithms that nobody knows, or that are broken, prove nothing,
/// and a file without a hash that counts is refused (5.7.3).
#[tokio::test]
async fn target_with_hashes_that_prove_nothing() {
    let bytes = b"bytes";
    for hashes in [
        serde_json::json!({"md5": "4b3a6218bb3e3a7303e8a171a60fcf92"}),
        serde_json::json!({"sha1": "00", "crc32": "00"}),
    ] {
        let refused = refused_hashes(hashes, bytes).await;
        let is_hash = matches!(
            &refused,
            Rejection::TargetMismatch {
                why: Mismatch::Hash,
                ..
            }
        );
        assert!(is_hash, "{refused:?}");
    }
}

/// A target with two hashes of which one fits: all that are known have to (5.7.3).
#[tokio::test]
async fn target_of_which_one_hash_fits() {
    let bytes = b"bytes";
    let sha256 = metadata::Sha256::of(bytes).to_string();
    let hashes = serde_json::json!({"sha256": sha256, "sha512": "00".repeat(64)});
    let refused = refused_hashes(hashes, bytes).await;
    let is_hash = matches!(
        &refused,
        Rejection::TargetMismatch {
            why: Mismatch::Hash,
            ..
        }
    );
    assert!(is_hash, "{refused:?}");
}

/// A target without any hash (4.5: one or more): its bytes would be anybody's.
#[tokio::test]
async fn target_without_hashes() {
    let refused = refused_hashes(serde_json::json!({}), b"bytes").await;
    let is_member = matches!(
        &refused,
        Rejection::Malformed {
            role: Role::Targets,
            source: MetadataError::Member { .. }
        }
    );
    assert!(is_member, "{refused:?}");
}

/// Decompression bombs: metadata is never decompressed, whatever its first bytes or the answer's
/// headers say (TAP 10). A bomb is what it is, some bytes that are no JSON.
#[tokio::test]
async fn compressed_metadata_stays_compressed() {
    let gzip_of_zeros =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xed\xc1\x01\x0d\x00\x00\x00\xc2\xa0";
    let zstd_of_zeros = b"\x28\xb5\x2f\xfd\xa4\x00\x00\x00\x40\x00\x00";
    for bomb in [&gzip_of_zeros[..], &zstd_of_zeros[..]] {
        let source = refused_file(move |_| bomb.to_vec()).await;
        fails(matches!(source, MetadataError::Json { .. }), &source);
    }
}
