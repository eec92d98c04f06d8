"""Prints the sample greeting: a source distribution with a console script."""

import sys

from countersign_sample_greeter import greet


def main():
    """Greets the first argument, or the verified world."""
    print(greet(*sys.argv[1:2]))
