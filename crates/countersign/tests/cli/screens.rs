//! The program's screens, as transcripts: what changes here, users see.

#[test]
fn screens_are_as_written_down() {
    trycmd::TestCases::new().case("tests/screens/*.trycmd");
}
