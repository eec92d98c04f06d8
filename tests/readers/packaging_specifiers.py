"""Answers with pip's own copy of `packaging` which versions a set of specifiers takes.

Each line of stdin holds specifiers and versions, each after a tab. Each line of stdout is `invalid`, or for
each version `1` or `0`: whether it is in the set, pre-releases allowed; then a tab, and which of them `filter`
leaves, in the same form.
"""

import sys

from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.version import Version


def answer(line: str) -> str:
    specifiers, *versions = line.rstrip("\n").split("\t")
    try:
        taken = SpecifierSet(specifiers)
    except InvalidSpecifier:
        return "invalid"
    parsed = [Version(version) for version in versions]
    inside = [taken.contains(version, prereleases=True) for version in parsed]
    left = set(taken.filter(versions))
    return bits(inside) + "\t" + bits(version in left for version in versions)


def bits(flags) -> str:
    return "".join("1" if flag else "0" for flag in flags)


for line in sys.stdin:
    print(answer(line))
