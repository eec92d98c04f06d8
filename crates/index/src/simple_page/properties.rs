//! What holds for every page: round trips, one form, no stray markup, no panic.

use super::tests::{file, page, project};
use super::*;
use proptest::prelude::*;

fn any_yanked() -> impl Strategy<Value = Yanked> {
    prop_oneof![
        Just(Yanked::No),
        Just(Yanked::Yes),
        "[^\\p{Cc}]{1,12}".prop_map(Yanked::Because),
    ]
}

prop_compose! {
    fn any_file()(
        version in 0_u16..500,
        suffix in prop_oneof![Just("tar.gz"), Just("zip"), Just("whl")],
        hash in any::<[u8; 32]>(),
        size in 0_u64..(1 << 53),
        requires_python in proptest::option::of("[ -~]{1,12}"),
        micros in proptest::option::of(0_i64..4_000_000_000_000_000),
        yanked in any_yanked(),
        core_metadata in proptest::option::of(any::<[u8; 32]>().prop_map(Sha256::from_bytes)),
    ) -> PageFile {
        let name = match suffix {
            "whl" => format!("Requests-{version}.0-py3-none-any.whl"),
            sdist => format!("requests-{version}.{sdist}"),
        };
        PageFile {
            filename: DistributionFilename::parse(&name).unwrap(),
            sha256: Sha256::from_bytes(hash),
            size,
            requires_python,
            upload_time: micros.and_then(DateTime::from_timestamp_micros),
            yanked,
            core_metadata,
        }
    }
}

proptest! {
    /// Whatever can be published reads back as itself, in canonical bytes, whatever order the files
    /// came in.
    #[test]
    fn round_trip(
        files in prop::collection::vec(any_file(), 0..6),
        reason in proptest::option::of("[^\\p{Cc}]{1,12}"),
    ) {
        let status = Status { marker: ProjectStatus::Deprecated, reason };
        let Ok(page) = SimplePage::new(project("requests"), files.clone(), status.clone()) else {
            let names: BTreeSet<&str> = files.iter().map(|f| f.filename.as_str()).collect();
            prop_assert!(names.len() < files.len());
            return Ok(());
        };
        let bytes = page.render_json();
        prop_assert!(metadata::canonical::is_canonical(&bytes));
        let read = SimplePage::parse_json(&bytes, &project("requests"), &PageLimits::default());
        prop_assert_eq!(read.unwrap(), page);
        let reversed = files.into_iter().rev().collect();
        let reversed = SimplePage::new(project("requests"), reversed, status).unwrap();
        prop_assert_eq!(reversed.render_json(), bytes);
    }

    #[test]
    fn html_has_no_stray_markup(files in prop::collection::vec(any_file(), 0..4)) {
        if let Ok(page) = SimplePage::new(project("requests"), files, Status::default()) {
            let html = page.render_html(mirror_url);
            prop_assert_eq!(html.matches("<a ").count(), page.files().len());
            // Twelve tags around the links; a link has two and its line break.
            let tags = html.matches('<').count();
            prop_assert_eq!(tags, 12 + 3 * page.files().len());
            prop_assert_eq!(html.matches('>').count(), tags);
        }
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = SimplePage::parse_json(&bytes, &project("requests"), &PageLimits::default());
    }

    /// Good pages with one byte replaced: parsed or refused, never a panic, never another project.
    #[test]
    fn one_byte_changed(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = page(vec![file("requests-1.zip")]).render_json();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let limits = PageLimits::default();
        if let Ok(page) = SimplePage::parse_json(&bytes, &project("requests"), &limits) {
            prop_assert!(page.files().iter().all(|f| f.filename.project() == page.project()));
        }
    }
}
