//! The shipped policy files, compiled in, so that the folder and the program cannot drift apart.

/// Name and text of each file in the folder `policy/`, the default first.
pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "small-index",
        include_str!("../../../policy/small-index.toml"),
    ),
    ("pep458", include_str!("../../../policy/pep458.toml")),
    ("rehearsal", include_str!("../../../policy/rehearsal.toml")),
];

/// The text of the file called `name`.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
