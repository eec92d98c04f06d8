//! The `key` commands of both programs with keys that OpenSSH's agent holds.

use crate::programs::desk::{Desk, PROGRAMS};
use crate::ssh_agent::Agent;

#[test]
fn keys_of_an_agent_are_listed_shown_and_checked() {
    let agent = Agent::start();
    let fingerprint = agent.add("ed25519", "ed", "ada@desk");
    agent.add("ecdsa", "ec", "bo@desk");
    agent.add("rsa", "rsa", "no metadata knows it");
    let mut desk = Desk::new();
    desk.set("SSH_AUTH_SOCK", agent.socket());
    for program in PROGRAMS {
        let listed = desk.json(program, "key list ssh-agent");
        let keys = listed["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 3);
        assert_eq!(keys[0]["uri"], format!("ssh-agent:{fingerprint}"));
        assert_eq!(keys[0]["comment"], "ada@desk");
        assert!(keys[2]["keyid"].is_null(), "{listed}");
        let text = desk.ok(program, "key list ssh-agent");
        assert!(text.contains("cannot sign metadata"), "{text}");
        for (at, comment, scheme) in [
            (0, "ada@desk", "ed25519"),
            (1, "bo@desk", "ecdsa-sha2-nistp256"),
        ] {
            let by_fingerprint = keys[at]["uri"].as_str().unwrap();
            for uri in [by_fingerprint, &format!("ssh-agent:{comment}")] {
                let shown = desk.json(program, &format!("key show {uri}"));
                assert_eq!(shown["keyid"], keys[at]["keyid"]);
                assert_eq!(shown["scheme"], scheme);
                assert_eq!(shown["uri"], uri);
                desk.write_root("root.json", &shown);
                desk.write_targets("bins.json", &shown);
                let check = format!("key check {uri} --root root.json --targets bins.json");
                let checked = desk.json(program, &check);
                assert_eq!(checked["roles"], serde_json::json!(["root", "bins"]));
                let text = desk.ok(program, &check);
                assert!(text.ends_with("serves  root\nserves  bins\n"), "{text}");
            }
        }
    }
}

#[test]
fn what_goes_wrong_is_named_with_what_to_do() {
    let mut agent = Agent::start();
    agent.add("ed25519", "one", "twin");
    agent.add("ed25519", "two", "twin");
    agent.add("ed25519", "ed", "ada");
    let mut desk = Desk::new();
    for program in PROGRAMS {
        let said = desk.run(program, "key check ssh-agent:ada").expect(1);
        said.says(&["no ssh-agent is known; is SSH_AUTH_SOCK set?"]);
    }
    desk.set("SSH_AUTH_SOCK", agent.socket());
    for program in PROGRAMS {
        let fails = |line: &str| desk.run(program, line).expect(1);
        fails("key check ssh-agent:bo").says(&["no such key among its 3; `ssh-add -l` lists"]);
        fails("key check ssh-agent:twin").says(&["holds 2 such keys; name one of SHA256:"]);
        agent.ssh_add(&["-x"]);
        fails("key check ssh-agent:ada").says(&["no such key among its 0"]);
        agent.ssh_add(&["-X"]);
    }
    agent.process.kill().unwrap();
    agent.process.wait().unwrap();
    for program in PROGRAMS {
        let said = desk.run(program, "key list ssh-agent").expect(1);
        said.says(&[
            "no ssh-agent answers at `",
            "hint: start one with ssh-agent",
        ]);
    }
}
