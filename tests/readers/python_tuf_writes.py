"""Writes a TUF repository as the conformance suite's simulator does: by python-tuf, keys P-256, JSON with indentation.

Usage: python_tuf_writes.py FOLDER

FOLDER gets metadata/ and targets/. Top-level targets list `plain.txt`; the role `odd/role?`, to which they delegate
`dir/*`, lists `dir/file.txt`. The bytes of each file are its path. Python's web server decodes what it is asked for, so
the file of that role lies in a folder.
"""

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

DELEGATED = "odd/role?"
# That of the suite's own documents.
SPECIFICATION = "1.0.31"


def main(folder):
    metadata, targets = Path(folder, "metadata"), Path(folder, "targets")
    expires = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
    names = ("root", "timestamp", "snapshot", "targets", DELEGATED)
    signers = {name: CryptoSigner.generate_ecdsa() for name in names}
    about = {"expires": expires, "spec_version": SPECIFICATION}

    def put(document, name, file):
        signed = Metadata(document)
        signed.sign(signers[name])
        (metadata / file).parent.mkdir(exist_ok=True)
        signed.to_file(str(metadata / file), JSONSerializer(compact=False))

    def listed(path):
        data = path.encode()
        file = TargetFile.from_data(path, data, ["sha256"])
        there = targets / Path(path).parent / f"{file.hashes['sha256']}.{Path(path).name}"
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
        return {path: file}

    root = Root(**about)
    for name in names[:4]:
        root.add_key(signers[name].public_key, name)
    put(root, "root", "1.root.json")
    put(Targets(targets=listed("dir/file.txt"), **about), DELEGATED, f"1.{DELEGATED}.json")
    role = DelegatedRole(DELEGATED, [], 1, False, paths=["dir/*"])
    top = Targets(targets=listed("plain.txt"), delegations=Delegations({}, {DELEGATED: role}), **about)
    top.add_key(signers[DELEGATED].public_key, DELEGATED)
    put(top, "targets", "1.targets.json")
    meta = {"targets.json": MetaFile(1), f"{DELEGATED}.json": MetaFile(1)}
    put(Snapshot(meta=meta, **about), "snapshot", "1.snapshot.json")
    put(Timestamp(snapshot_meta=MetaFile(1), **about), "timestamp", "timestamp.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
