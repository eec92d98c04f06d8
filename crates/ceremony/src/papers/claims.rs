//! The script for projects whose developers sign.

use super::Facts;
use super::script::{Text, step};
use super::scripts::from_the_plan_on;

pub(super) fn developer_claims(facts: &Facts) -> Text {
    let event = &facts.event;
    let plan =
        format!("`C plan claim {event} --from published --after LAST-EVENT --claims claims.json");
    let mut steps = vec![
        step(
            "operator",
            "`countersign index claims list`: projects that are recently claimed, since when, by which \
             keys, and those for which other keys wait",
        )
        .or("one is not known to you, or its age is under what you agreed", "@without"),
        step(
            "operator",
            "`countersign index claims export --to claims.json`; hand it over, read the first sixteen \
             digits of its SHA-256 aloud",
        )
        .label("export"),
        step(
            "administrator",
            "copy the `VERSION.ROLE.json` of root, targets, bins, `claimed` and every `claimed-SS` that \
             the index serves into the folder `published`; `C verify LAST-EVENT --against published`",
        )
        .or(
            "it is refused: what is published is not what was signed last",
            "emergency.md",
        ),
        step(
            "administrator",
            format!("{plan} --shard SHARD`; the very first time also `--claimed-key NAME=FILE … \
                     --claimed-shard-key NAME=FILE …`"),
        )
        .label("plan")
        .or("all that wait are moved, and it is planned", "@copies")
        .or("only some projects are moved", "@without")
        .or("a claimed project has lost its keys, changes them, or changes hands", "@keys")
        .or("a claimed project is given back to the index", "@release"),
        step(
            "administrator",
            format!("some of them: {plan} --project NAME …`"),
        )
        .label("without")
        .or("it is planned", "@copies"),
        step(
            "administrator",
            format!("other keys: {plan} --keys-of NAME …`; its developers hand over the release that \
                     they have signed with them"),
        )
        .label("keys")
        .or("too few of its keys vouch for the new ones and the time is not over", "abort.md")
        .or("it is planned", "@copies"),
        step(
            "administrator",
            format!("given back: {plan} --release NAME …`; tell its users first"),
        )
        .label("release"),
    ];
    steps.extend(from_the_plan_on(facts));
    steps.push(
        step(
            "operator",
            "where a project got other keys, its release went in with the set: `countersign index apply \
             … --transaction FILE`",
        )
        .or("`the registrations are not those it was planned with`", "@export"),
    );
    Text {
        title: "Claims of developers",
        purpose: "Projects whose developers sign move from the online role `recently-claimed` to a shard of \
                  the offline role\n`claimed`; their keys change there. One event for one shard, every two \
                  to four weeks. Whoever registers\nother keys meanwhile voids the event of that shard: \
                  `index apply` refuses it, and a new one is planned.\nA project that is renamed claims its \
                  new name like any other; the old one stays claimed, with an empty\nrelease, so that nobody \
                  else gets it. So does one that is deleted.",
        steps,
    }
}
