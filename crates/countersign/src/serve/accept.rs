//! Which form of a project page a client wants (PEP 691 "Version + Format Selection").

/// A form of a project page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// PEP 691.
    Json,
    /// PEP 503, under the name it has had since PEP 691.
    Html,
    /// PEP 503, as it was always named.
    TextHtml,
}

impl Form {
    /// In order of our preference among what a client likes equally.
    const ALL: [Self; 3] = [Self::Json, Self::TextHtml, Self::Html];

    /// The file that holds it.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Json => "index.json",
            Self::Html | Self::TextHtml => "index.html",
        }
    }

    /// Its content type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "application/vnd.pypi.simple.v1+html",
            Self::TextHtml => "text/html; charset=utf-8",
        }
    }

    /// How far a media range of an Accept header covers it; `None` if it does not.
    fn covered_by(self, range: &str) -> Option<u8> {
        let names: &[&str] = match self {
            Self::Json => &[
                "application/vnd.pypi.simple.v1+json",
                "application/vnd.pypi.simple.latest+json",
            ],
            Self::Html => &[
                "application/vnd.pypi.simple.v1+html",
                "application/vnd.pypi.simple.latest+html",
            ],
            Self::TextHtml => &["text/html"],
        };
        let family = match self {
            Self::Json | Self::Html => "application/*",
            Self::TextHtml => "text/*",
        };
        if names.contains(&range) {
            Some(2)
        } else if range == family {
            Some(1)
        } else {
            (range == "*/*").then_some(0)
        }
    }
}

/// The form an Accept header asks for; `None` if it takes none of ours. Without a wish (no header, or
/// `*/*`) it is HTML, which everybody reads.
pub(super) fn choose(accept: Option<&str>) -> Option<Form> {
    let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else {
        return Some(Form::TextHtml);
    };
    let ranges: Vec<(String, u16)> = accept.split(',').filter_map(range).collect();
    if ranges.iter().all(|(range, _)| range == "*/*") {
        return ranges.iter().any(|(_, q)| *q > 0).then_some(Form::TextHtml);
    }
    let mut best: Option<(u16, Form)> = None;
    for form in Form::ALL {
        // The most specific range decides (RFC 9110 12.5.1).
        let covering = ranges
            .iter()
            .filter_map(|(range, q)| Some((form.covered_by(range)?, *q)));
        if let Some((_, q)) = covering.max()
            && q > best.map_or(0, |(most, _)| most)
        {
            best = Some((q, form));
        }
    }
    best.map(|(_, form)| form)
}

/// `type/subtype;q=0.5` as range and thousandths; `None` if it cannot be read.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next()?.to_ascii_lowercase();
    let mut q = 1000;
    for part in parts {
        if let Some(value) = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")) {
            let value: f32 = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
            // Between 0 and 1000 after the check above.
            #[allow(clippy::cast_sign_loss)]
            {
                q = (value * 1000.0) as u16;
            }
        }
    }
    Some((range, q))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_installers_send_gets_what_they_prefer() {
        let pip = "application/vnd.pypi.simple.v1+json, \
                   application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        let uv = "application/vnd.pypi.simple.v1+json, \
                  application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";
        let poetry = "application/vnd.pypi.simple.v1+json;q=0.9, text/html;q=1.0";
        for (accept, form) in [
            (Some(pip), Some(Form::Json)),
            (Some(uv), Some(Form::Json)),
            (Some(poetry), Some(Form::TextHtml)),
            (None, Some(Form::TextHtml)),
            (Some("*/*"), Some(Form::TextHtml)),
            (
                Some("text/html,application/xhtml+xml,*/*;q=0.8"),
                Some(Form::TextHtml),
            ),
            (
                Some("application/vnd.pypi.simple.latest+json"),
                Some(Form::Json),
            ),
            (
                Some("application/vnd.pypi.simple.v1+html"),
                Some(Form::Html),
            ),
            (Some("text/html;q=0, application/*"), Some(Form::Json)),
            (Some("application/vnd.pypi.simple.v2+json"), None),
            (Some("text/html;q=0"), None),
        ] {
            assert_eq!(choose(accept), form, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_stand_in_the_header(text in "\\PC{0,60}") {
            choose(Some(&text));
        }
    }
}
