"""A copy of the crates that decide, and of the attacks, in which source may be changed and is never shipped."""

import json
import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What decides, and so is copied and switched.
CRATES = ["metadata", "trust", "index", "policy", "deltas", "client"]
# What the simulator and the attacks need; versions and features are the workspace's.
DEPENDENCIES = ["async-trait", "axum", "bytes", "chrono", "client", "deltas", "futures-util", "hex", "index", "metadata",
                "percent-encoding", "policy", "ring", "rustls", "serde_json", "tempfile", "thiserror", "tokio", "trust",
                "url"]


def copied():
    """Every file of the copy, by its path from the root."""
    files = {path: (ROOT / path).read_bytes() for path in sources()}
    files["Cargo.toml"] = workspace()
    files["tests/Cargo.toml"] = package()
    files["tests/src/lib.rs"] = library()
    files["Cargo.lock"] = (ROOT / "Cargo.lock").read_bytes()
    return files


ATTACKS = ("--package=countersign-tests", "--test=attacks")


def build(copy, files, target, message_format="short", tests=ATTACKS):
    """Writes the copy and builds the tests asked for; what cargo said."""
    write(copy, files)
    command = ["cargo", "test", "--no-run", "--offline", *tests, f"--message-format={message_format}"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0"}
    return subprocess.run(command, cwd=copy, env=environment, text=True, capture_output=True)


def build_program(copy, files, target, shared):
    """Writes the copy and builds `countersign` into `target`; what cargo said, and the program's folder.

    Crates that are not ours are taken from `shared`, where tests/run has built them: with the same features, for the
    package `features` asks for all that any test asks for.
    """
    write(copy, files)
    command = ["cargo", "build", "--offline", "--package=countersign", "--package=features", "--message-format=short"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_BUILD_BUILD_DIR": str(shared),
                   "CARGO_INCREMENTAL": "0"}
    return subprocess.run(command, cwd=copy, env=environment, text=True, capture_output=True), target / "debug"


def copied_program():
    """Every file that `countersign` is built from, by its path from the root."""
    folders = [ROOT / name for name in ("crates", "policy", "keys-ceremony", "tests/samples/dist")]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}
    files["features/Cargo.toml"] = features()
    files["features/src/lib.rs"] = b""
    for path in [path for path in files if path.endswith("Cargo.toml")]:
        files[path] = without_tests(files[path].decode())
    files["Cargo.toml"] = program_workspace()
    files["Cargo.lock"] = (ROOT / "Cargo.lock").read_bytes()
    return files


def features():
    """The manifest of a package that depends on every crate of others, with every feature that somebody wants."""
    wanted = {}
    for package in cargo_metadata()["packages"]:
        for one in package["dependencies"]:
            if one["kind"] != "build" and "path" not in one:
                wanted.setdefault(one["name"], []).append(one)
    lines = []
    for name, asked in sorted(wanted.items()):
        how = {"version": asked[0]["req"], "default-features": any(one["uses_default_features"] for one in asked),
               "features": sorted({feature for one in asked for feature in one["features"]})}
        # JSON's strings, lists and truth values are TOML's as well.
        lines.append(f"{name} = {{ " + ", ".join(f"{key} = {json.dumps(it)}" for key, it in how.items()) + " }")
    head = '[package]\nname = "features"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
    return (head + "\n".join(lines) + "\n").encode()


def without_tests(manifest):
    """A crate's manifest without what its tests need: they are not built."""
    return re.sub(r"(?ms)^\[(?:dev-dependencies|\[test\])\]?\n.*?(?=^\[|\Z)", "", manifest).encode()


def program_workspace():
    """The workspace without its tests. Its own crates are not optimized, everybody else's are as they were built."""
    text = (ROOT / "Cargo.toml").read_text()
    text = re.sub(r"members = .*", 'members = ["crates/*", "features"]', text)
    text = re.sub(r"exclude = .*", "", text)
    own = [package["name"] for package in cargo_metadata()["packages"]
           if Path(package["manifest_path"]).is_relative_to(ROOT / "crates")]
    plain = "".join(f"[profile.dev.package.{name}]\nopt-level = 0\n" for name in own)
    return (text + "\n" + plain).encode()


def target_folder():
    return Path(cargo_metadata()["target_directory"])


def cargo_metadata():
    return json.loads(subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=ROOT))


def sources():
    """Everything that is copied, relative to the root."""
    folders = [ROOT / "crates" / crate for crate in CRATES]
    folders += [ROOT / "tests" / name for name in ("src/simulator", "attacks")]
    # Policy files are read at compile time.
    folders.append(ROOT / "policy")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    paths += [ROOT / "tests/src/user.rs", ROOT / "tests/src/environment.rs"]
    return [str(path.relative_to(ROOT)) for path in paths]


def write(copy, files):
    """Writes only what has changed, so that the next build is short; removes what is gone."""
    for path in copy.rglob("*"):
        if path.is_file() and str(path.relative_to(copy)) not in files:
            path.unlink()
    for path, content in files.items():
        file = copy / path
        if path == "Cargo.lock" and file.exists():
            continue
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def workspace():
    text = (ROOT / "Cargo.toml").read_text()
    members = ", ".join(f'"crates/{crate}"' for crate in CRATES)
    text = re.sub(r"members = .*", f'members = [{members}, "tests"]', text)
    text = re.sub(r"exclude = .*", "", text)
    # Crates that are not copied, and profiles of packages that are not there, would be complained about.
    text = re.sub(r'(?m)^[\w-]+ = \{ package = "countersign-(?!(%s)").*\n' % "|".join(CRATES), "", text)
    text = text[: text.index("[profile.dev.package.")]
    return (text + "\n[profile.dev.package.ring]\nopt-level = 3\n").encode()


def package():
    dependencies = "\n".join(f"{name}.workspace = true" for name in DEPENDENCIES)
    return f"""[package]
name = "countersign-tests"
version = "0.0.0"
edition = "2024"

[dependencies]
{dependencies}

[[test]]
name = "attacks"
path = "attacks/main.rs"
""".encode()


def library():
    text = (ROOT / "tests/src/lib.rs").read_text()
    copied = ["environment", "simulator", "user"]
    return re.sub(r"(?m)^pub mod (?!(?:%s);)\w+;\n" % "|".join(copied), "", text).encode()
