//! The `key` commands of both programs with keys on a token.

use std::path::Path;

use cryptoki::object::{Attribute, ObjectClass};

use crate::hsm::{Hsm, PIN, with_shim, with_softhsm};
use crate::programs::desk::{Desk, PROGRAMS};

/// A desk with the PIN in a file.
fn desk(hsm: &Hsm) -> Desk {
    hsm.add_token("Desk");
    let mut desk = Desk::new();
    desk.write("pin", &format!("{PIN}\n"));
    desk.write("wrong", "0000-wrong\n");
    desk.set("COUNTERSIGN_PKCS11_MODULE", &hsm.module);
    desk
}

const TYPES: [(&str, &str); 3] = [
    ("ed25519", "ed25519"),
    ("ecdsa-p256", "ecdsa-sha2-nistp256"),
    ("rsa-3072", "rsassa-pss-sha256"),
];

/// Made by one program, found, shown and checked by both.
#[test]
fn keys_are_made_listed_shown_and_checked() {
    with_softhsm(|hsm| {
        let desk = desk(hsm);
        for (at, (key_type, scheme)) in TYPES.into_iter().enumerate() {
            let name = format!("pkcs11:token=Desk;object={key_type}");
            let new = format!(
                "key new {name} --type {key_type} --passphrase-file pin --public-key {key_type}.pub"
            );
            let made = desk.json(PROGRAMS[at % 2], &new);
            assert_eq!(made["scheme"], scheme);
            assert_eq!(made["token"]["label"], "Desk");
            desk.write_root("root.json", &made);
            desk.write_targets("bins.json", &made);
            for program in PROGRAMS {
                // Without a PIN: nobody was asked for one, and stdin is closed.
                let shown = desk.json(program, &format!("key show {name}"));
                let file = desk.json(program, &format!("key show {key_type}.pub"));
                for member in ["keyid", "keytype", "scheme", "fingerprint", "key"] {
                    assert_eq!(shown[member], made[member], "{member}");
                    assert_eq!(file[member], made[member], "{member}");
                }
                assert_eq!(shown["uri"], made["uri"], "the name that fits it alone");
                let check = format!(
                    "key check {name} --passphrase-file pin --root root.json --targets bins.json"
                );
                let checked = desk.json(program, &check);
                assert_eq!(checked["signs"], true);
                assert_eq!(checked["roles"], serde_json::json!(["root", "bins"]));
            }
        }
        for program in PROGRAMS {
            let list = |options: &str| desk.json(program, &format!("key list {options}"));
            for (options, private) in [("", false), ("--login --passphrase-file pin", true)] {
                let listed = list(options);
                let keys = listed["tokens"][0]["keys"].as_array().unwrap();
                assert_eq!(keys.len(), 3, "{listed}");
                for key in keys {
                    assert_eq!(key["private"], private);
                    let uri = key["uri"].as_str().unwrap();
                    let shown = desk.json(program, &format!("key show {uri}"));
                    assert_eq!(shown["keyid"], key["keyid"]);
                }
            }
        }
    });
}

/// People read what programs get as JSON: id, fingerprint in hex and in words, type, place, token.
#[test]
fn a_shown_key_says_what_it_is_and_where() {
    with_softhsm(|hsm| {
        let desk = desk(hsm);
        let name = "pkcs11:token=Desk;object=root";
        let new = format!("key new {name} --passphrase-file pin");
        let made = desk.ok("countersign-ceremony", &new);
        for program in PROGRAMS {
            let shown = desk.ok(program, &format!("key show {name}"));
            assert_eq!(shown, made);
        }
        let labels: Vec<&str> = made
            .lines()
            .take(6)
            .map(|line| line.split("  ").next().unwrap())
            .collect();
        let expected = ["key id", "hex", "type", "where", "token", "words"];
        assert_eq!(labels, expected, "{made}");
        let serial = &hsm.serials()[0];
        assert!(made.contains(&format!("serial={serial};object=root;id=")));
        assert!(made.contains("type    ecdsa, scheme ecdsa-sha2-nistp256\n"));
    });
}

/// What goes wrong at a token is named, with what to do.
#[test]
fn what_goes_wrong_is_named_with_what_to_do() {
    with_softhsm(|hsm| {
        let desk = desk(hsm);
        let new = "key new pkcs11:token=Desk;object=root --passphrase-file pin";
        let made = desk.json("countersign", new);
        desk.write_root("root.json", &made);
        let other = "key new pkcs11:token=Desk;object=other --passphrase-file pin";
        desk.ok("countersign", other);
        for program in PROGRAMS {
            let fails = |line: &str| desk.run(program, line).expect(1);
            let key = "pkcs11:token=Desk;object=root";
            fails(&format!("key check {key} --passphrase-file wrong")).says(&[
                "refused the PIN; few attempts are left before it locks\n",
                "hint: check the PIN before trying again",
            ]);
            fails(&format!("key check {key}")).says(&["hint: give --passphrase-file,"]);
            fails("key check pkcs11:token=Desk;object=none --passphrase-file pin").says(&[
                "the token has no such private key; it has `",
                "hint: `key list --login` lists",
            ]);
            fails("key check pkcs11:token=Desk --passphrase-file pin")
                .says(&["several keys match, name one by `object` and `id`: "]);
            fails("key show pkcs11:token=Desk")
                .says(&["several keys match, name one by `object` and `id`: "]);
            fails("key show pkcs11:token=None").says(&["no such token; there is token `Desk`"]);
            // A key that signs, but for none of these roles.
            fails(
                "key check pkcs11:token=Desk;object=other --passphrase-file pin --root root.json",
            )
            .says(&["serves no role of the metadata given"]);
            let module = "key show pkcs11:object=root?module-path=/nonexistent/module.so";
            fails(module).says(&["the PKCS#11 module `/nonexistent/module.so` cannot be used"]);
        }
        // Two tokens of one name: their serial numbers tell them apart.
        hsm.add_token("Desk");
        for program in PROGRAMS {
            let line = "key check pkcs11:token=Desk;object=root --passphrase-file pin";
            let told = desk.run(program, line).expect(1);
            for serial in hsm.serials() {
                assert!(told.stderr.contains(&serial), "{}", told.stderr);
            }
            let uri = made["uri"].as_str().unwrap();
            desk.ok(program, &format!("key check {uri} --passphrase-file pin"));
        }
    });
}

/// A token that is pulled out between two commands.
#[test]
fn a_token_that_is_gone_is_named() {
    with_softhsm(|hsm| {
        let desk = desk(hsm);
        let key = "pkcs11:token=Desk;object=root";
        desk.ok(
            "countersign",
            &format!("key new {key} --passphrase-file pin"),
        );
        let tokens = hsm.folder.join("tokens");
        let away = hsm.folder.join("away");
        std::fs::rename(&tokens, away).unwrap();
        std::fs::create_dir(Path::new(&tokens)).unwrap();
        for program in PROGRAMS {
            let check = format!("key check {key} --passphrase-file pin");
            desk.run(program, &check).expect(1).says(&[
                "no such token; there is none\n",
                "hint: insert the token; `key list` lists those there are",
            ]);
        }
    });
}

/// A token that locks after three wrong PINs, as real ones do: what is left is told, the last attempt is
/// not spent unasked, and a locked token gets no PIN at all.
#[test]
fn attempts_are_counted_and_never_wasted() {
    with_shim(|hsm| {
        let desk = desk(hsm);
        let key = "pkcs11:token=Desk;object=root";
        let new = format!("key new {key} --passphrase-file pin");
        desk.ok("countersign-ceremony", &new);
        hsm.switch_on("locks", "");
        let check = |program: usize, options: &str| {
            desk.run(PROGRAMS[program], &format!("key check {key} {options}"))
        };
        let wrong = "--passphrase-file wrong";
        let said = check(0, wrong).expect(1);
        said.says(&["refused the PIN; few attempts are left before it locks\n"]);
        let said = check(1, wrong).expect(1);
        said.says(&["refused the PIN; one attempt is left before it locks\n"]);
        let sent = hsm.logins();
        for program in [0, 1] {
            let said = check(program, "--passphrase-file pin").expect(1);
            said.says(&[
                "one attempt is left before the token `Desk`",
                "hint: --last-pin-attempt sends it all the same",
            ]);
        }
        assert_eq!(hsm.logins(), sent);
        let said = check(0, &format!("{wrong} --last-pin-attempt")).expect(1);
        said.says(&["refused the PIN and is locked now"]);
        let sent = hsm.logins();
        for program in [0, 1] {
            let said = check(program, "--passphrase-file pin --last-pin-attempt").expect(1);
            said.says(&["is locked; its PUK or security officer unlocks it"]);
            // What anybody may see is shown still.
            desk.ok(PROGRAMS[program], &format!("key show {key}"));
        }
        assert_eq!(hsm.logins(), sent);
        hsm.switch_off("locks");
        hsm.switch_on("removed", "");
        for program in [0, 1] {
            let said = check(program, "--passphrase-file pin").expect(1);
            said.says(&["no such token; there is none"]);
        }
    });
}

/// Of keys that want the PIN for every signature, and of tokens that show no public key unasked.
#[test]
fn always_authenticating_keys_are_made_and_checked() {
    with_softhsm(|hsm| {
        let desk = desk(hsm);
        let key = "pkcs11:token=Desk;object=slot-9c";
        let new = format!("key new {key} --always-authenticate --passphrase-file pin");
        let made = desk.json("countersign", &new);
        for program in PROGRAMS {
            let check = format!("key check {key} --passphrase-file pin");
            assert_eq!(desk.json(program, &check)["keyid"], made["keyid"]);
            let list = "key list pkcs11:token=Desk --login --passphrase-file pin";
            let listed = desk.json(program, list);
            assert_eq!(listed["tokens"][0]["keys"][0]["always_authenticate"], true);
        }
        // Without its public half, only a login shows that the key is there.
        let session = hsm.session();
        let public = [Attribute::Class(ObjectClass::PUBLIC_KEY)];
        for object in session.find_objects(&public).unwrap() {
            session.destroy_object(object).unwrap();
        }
        drop(session);
        for program in PROGRAMS {
            let show = format!("key show {key}");
            let said = desk.run(program, &show).expect(1);
            said.says(&["hint: give --passphrase-file,"]);
            let said = desk.run(program, &format!("{show} --passphrase-file pin"));
            said.expect(1)
                .says(&["the token shows no public key for it; import it"]);
        }
    });
}
