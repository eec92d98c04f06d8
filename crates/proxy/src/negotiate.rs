//! Which form of a project page a client wants (PEP 691 "Version + Format Selection").

/// A form of a project page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PEP 691 JSON.
    Json,
    /// PEP 691 HTML, asked for by its own media type.
    Html,
    /// The same as `text/html`, for clients from before PEP 691.
    PlainHtml,
}

impl Form {
    /// In the order in which the proxy would rather serve them.
    const ALL: [Self; 3] = [Self::Json, Self::Html, Self::PlainHtml];

    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "application/vnd.pypi.simple.v1+html",
            Self::PlainHtml => "text/html; charset=utf-8",
        }
    }

    /// How exactly a media range names this form: 3 itself, 2 its type, 1 everything, 0 not.
    fn specificity(self, range: &str) -> u8 {
        let (itself, latest, type_range) = match self {
            Self::Json => (
                "application/vnd.pypi.simple.v1+json",
                "application/vnd.pypi.simple.latest+json",
                "application/*",
            ),
            Self::Html => (
                "application/vnd.pypi.simple.v1+html",
                "application/vnd.pypi.simple.latest+html",
                "application/*",
            ),
            Self::PlainHtml => ("text/html", "text/html", "text/*"),
        };
        if range.eq_ignore_ascii_case(itself) || range.eq_ignore_ascii_case(latest) {
            3
        } else if range.eq_ignore_ascii_case(type_range) {
            2
        } else {
            u8::from(range == "*/*")
        }
    }

    /// The form to serve for an `Accept` header, `None` if it allows none. Where a client names
    /// none of them, it is one that knows nothing of PEP 691 and gets `text/html`.
    #[must_use]
    pub fn choose(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
            return Some(Self::PlainHtml);
        };
        let ranges: Vec<(&str, u16)> = accept.split(',').filter_map(media_range).collect();
        let weigh = |form: Self| {
            // The most specific range that covers the form decides (RFC 9110 section 12.5.1).
            let (specificity, quality) = ranges
                .iter()
                .map(|(range, quality)| (form.specificity(range), *quality))
                .filter(|(specificity, _)| *specificity > 0)
                .max_by_key(|(specificity, _)| *specificity)?;
            let preference = match (specificity, form) {
                (3, Self::Json) | (1 | 2, Self::PlainHtml) => 2,
                (_, Self::Html) => 1,
                _ => 0,
            };
            (quality > 0).then_some((quality, specificity, preference))
        };
        Self::ALL
            .into_iter()
            .filter_map(|form| Some((weigh(form)?, form)))
            .max_by_key(|(weight, _)| *weight)
            .map(|(_, form)| form)
    }
}

/// A media range and its quality in thousandths.
fn media_range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let quality = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(Some(1000), |(_, value)| thousandths(value.trim()))?;
    Some((range, quality))
}

/// `0`, `1` or a decimal between, of at most three places (RFC 9110 section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    if places.len() > 3 || !places.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places: u16 = format!("{places:0<3}").parse().ok()?;
    match (whole, places) {
        ("0", places) => Some(places),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn installers_get_what_they_prefer() {
        let pip = "application/vnd.pypi.simple.v1+json, \
                   application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        for (accept, form) in [
            (Some(pip), Some(Form::Json)),
            (
                Some("application/vnd.pypi.simple.v1+json, */*;q=0.1"),
                Some(Form::Json),
            ),
            (Some("text/html"), Some(Form::PlainHtml)),
            (Some("*/*"), Some(Form::PlainHtml)),
            (None, Some(Form::PlainHtml)),
            (
                Some("application/vnd.pypi.simple.latest+html"),
                Some(Form::Html),
            ),
            (
                Some("text/html, application/vnd.pypi.simple.v1+json;q=0.9"),
                Some(Form::PlainHtml),
            ),
            (
                Some("text/html, application/vnd.pypi.simple.v1+json"),
                Some(Form::Json),
            ),
            (Some("application/*"), Some(Form::Html)),
            (Some("*/*, text/html;q=0"), Some(Form::Html)),
            (Some("application/json"), None),
            (Some("text/html;q=0"), None),
            (Some("text/html;q=2"), None),
            (Some(" "), Some(Form::PlainHtml)),
            (
                Some("text/html,application/xhtml+xml,*/*;q=0.8"),
                Some(Form::PlainHtml),
            ),
            (Some("application/vnd.pypi.simple.v2+json"), None),
        ] {
            assert_eq!(Form::choose(accept), form, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(accept in "[ -~]{0,60}") {
            let _ = Form::choose(Some(&accept));
        }

        #[test]
        fn qualities_are_ordered(a in 0u16..=1000, b in 0u16..=1000) {
            let text = |q: u16| if q == 1000 { "1".to_owned() } else { format!("0.{q:03}") };
            prop_assert_eq!(thousandths(&text(a)), Some(a));
            let accept = format!(
                "text/html;q={}, application/vnd.pypi.simple.v1+json;q={}", text(a), text(b)
            );
            let chosen = Form::choose(Some(&accept));
            if a > b {
                prop_assert_eq!(chosen, Some(Form::PlainHtml));
            } else if b > 0 {
                prop_assert_eq!(chosen, Some(Form::Json));
            }
        }
    }
}
