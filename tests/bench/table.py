"""Runs every row once, each in a process of its own, and prints the table.

Usage: table.py PROGRAM PYTHON [--large] [--only TABLE]; PROGRAM is countersign-bench built for release, PYTHON has
python-tuf. `--large` adds the row with ten million targets. TABLE is one of signing, deltas, clients, claims.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EVERYBODY = ("ours", "python-tuf", "floor")
SIGNING = [
    "generate:100000",
    "generate:1000000",
    "generate:1000000:p256",
    "generate:1000000:stored",
    "publish-3",
    "publish-3:p256",
    "publish-1000",
    "publish-1000:stored",
    "resign",
    "resign:p256",
    "timestamp",
    "snapshot",
    "snapshot:p256",
]
CLIENT = ["client-warm", "client-cold", "verify-bin"]
# Targets, bins, how they are listed.
REPOSITORIES = [
    (100_000, 256, "prefixes"),
    (100_000, 256, "succinct"),
    (100_000, 16_384, "succinct"),
    (1_000_000, 256, "prefixes"),
    (1_000_000, 256, "succinct"),
    (1_000_000, 16_384, "succinct"),
]
# Bins that changed between the two snapshots.
DELTAS = [3, 100, 970, 16_384]
CYCLES = ["rehearse-1000", "tick-first", "tick-3", "tick-1000", "tick-timestamp"]


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout)


def run(program, python, row, who, *repository):
    if who == "python-tuf":
        script = os.path.join(HERE, "python_tuf_bench.py")
        return measure([python, script, row, *repository])
    return measure([program, "row", row, who, *repository])


def seconds(figures):
    if figures is None:
        return "–"
    cpu = figures["cpu"]
    if cpu >= 1:
        return f"{cpu:.2f} s"
    if cpu >= 0.001:
        return f"{1000 * cpu:.1f} ms"
    return f"{1e6 * cpu:.0f} µs"


def ratio(one, other):
    return f"{one['cpu'] / other['cpu']:.2f}" if one and other else "–"


def show(row, figures):
    ours, tuf, floor = (figures.get(who) for who in EVERYBODY)
    cells = [
        row,
        seconds(tuf),
        seconds(floor),
        seconds(ours),
        ratio(tuf, ours),
        ratio(ours, floor),
        f"{ours['wall']:.3g} s",
        f"{ours['rss'] / 1e6:.0f} MB",
        f"{ours['written'] / 1e6:.1f} MB",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    program, python = sys.argv[1:3]
    tables = {"signing": signing, "deltas": deltas, "clients": clients, "claims": claims}
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
    for name, table in tables.items():
        if only in (None, name):
            table(program, python)


def signing(program, python):
    """What an index signs, against the floor; and whole cycles."""
    print("| row | python-tuf | floor | ours | python-tuf / ours | ours / floor | wall | RSS | written |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in SIGNING:
        show(row, {who: run(program, python, row, who) for who in EVERYBODY})
    if "--large" in sys.argv:
        row = "generate:10000000"
        show(row, {who: run(program, python, row, who) for who in ("ours", "floor")})
    for row in CYCLES:
        show(row, {"ours": run(program, python, row, "ours")})


def claims(program, python):
    """Projects whose developers sign, and what is left of each limit."""
    print("\n| row | python-tuf | ours | python-tuf / ours | requests | fetched |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as repository:
        written = measure([program, "claims", repository, "10000"])
        print(f"| claims | – | {seconds(written)} | – | – | – |", flush=True)
        for row in ("client-warm", "client-claimed"):
            tuf, ours = (run(program, python, row, who, repository) for who in ("python-tuf", "ours"))
            asked = f"{tuf['requests']} / {ours['requests']}"
            fetched = " / ".join(f"{one['fetched'] / 1e3:.0f} kB" for one in (tuf, ours))
            cells = [row, seconds(tuf), seconds(ours), ratio(tuf, ours), asked, fetched]
            print("| " + " | ".join(cells) + " |", flush=True)
    print("\n" + json.dumps(written["head_room"]))


def deltas(program, python):
    """What snapshot deltas cost and save."""
    print("\n| bins changed | delta | plain file | make and check | apply |")
    print("|---|---|---|---|---|")
    for changed in DELTAS:
        made, applied = (run(program, python, f"delta-{what}:{changed}", "ours") for what in ("make", "apply"))
        sizes = (f"{one['fetched'] / 1e3:.1f} kB" for one in (made, applied))
        print(f"| {changed:,} | {' | '.join(sizes)} | {seconds(made)} | {seconds(applied)} |", flush=True)


def clients(program, python):
    """Three clients on the same repositories; tough reads no succinct bins, and every bin before it answers."""
    everybody = ("python-tuf", "tough", "ours")
    print("\n| row | targets, bins | python-tuf | tough | ours | python-tuf / ours | tough / ours | RSS | requests | fetched |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for targets, bins, form in REPOSITORIES:
        with tempfile.TemporaryDirectory() as repository:
            made = [program, "repository", repository, str(targets), str(bins), form]
            subprocess.run(made, check=True)
            for row in CLIENT:
                if row == "verify-bin" and (targets, bins) != (1_000_000, 16_384):
                    continue
                figures = {who: run(program, python, row, who, repository)
                           for who in everybody if who != "tough" or form == "prefixes"}
                tuf, tough, ours = (figures.get(who) for who in everybody)
                beside = lambda show: " / ".join(show(one) if one else "–" for one in (tuf, tough, ours))
                cells = [row, f"{targets:,} in {bins:,} {form}", seconds(tuf), seconds(tough), seconds(ours),
                         ratio(tuf, ours), ratio(tough, ours),
                         beside(lambda one: f"{one['rss'] / 1e6:.0f}") + " MB",
                         beside(lambda one: str(one["requests"])),
                         beside(lambda one: f"{one['fetched'] / 1e3:,.0f}") + " kB"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
