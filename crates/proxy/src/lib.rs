//! Serves installers only what `client` verified.
