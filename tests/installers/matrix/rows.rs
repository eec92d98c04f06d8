//! What a dishonest mirror serves in place of what was signed: a row of the matrix each, and each to a
//! project of its own, so that one index carries them all.

/// What was signed of a project, and what of it can be bent.
pub(super) struct Files {
    pub(super) wheel: Vec<u8>,
    pub(super) metadata: Vec<u8>,
    /// A sound wheel of the same name with evil code.
    pub(super) evil: Vec<u8>,
    /// A sound wheel of the same name with one requirement more.
    pub(super) demanding: Vec<u8>,
}

/// What becomes of the pages, the signed one and those of the plain mirror.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pages {
    AsSigned,
    /// They name the sizes and digests of what is served.
    Fitting,
    WithoutHashes,
    /// The signed one ends after this share of its bytes, in percent.
    Cut(usize),
}

type Bend = fn(&Files) -> Vec<u8>;

/// One way to tamper.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Also the end of the project's name.
    pub(super) name: &'static str,
    /// Whether it is about what the project requires, not about its code.
    pub(super) is_of_metadata: bool,
    /// Whether what was signed requires [`DEPENDENCY`].
    pub(super) requires: bool,
    /// Whether everything that is served fits together: who verifies nothing is taken in.
    pub(super) is_consistent: bool,
    pub(super) wheel: Bend,
    pub(super) metadata: Bend,
    pub(super) pages: Pages,
}

/// What the projects of some rows require, or are made to.
pub(super) const DEPENDENCY: &str = "matrix-dependency";

/// The table of what installers check by themselves, and cuts in every part of a file.
pub(super) static ROWS: [Row; 17] = [
    wheel("wheel", |it| it.evil.clone()),
    consistent(wheel("wheel-and-pages", |it| it.evil.clone())),
    metadata("metadata", requiring_more),
    Row {
        wheel: |it| it.demanding.clone(),
        ..consistent(metadata("metadata-and-pages", requiring_more))
    },
    Row {
        pages: Pages::WithoutHashes,
        is_consistent: true,
        ..wheel("page-without-hashes", |it| it.evil.clone())
    },
    wheel("wheel-cut-to-nothing", |_| Vec::new()),
    wheel("wheel-cut-in-a-header", |it| cut(&it.wheel, 20)),
    wheel("wheel-cut-in-a-file", |it| cut(&it.wheel, 120)),
    wheel("wheel-cut-in-the-directory", |it| {
        cut(&it.wheel, find(&it.wheel, b"PK\x01\x02") + 10)
    }),
    wheel("wheel-cut-in-its-end-record", |it| {
        cut(&it.wheel, find(&it.wheel, b"PK\x05\x06") + 10)
    }),
    wheel("wheel-cut-in-its-comment", |it| {
        cut(&it.wheel, it.wheel.len() - 1)
    }),
    consistent(wheel("wheel-cut-and-pages", |it| {
        cut(&it.wheel, it.wheel.len() - 1)
    })),
    wheel("wheel-and-a-byte", |it| [&it.wheel[..], b"\n"].concat()),
    Row {
        requires: true,
        ..metadata("metadata-cut-to-nothing", |_| Vec::new())
    },
    Row {
        requires: true,
        ..metadata("metadata-cut-in-a-requirement", |it| {
            cut(&it.metadata, find(&it.metadata, b"Requires-Dist"))
        })
    },
    Row {
        pages: Pages::Cut(0),
        ..wheel("page-cut-to-nothing", |it| it.wheel.clone())
    },
    Row {
        pages: Pages::Cut(60),
        ..wheel("page-cut-in-a-file", |it| it.wheel.clone())
    },
];

const fn wheel(name: &'static str, wheel: Bend) -> Row {
    Row {
        name,
        is_of_metadata: false,
        requires: false,
        is_consistent: false,
        wheel,
        metadata: |it| it.metadata.clone(),
        pages: Pages::AsSigned,
    }
}

const fn metadata(name: &'static str, metadata: Bend) -> Row {
    Row {
        is_of_metadata: true,
        metadata,
        ..wheel(name, |it| it.wheel.clone())
    }
}

const fn consistent(row: Row) -> Row {
    Row {
        is_consistent: true,
        pages: Pages::Fitting,
        ..row
    }
}

impl Row {
    pub(super) fn project(&self) -> String {
        format!("matrix-{}", self.name)
    }

    pub(super) fn module(&self) -> String {
        self.project().replace('-', "_")
    }
}

fn requiring_more(files: &Files) -> Vec<u8> {
    [&files.metadata[..], b"Requires-Dist: matrix-dependency\n"].concat()
}

fn cut(bytes: &[u8], left: usize) -> Vec<u8> {
    assert!(left < bytes.len());
    bytes[..left].to_vec()
}

fn find(bytes: &[u8], mark: &[u8]) -> usize {
    let mut places = bytes.windows(mark.len());
    places.position(|it| it == mark).expect("the mark is there")
}
