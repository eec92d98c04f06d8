//! Reads a whole repository through our client, then through tough.
