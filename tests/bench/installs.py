#!/usr/bin/env python3
"""What it costs to install through the proxy, beside installing from the same index directly.

Usage: installs.py PROGRAM [--pairs N] [--only ROW]; PROGRAM is countersign built for release. The fifty projects of
installs.txt are downloaded once from the registry this machine is configured for, signed by `quickstart` and served
by `serve`. Each pair installs all of them twice, in an order that changes from pair to pair: from the plain pages of
that server, and through countersign.

cold: `exec` on a machine that has just been told to trust the index; nothing of it is in any cache.
warm: a proxy that runs and has verified everything before; the installers' caches are empty.

CPU is of the installer, of what it starts and of countersign, without the server's. The environment is new each time;
nothing is compiled to bytecode in it, which pip would do otherwise and take twice as long.
"""

import argparse
import contextlib
import http.client
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = HERE.parent / ".env"
PYTHON, UV = ENV / "venv/bin/python", ENV / "venv/bin/uv"
LIST = HERE / "installs.txt"
PAIRS = 15
# Ranks, from either end, between which the median of that many lies with 95 % or more, whatever the distribution.
RANKS = {15: 4, 11: 2, 9: 2, 7: 1, 6: 1}
REQUESTS = 4_000


def main():
    parser = argparse.ArgumentParser(prog="installs.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--pairs", type=int, default=PAIRS, choices=sorted(RANKS))
    parser.add_argument("--only", default="", help="rows that have this in their name, such as `uv warm`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.program.resolve(), Path(folder))
        with bench.index():
            print("| row | direct, CPU | through, CPU | added CPU | direct, wall | through, wall | added wall |")
            print("|---|---|---|---|---|---|---|", flush=True)
            for row in ("pip cold", "pip warm", "uv cold", "uv warm"):
                if arguments.only in row:
                    bench.row(*row.split(), arguments.pairs)
            bench.pages()


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = clean(folder)
        self.random = random.Random(1)
        self.number = 0
        lines = [line.split()[0] for line in LIST.read_text().splitlines() if not line.startswith("#")]
        self.projects = lines

    @contextlib.contextmanager
    def index(self):
        """Signs the projects, serves them, and has a proxy verify all of them."""
        data = ["--data-dir", self.folder / "data"]
        self.run("quickstart", "--once", "--port", "0", *data, packages(self.folder))
        port, proxy_port = free_port(), free_port()
        self.server = f"http://127.0.0.1:{port}/"
        self.root = self.folder / "data/ceremony/publish-set/1.root.json"
        with self.serving(port, "serve", *data, "--listen", f"127.0.0.1:{port}"):
            self.trust(self.folder / "warm", proxy_port)
            self.warm = f"http://127.0.0.1:{proxy_port}/"
            with self.serving(proxy_port, "proxy", "--index", "main", "--home", self.folder / "warm") as self.proxy:
                self.install("uv", self.warm + "simple/")
                yield

    def trust(self, home, port):
        self.run("trust", "add", "main", self.server, "--root", self.root, "--home", home, "--proxy-port", str(port))

    def run(self, *words):
        done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: countersign {words[0]}: {done.stderr}")

    @contextlib.contextmanager
    def serving(self, port, *words):
        with (self.folder / f"{words[0]}.log").open("w") as log:
            process = subprocess.Popen([self.program, *words], env=self.environment, stdout=log, stderr=log)
        try:
            wait_for(port)
            yield process
        finally:
            process.terminate()
            process.wait()

    def row(self, installer, state, pairs):
        """Measures pairs and prints their medians and the interval of what is added."""
        ways = [lambda: self.install(installer, self.server + "simple/"),
                lambda: self.through(installer, state)]
        figures = []
        for _ in range(pairs):
            order = self.random.sample((0, 1), 2)
            pair = {way: ways[way]() for way in order}
            figures.append((pair[0], pair[1]))
        cells = []
        for kind in (0, 1):
            direct = statistics.median(pair[0][kind] for pair in figures)
            through = statistics.median(pair[1][kind] for pair in figures)
            added = sorted(100 * (pair[1][kind] / pair[0][kind] - 1) for pair in figures)
            rank = RANKS[pairs]
            cells += [f"{direct:.2f} s", f"{through:.2f} s", f"{statistics.median(added):+.1f} % "
                      f"({added[rank - 1]:+.1f} to {added[-rank]:+.1f})"]
        print(f"| {installer} {state} | " + " | ".join(cells) + " |", flush=True)

    def through(self, installer, state):
        if state == "warm":
            before = cpu_of(self.proxy.pid)
            cpu, wall = self.install(installer, self.warm + "simple/")
            return cpu + cpu_of(self.proxy.pid) - before, wall
        home = self.folder / "cold"
        self.trust(home, free_port())
        figures = self.install(installer, None, [self.program, "exec", "--home", home, "--"])
        shutil.rmtree(home)
        return figures

    def install(self, installer, index, before=()):
        """Installs everything into a new environment; CPU and wall seconds."""
        self.number += 1
        place, cache = self.folder / f"environment-{self.number}", self.folder / f"cache-{self.number}"
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", place], check=True)
        python = place / "bin/python"
        command = {
            "pip": [PYTHON, "-m", "pip", "--python", python, "install", "-q", "--no-compile"],
            "uv": [UV, "pip", "install", "-q", "--python", python],
        }[installer]
        environment = dict(self.environment, PIP_CACHE_DIR=cache, UV_CACHE_DIR=cache)
        if index:
            environment |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index, "PIP_TRUSTED_HOST": "127.0.0.1"}
        started, used = time.monotonic(), children()
        done = subprocess.run([*before, *command, *self.projects], env=environment, capture_output=True, text=True)
        figures = children() - used, time.monotonic() - started
        if done.returncode:
            sys.exit(f"error: {installer} ended with {done.returncode}: {done.stderr[-2000:]}")
        found = len(list(place.glob("lib/python*/site-packages/*.dist-info")))
        if found != len(self.projects):
            sys.exit(f"error: {installer} installed {found} projects, not {len(self.projects)}")
        for left in (place, cache):
            shutil.rmtree(left, ignore_errors=True)
        return figures

    def pages(self):
        """CPU of the proxy for a page of a project whose metadata is in hand."""
        names = [project.split("==")[0] for project in self.projects]
        connection = http.client.HTTPConnection(self.warm.split("/")[2])
        before = cpu_of(self.proxy.pid)
        for number in range(REQUESTS):
            headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
            connection.request("GET", f"/simple/{names[number % len(names)]}/", headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit(f"error: a page answered {answer.status}")
        each = (cpu_of(self.proxy.pid) - before) / REQUESTS
        print(f"\na page whose metadata is in hand: {1000 * each:.3f} ms CPU of the proxy, of {REQUESTS} requests")


def packages(folder):
    """The fifty wheels, downloaded where they are not there yet."""
    kept = ENV / "bench-packages"
    if not kept.exists():
        unfinished = folder / "packages"
        subprocess.run([PYTHON, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "--only-binary=:all:",
                        "--platform=any", "--abi=none", "-d", unfinished, "-r", LIST], check=True)
        shutil.move(unfinished, kept)
    return kept


def clean(home):
    """The machine's environment without what leads installers elsewhere."""
    theirs = ("PIP_", "UV_", "VIRTUAL_ENV", "COUNTERSIGN_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(theirs)}
    return {**kept, "HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}


def children():
    """CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(pid):
    """CPU seconds of a process that runs, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    sys.exit(f"error: nothing listens on port {port}")


if __name__ == "__main__":
    main()
