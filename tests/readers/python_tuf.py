"""Reads a TUF repository with python-tuf, the reference client: a judge that shares no code with us.

Usage: python_tuf.py METADATA_URL TARGETS_URL TRUSTED_ROOT WORK_DIR [TARGET_PATH ...]

Refreshes, then looks up and downloads each target in order. Prints one JSON object per target,
{"path", "sha256", "length", "local"}, and exits with 0; at the first failure prints
{"error": CLASS, "message": TEXT} and exits with 1. A path after `!` must not be found, and is
reported as {"gone"}. WORK_DIR keeps its metadata between runs, so
that a second run in the same WORK_DIR is a warm client.
"""

import hashlib
import json
import sys
from pathlib import Path

from tuf.ngclient import Updater


class TargetNotFound(Exception):
    """No role answered for the target path."""


class TargetFound(Exception):
    """A role answered for a target path that should be gone."""


def main(metadata_url, targets_url, trusted_root, work_dir, *target_paths):
    metadata_dir, target_dir = Path(work_dir, "metadata"), Path(work_dir, "targets")
    warm = (metadata_dir / "root.json").exists()
    for folder in (metadata_dir, target_dir):
        folder.mkdir(parents=True, exist_ok=True)
    updater = Updater(
        str(metadata_dir),
        metadata_url,
        str(target_dir),
        targets_url,
        bootstrap=None if warm else Path(trusted_root).read_bytes(),
    )
    updater.refresh()
    for path in target_paths:
        if path.startswith("!"):
            if updater.get_targetinfo(path[1:]) is not None:
                raise TargetFound(path[1:])
            report(gone=path[1:])
            continue
        target = updater.get_targetinfo(path)
        if target is None:
            raise TargetNotFound(path)
        local = Path(updater.download_target(target))
        content = local.read_bytes()
        report(path=path, sha256=hashlib.sha256(content).hexdigest(), length=len(content),
               local=str(local))


def report(**fields):
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Exception as error:  # every class is an answer here: the caller judges it by its name
        report(error=type(error).__name__, message=str(error))
        sys.exit(1)
