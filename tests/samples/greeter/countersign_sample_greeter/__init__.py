"""Puts sample words together: a distribution with a dependency."""

from countersign_sample_words import HELLO, WORLD


def greet(whom=WORLD):
    """Returns the greeting in one line."""
    return f"{HELLO}, {whom}"
