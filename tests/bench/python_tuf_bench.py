"""The rows of `countersign-bench`, done with python-tuf's Metadata API and its client.

Usage: python_tuf_bench.py ROW [REPOSITORY]; prints one line of JSON like the Rust program's.
Targets, bins, lifetimes and the work that is timed are the same; only the keys are its own.
"""

import copy
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from hashlib import sha256

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig
from tuf.api.exceptions import DownloadHTTPError

BINS = 16_384
COMPACT = JSONSerializer(compact=True)
EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=7)


class Meter:
    """A clock that can be paused."""

    def __init__(self):
        self.cpu = self.wall = 0.0
        self.repeats = 1

    def __enter__(self):
        self.started = time.process_time(), time.perf_counter()

    def __exit__(self, *_):
        self.cpu += time.process_time() - self.started[0]
        self.wall += time.perf_counter() - self.started[1]


def path_of(number):
    name = f"project-{number:08}"
    shard = sha256(name.encode()).hexdigest()[:2]
    return f"simple/{shard}/{name}/vnd.pypi.simple.v1.json"


def bin_of(path):
    return int.from_bytes(sha256(path.encode()).digest()[:2]) >> 2


def stream(count):
    """Numbers of targets by bin."""
    bins = [[] for _ in range(BINS)]
    for number in range(count):
        bins[bin_of(path_of(number))].append(number)
    return bins


def drawn(numbers):
    paths = sorted((path_of(number), number) for number in numbers)
    return [
        (path, 2_000 + number % 1_000, sha256(path.encode()).hexdigest())
        for path, number in paths
    ]


class Bench:
    def __init__(self, options):
        p256 = "p256" in options
        self.signer = CryptoSigner.generate_ecdsa() if p256 else CryptoSigner.generate_ed25519()
        numbers = [int(option) for option in options if option.isdigit()]
        self.count = numbers[0] if numbers else 1_000_000
        self.folder = tempfile.TemporaryDirectory() if "stored" in options else None
        self.meter = Meter()

    def finish(self, metadata, name):
        """Signs, serializes, hashes; writes if files are asked for."""
        metadata.sign(self.signer)
        data = metadata.to_bytes(COMPACT)
        digest = sha256(data).hexdigest()
        if self.folder:
            with open(os.path.join(self.folder.name, name), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        return data, digest

    def make_bin(self, index, targets, version=1):
        files = {
            path: TargetFile(length, {"sha256": digest}, path)
            for path, length, digest in targets
        }
        metadata = Metadata(Targets(version, None, EXPIRES, files))
        return self.finish(metadata, f"{version}.bins-{index:04x}.json")[0]

    def renew(self, index, data, added=()):
        metadata = Metadata.from_bytes(data)
        metadata.signed.version += 1
        metadata.signed.expires = EXPIRES
        for path, length, digest in added:
            metadata.signed.targets[path] = TargetFile(length, {"sha256": digest}, path)
        self.finish(metadata, f"{metadata.signed.version}.bins-{index:04x}.json")

    def generate(self):
        for index, numbers in enumerate(stream(self.count)):
            targets = drawn(numbers)
            with self.meter:
                self.make_bin(index, targets)

    def resign(self):
        for index, numbers in enumerate(stream(self.count)):
            data = self.unstored(index, numbers)
            with self.meter:
                self.renew(index, data)

    def unstored(self, index, numbers):
        folder, self.folder = self.folder, None
        data = self.make_bin(index, drawn(numbers))
        self.folder = folder
        return data

    def snapshot_metadata(self):
        meta = {f"bins-{index:04x}.json": MetaFile(1) for index in range(BINS)}
        for name in ("targets.json", "bins.json"):
            meta[name] = MetaFile(1, 1_000, {"sha256": "00" * 32})
        return Metadata(Snapshot(1, None, EXPIRES, meta))

    def publish(self, files):
        bins = stream(self.count)
        by_bin = {}
        for number in range(self.count, self.count + files):
            by_bin.setdefault(bin_of(path_of(number)), []).append(number)
        old = {index: self.unstored(index, bins[index]) for index in by_bin}
        del bins
        snapshot = self.snapshot_metadata()
        added = {index: drawn(numbers) for index, numbers in by_bin.items()}
        with self.meter:
            for index, data in old.items():
                self.renew(index, data, added[index])
                snapshot.signed.meta[f"bins-{index:04x}.json"].version += 1
            snapshot.signed.version += 1
            data, digest = self.finish(snapshot, "2.snapshot.json")
            self.make_timestamp(data, digest)

    def make_timestamp(self, data, digest):
        listed = MetaFile(2, len(data), {"sha256": digest})
        self.finish(Metadata(Timestamp(2, None, EXPIRES, listed)), "timestamp.json")

    def timestamp(self):
        self.meter.repeats = 200
        for _ in range(self.meter.repeats):
            with self.meter:
                self.make_timestamp(b"x" * 500_000, "00" * 32)

    def snapshot(self):
        self.meter.repeats = 10
        snapshot = self.snapshot_metadata()
        for _ in range(self.meter.repeats):
            with self.meter:
                snapshot.signed.version += 1
                self.finish(snapshot, "snapshot.json")


class Files(FetcherInterface):
    """Fetches from a folder; counts."""

    requests = fetched = 0

    def _fetch(self, url):
        Files.requests += 1
        try:
            with open(url.removeprefix("file://"), "rb") as file:
                data = file.read()
                Files.fetched += len(data)
                yield data
        except FileNotFoundError as error:
            raise DownloadHTTPError("not found", 404) from error


def updater(repository, datastore, root):
    config = UpdaterConfig(snapshot_max_length=5_000_000)
    url = f"file://{repository}"
    return Updater(
        datastore,
        f"{url}/metadata/",
        target_base_url=f"{url}/targets/",
        fetcher=Files(),
        config=config,
        bootstrap=root,
    )


def claimed_path_of(number):
    name = f"project-{number:08}"
    shard = hashlib.sha256(name.encode()).hexdigest()[:2]
    return f"packages/{shard}/{name}/{name.replace('-', '_')}-1.0.tar.gz"


def client(meter, row, repository):
    with open(f"{repository}/metadata/1.root.json", "rb") as file:
        root = file.read()
    meter.repeats = 10
    for _ in range(meter.repeats):
        before = Files.requests, Files.fetched
        with tempfile.TemporaryDirectory() as datastore:
            if row == "client-warm":
                updater(repository, datastore, root).refresh()
                Files.requests, Files.fetched = before
                with meter:
                    updater(repository, datastore, root).refresh()
            else:
                with meter:
                    one = updater(repository, datastore, root)
                    one.refresh()
                    path = claimed_path_of(7) if row == "client-claimed" else path_of(7)
                    assert one.get_targetinfo(path) is not None


def verify_bin(meter, repository):
    read = lambda name: open(f"{repository}/metadata/{name}", "rb").read()
    bins = Metadata[Targets].from_bytes(read("1.bins.json"))
    data = read("1.bins-0000.json")
    meter.repeats = 50
    for _ in range(meter.repeats):
        with meter:
            parsed = Metadata[Targets].from_bytes(data)
            bins.signed.verify_delegate("bins-0000", parsed.signed_bytes, parsed.signatures)


def main():
    row = sys.argv[1]
    work, *options = row.split(":")
    bench = Bench(options)
    if work.startswith("client-"):
        client(bench.meter, work, sys.argv[2])
    elif work == "verify-bin":
        verify_bin(bench.meter, sys.argv[2])
    elif work.startswith("publish-"):
        bench.publish(int(work.removeprefix("publish-")))
    else:
        getattr(bench, work)()
    meter = bench.meter
    print(json.dumps({
        "row": row,
        "who": "python-tuf",
        "cpu": meter.cpu / meter.repeats,
        "wall": meter.wall / meter.repeats,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "requests": Files.requests // meter.repeats,
        "fetched": Files.fetched // meter.repeats,
        "written": 0,
    }))


if __name__ == "__main__":
    main()
