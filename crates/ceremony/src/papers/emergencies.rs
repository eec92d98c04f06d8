//! The scripts for what nobody planned.

use super::Facts;
use super::script::{Text, step};

pub(super) fn key_lost() -> Text {
    Text {
        title: "A key is lost",
        purpose: "Gone, and surely in nobody else's hands: a broken token, a forgotten passphrase, a \
                  burnt house.",
        steps: vec![
            step(
                "holder",
                "tell the administrator the same day; `exception.md`",
            )
            .or("somebody else may have it", "key-compromised.md"),
            step("administrator", "count the keys of the role that are left")
                .or("fewer than the threshold", "below-quorum.md")
                .or(
                    "exactly the threshold: this week, not this month",
                    "holder-change.md",
                ),
            step(
                "holder",
                "get a new token or medium; a new key for the same person is a holder change",
            )
            .or("", "holder-change.md"),
        ],
    }
}

pub(super) fn key_compromised() -> Text {
    Text {
        title: "A key may be in other hands",
        purpose: "Stolen, copied, left alone with somebody, or used without its holder. Treat a doubt as \
                  a fact.",
        steps: vec![
            step("holder or operator", "tell the administrator at once, by telephone")
                .or("it is the online key", "@online")
                .or("it is a root key", "@root"),
            step(
                "administrator",
                "a key of targets or bins: whoever has it can list files that clients accept as soon \
                 as the online key helps them; replace it today",
            )
            .or("", "holder-change.md"),
            step(
                "administrator",
                "count the root keys that may be in the same hands: below the threshold they sign \
                 nothing alone",
            )
            .label("root")
            .or("fewer than the threshold: replace them today", "rotation.md")
            .or("the threshold or more", "emergency.md"),
            step(
                "operator",
                "stop the signer; take the key out of it; keep the machine as it is for those who \
                 look into it",
            )
            .label("online"),
            step(
                "administrator",
                "`online-rotation.md` in one event, without `--overlap`: clients then forget the \
                 versions that the thief could push up (TUF 5.3.11)",
            )
            .or("", "online-rotation.md"),
            step(
                "operator",
                "compare every file the index serves with what was taken in; withdraw what was not",
            )
            .or("users installed something that was not", "emergency.md"),
        ],
    }
}

pub(super) fn below_quorum() -> Text {
    Text {
        title: "Fewer holders than the threshold",
        purpose: "As long as the published root is valid, clients go on; what the online key signs goes \
                  on too.",
        steps: vec![
            step("administrator", "call every holder, also those who left: old keys may still count")
                .or("enough come after all", "renewal.md"),
            step("administrator", "is it targets or bins? The threshold of root can replace their keys")
                .or("root has its threshold", "holder-change.md"),
            step(
                "administrator",
                "note the day on which root expires: until then the index can be trusted, from then \
                 on nobody can install",
            ),
            step(
                "administrator",
                "a new genesis, with other holders; users are told the new first root by every other \
                 way there is, two of them independent of the index",
            )
            .or("", "genesis.md"),
            step("everybody", "write down why; more keys than before, in more places"),
        ],
    }
}

pub(super) fn abort(facts: &Facts) -> Text {
    let event = &facts.event;
    Text {
        title: "Abort",
        purpose: "Nothing in an event is published before `publish-set` reaches the index. Stopping costs \
                  an\nafternoon; going on with a doubt costs every user.",
        steps: vec![
            step(
                "whoever sees it",
                "say “stop” aloud; nobody signs any more; `exception.md`",
            ),
            step(
                "administrator",
                format!(
                    "keep `{event}` and every copy as they are; write on them “not to be used”"
                ),
            )
            .or("it was combined and given to the index", "emergency.md"),
            step(
                "witnesses",
                "`C transcript EVENT` of every copy; who did what, when",
            ),
            step(
                "everybody",
                "find the reason before the next event: a damaged copy, a wrong clock, a mistyped \
                 name, or somebody who wants something else signed",
            )
            .or(
                "a signature was given over what should not be signed",
                "key-compromised.md",
            )
            .or(
                "the reason was found and is harmless: plan anew, in a new folder",
                "the script you came from",
            ),
        ],
    }
}

pub(super) fn emergency() -> Text {
    Text {
        title: "Emergency",
        purpose: "What is published is not what was signed, or enough root keys to replace all others \
                  are in other\nhands. Users come first.",
        steps: vec![
            step("operator", "take the index off line, or serve it read-only from the last good copy"),
            step(
                "administrator",
                "tell users by every way there is: what happened, since when, what to do until you \
                 say more; sign the text with something that is no key of this index",
            ),
            step("administrator", "call all holders; nobody signs alone or by telephone"),
            step(
                "holders",
                "count root keys that are surely good: is the threshold of the published root among \
                 them?",
            )
            .or("yes: replace every other key in one event", "rotation.md")
            .or("no: nothing that is signed can be told from what a thief signs", "@again"),
            step(
                "administrator",
                "afterwards also replace online keys without overlap, and what they listed",
            )
            .or("", "key-compromised.md"),
            step(
                "administrator",
                "a new genesis; the old first root is named as no longer to be trusted",
            )
            .label("again")
            .or("", "genesis.md"),
            step("everybody", "publish the folders of all events, and what you know"),
        ],
    }
}
