"""Changes of `trust` that tests/controls/mutants makes and no attack can notice, and why.

By their description, which names file, function and change.
"""

MORE_WORK = "a search then asks the bin where it could have stopped before it: the same answer, one role more"

SURVIVORS = {
    "edge.rs: Edge<'_>::is_bin gives false": MORE_WORK,
    "walked.rs: Lookup::asks_for_bin gives false": MORE_WORK,
    "session/checks.rs: check_verified has `!=` for `==` in "
    "`if listed.length == Some(length) && listed.hashes == Some(&hashes) {`":
        "in the first of the two comparisons: what is not seen to be equal at once is compared in full",
    "session/timed.rs: Timed::is_held gives false": "the held timestamp is then written once more, the same bytes",
}
