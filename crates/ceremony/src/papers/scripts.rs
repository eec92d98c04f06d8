//! The scripts of ceremonies that were planned for.

use super::Facts;
use super::script::{Step, Text, step};

/// Review, sign, combine, verify, hand over: what all ceremonies end with.
pub(super) fn from_the_plan_on(facts: &Facts) -> Vec<Step> {
    let event = &facts.event;
    let mut steps = vec![
        step(
            "administrator",
            format!("give every holder and witness a copy of the folder `{event}`"),
        )
        .label("copies"),
        step(
            "everybody",
            format!("`C review {event} --holder NAME`, each on their own machine; read every line"),
        )
        .or(
            "a line begins with `CAUTION:` and nobody expected it",
            "abort.md",
        )
        .or(
            "a holder, threshold or expiry is not what was agreed",
            "abort.md",
        ),
        step(
            "everybody",
            "read the sixteen words of the event to each other, with their numbers, one person \
             four words",
        )
        .label("words")
        .or("one word differs: there are two events", "abort.md"),
        step(
            "holders of new keys",
            "compare the words of each new key with those written down when it was made",
        )
        .or("one word differs", "abort.md"),
    ];
    steps.extend(signing(facts));
    steps.extend([
        step(
            "administrator",
            format!("`C merge {event} COPY…`, then `C status {event}`"),
        )
        .or("somebody is missing who can still come", "@sign")
        .or(
            "the threshold cannot be reached any more",
            "below-quorum.md",
        )
        .or("copies differ", "abort.md"),
        step("administrator", format!("`C combine {event}`")),
        step(
            "witnesses",
            format!(
                "`C verify {event}` on a machine of their own; write the digest of the event and \
                 of the last step of the transcript into `witness.md`"
            ),
        )
        .or("it is refused", "abort.md"),
        step(
            "operator",
            format!(
                "`countersign index apply {event}/publish-set`, then `countersign online tick`"
            ),
        )
        .or("it is refused: nothing was published", "abort.md"),
        step(
            "administrator",
            format!("`C verify {event} --against METADATA`, METADATA as the index serves it"),
        )
        .or("it is refused", "emergency.md"),
        step(
            "holders",
            "seal the keys; fill in `custody.md` and `seals.md`; keep the folder, publish it",
        ),
    ]);
    steps
}

/// A row for each holder, where it is known who they are.
fn signing(facts: &Facts) -> Vec<Step> {
    let event = &facts.event;
    let sign = |holder: &str| {
        format!(
            "`C sign {event} --holder '{holder}' --key URI --reviewed DIGEST`, on their own copy"
        )
    };
    let refused = "it is refused: do what `hint:` says, once";
    if facts.signers.is_empty() {
        let one = step("each holder", sign("NAME"))
            .label("sign")
            .or(refused, "@here");
        return vec![one];
    }
    let mut steps = Vec::new();
    for (at, (holder, documents)) in facts.signers.iter().enumerate() {
        let count = documents.len();
        let times = if count == 1 {
            "signature"
        } else {
            "signatures"
        };
        let does = format!(
            "{}: {} ({count} {times}, and one for the transcript)",
            sign(holder),
            documents.join(", ")
        );
        let one = step(holder, does).or(refused, "@here");
        steps.push(if at == 0 { one.label("sign") } else { one });
    }
    steps
}

/// The same program on every machine, and keys with proof.
fn program_and_keys(occasion: &str) -> Vec<Step> {
    vec![
        step(
            "witnesses",
            "`sha256sum` of the program on every machine; read it aloud, compare it with the \
             release",
        )
        .or("one differs", "abort.md"),
        step(
            "everybody",
            "compare the clock of every machine with a watch; all within a minute",
        )
        .or(
            "one is wrong: set it before anything is written",
            "abort.md",
        ),
        step(
            "administrator",
            format!("`C invite invitation.json --name '{occasion} DATE'`; hand it to the holders"),
        ),
        step(
            "each holder",
            "`C key new FILE.pem`, or on a token `C key new 'pkcs11:token=…;object=…' --public-key \
             FILE.pub`; then write the sixteen words of `C key show FILE.pub` into `custody.md`",
        )
        .label("keys")
        .or("it is refused", "@keys"),
        step(
            "each holder",
            "`C join invitation.json --holder NAME --key URI --out NAME.join`; hand over NAME.join",
        ),
    ]
}

pub(super) fn genesis(facts: &Facts) -> Text {
    let mut steps = program_and_keys("genesis");
    steps.push(
        step(
            "administrator",
            format!(
                "`C plan genesis {} --policy {} --invitation invitation.json --root-key \
                 NAME=NAME.join … --targets-key NAME=NAME.join --bins-key NAME=NAME.join \
                 --online-key signer=FILE.pub`",
                facts.event, facts.policy
            ),
        )
        .label("plan")
        .or(
            "lines of `cause:` come: mend what they name, plan into a new folder",
            "@plan",
        ),
    );
    steps.extend(from_the_plan_on(facts));
    Text {
        title: "Genesis",
        purpose: "The first root, targets and bins of an index. Administrator, internal witness, \
                  every holder,\nat least one external witness.",
        steps,
    }
}

/// From what the index serves.
pub(super) fn fetch() -> Step {
    step(
        "administrator",
        "copy the `VERSION.ROLE.json` of root, targets and bins that the index serves, and of `claimed` and \
         its shards where there are any, into the folder `published`; `C verify LAST-EVENT --against \
         published`",
    )
    .or(
        "it is refused: what is published is not what was signed last",
        "emergency.md",
    )
}

pub(super) fn renewal(facts: &Facts) -> Text {
    let mut steps = vec![
        fetch(),
        step(
            "administrator",
            format!(
                "`C plan renew {} --from published --after LAST-EVENT`",
                facts.event
            ),
        )
        .or("a published file is refused", "emergency.md"),
    ];
    steps.extend(from_the_plan_on(facts));
    Text {
        title: "Renewal",
        purpose: "New versions with the same keys and fresh expiries. Begin 60 days before the \
                  first offline role\nexpires; be done at 30. The policy stays that of the last \
                  event unless `--policy` says otherwise.",
        steps,
    }
}

pub(super) fn rotation(facts: &Facts) -> Text {
    let mut steps = program_and_keys("rotation");
    steps.extend([
        fetch(),
        step(
            "administrator",
            format!(
                "`C plan rotate-root {} --from published --after LAST-EVENT --invitation \
                 invitation.json --root-key NAME=NAME.join …`: every root key there will be",
                facts.event
            ),
        )
        .label("plan")
        .or(
            "lines of `cause:` come: mend what they name, plan into a new folder",
            "@plan",
        ),
    ]);
    steps.extend(from_the_plan_on(facts));
    Text {
        title: "Rotation of root keys",
        purpose: "Other root keys, as many at once as the policy allows. The threshold of the \
                  published root and\nthat of the new one both sign: holders who leave come once \
                  more. Clients follow every root there\never was; do this when there is a reason, \
                  not by the calendar.",
        steps,
    }
}

pub(super) fn holder_change(facts: &Facts) -> Text {
    let event = &facts.event;
    let base = format!("{event} --from published --after LAST-EVENT");
    let mut steps = program_and_keys("change");
    steps.extend([
        fetch(),
        step(
            "administrator",
            format!(
                "one comes: `C plan add-holder {base} --invitation invitation.json --root-key \
                 NAME=NAME.join`"
            ),
        )
        .label("plan")
        .or("one comes for another", "@replace")
        .or("one only goes", "@remove"),
        step(
            "administrator",
            format!(
                "one for another: `C plan replace-holder {base} --invitation invitation.json \
                 --holder OLD --root-key NAME=NAME.join`; `--targets-key` and `--bins-key` too \
                 where OLD has them"
            ),
        )
        .label("replace")
        .or("it is planned", "@copies"),
        step(
            "administrator",
            format!("one goes: `C plan remove-holder {base} --holder OLD`"),
        )
        .label("remove")
        .or("`the policy asks for` more keys", "@replace"),
    ]);
    steps.extend(from_the_plan_on(facts));
    Text {
        title: "A holder comes, goes, or gets another key",
        purpose: "Whose key of targets or bins changes makes new versions of the role that lists it \
                  and of the one\nit signs: their holders come too, and `C review` says who signs how \
                  often. The holder who leaves may\nsign for the published root, and need not.",
        steps,
    }
}
