//! Drafts, lints, differences in words, plans. Pure.
