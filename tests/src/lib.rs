//! Whole-system tests: the repository simulator and what the tests share.
