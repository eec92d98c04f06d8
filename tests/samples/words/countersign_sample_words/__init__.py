"""Words for the countersign samples."""

HELLO = "hello"
WORLD = "verified world"
