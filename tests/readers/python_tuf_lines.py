"""Reads many TUF repositories with python-tuf, one a line.

Each line of stdin is {"metadata": URL, "targets": URL, "work": DIR, "at": TIME, "path": PATH or null}.
DIR has the trusted root as root.json; a second line with the same DIR is a warm client. TIME is what
the client takes for the time. Prints for each line {"sha256", "versions"}, where versions are those
the snapshot lists, or {"error": CLASS, "message": TEXT}.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

from tuf.ngclient import Updater


def read(metadata, targets, work, at, path):
    trusted, downloads = Path(work, "trusted"), Path(work, "downloads")
    warm = trusted.exists()
    for folder in (trusted, downloads):
        folder.mkdir(exist_ok=True)
    root = None if warm else Path(work, "root.json").read_bytes()
    updater = Updater(str(trusted), metadata, str(downloads), targets, bootstrap=root)
    # TUF 5.1 fixes the time of an update once; here it is the repository's.
    updater._trusted_set.reference_time = datetime.fromisoformat(at)
    updater.refresh()
    snapshot = updater._trusted_set.snapshot
    versions = {name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()}
    if path is None:
        return {"versions": versions}
    target = updater.get_targetinfo(path)
    if target is None:
        return {"error": "TargetNotFound", "message": path}
    content = Path(updater.download_target(target)).read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "versions": versions}


for line in sys.stdin:
    try:
        answer = read(**json.loads(line))
    except Exception as error:  # every class is an answer here: the caller judges it
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer), flush=True)
