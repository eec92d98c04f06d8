//! The scripts that change the keys of the online signer.

use super::Facts;
use super::script::{Text, step};
use super::scripts::{fetch, from_the_plan_on};

pub(super) fn online_rotation(facts: &Facts) -> Text {
    let event = &facts.event;
    let plan = format!("C plan rotate-online {event} --from published --after LAST-EVENT");
    let mut steps = vec![
        step(
            "operator",
            "make the new key where the signer runs; hand over the public half, read its words aloud",
        )
        .or("the key in use may be in other hands", "key-compromised.md"),
        fetch(),
        step(
            "administrator",
            format!("first event: `{plan} --online-key signer-2=FILE.pub --overlap`"),
        )
        .or("this is the second event: the same without `--overlap`", "@copies"),
    ];
    steps.extend(from_the_plan_on(facts));
    steps.extend([
        step(
            "operator",
            "first event: the signer has both keys; wait a day, watch that clients refresh",
        )
        .or("they do not: the old key still serves", "abort.md"),
        step(
            "administrator",
            "hold the second event, from what is published now",
        ),
        step(
            "operator",
            "second event: the signer has the new key alone; destroy the old one, `destruction.md`",
        ),
    ]);
    Text {
        title: "Another online key, with overlap",
        purpose: "Two events, so that nobody has to hurry: in the first the new key stands beside the \
                  old one, in the\nsecond it stands alone. Root and bins are signed anew each time, and \
                  the signer re-signs what the\nonline key signs in the same cycle that publishes them.",
        steps,
    }
}

pub(super) fn rebin(facts: &Facts) -> Text {
    let event = &facts.event;
    let mut steps = vec![
        step(
            "operator",
            "`countersign index rebin --bins NUMBER`: sizes before and after, and what stands in the way",
        )
        .or("it is refused: choose another number", "abort.md"),
        step(
            "operator",
            "make the new online keys where the signer runs: keys this index has never used; hand over \
             the public halves, read their words aloud",
        ),
        step(
            "operator",
            "`countersign index rebin --bins NUMBER --online-key URI`: every new bin is signed once, for \
             trial, with the new key",
        )
        .or("it is refused: mend what it names", "abort.md"),
        fetch(),
        step(
            "administrator",
            format!(
                "copy every `VERSION.root.json` that the index serves into `published` too; `C plan \
                 rebin {event} --from published --after LAST-EVENT --bins NUMBER --online-key \
                 signer-2=FILE.pub`"
            ),
        )
        .label("plan")
        .or(
            "lines of `cause:` come: mend what they name, plan into a new folder",
            "@plan",
        ),
    ];
    steps.extend(from_the_plan_on(facts));
    steps.extend([
        step(
            "operator",
            "the signer has the new keys before `online tick`; that cycle signs every bin and publishes \
             all at once; uploads go on meanwhile",
        )
        .or("it is refused: what was published before stands", "abort.md"),
        step(
            "operator",
            "destroy the old online keys, `destruction.md`; they sign nothing that a client accepts \
             once it has the new root",
        ),
    ]);
    Text {
        title: "Another number of bins",
        purpose: "The bins of before leave the snapshot, and clients accept that only if no online key \
                  of before stays:\nboth are replaced, without overlap. Root and bins are signed; \
                  everything is published in one switch.\nClients fetch every bin anew once, so do this \
                  when the index has outgrown its bins, not by the calendar.",
        steps,
    }
}
