//! Fetches with limits, keeps the datastore, updates and downloads.
