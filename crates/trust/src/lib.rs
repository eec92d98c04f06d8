//! Decides what may be believed. The only maker of `Verified`. Pure.
