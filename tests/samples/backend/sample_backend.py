"""PEP 517 build backend of the samples: the same sources give the same bytes on every machine.

It knows only what the samples need: one pure package, core metadata in PKG-INFO, and optionally
entry_points.txt. Nothing is compressed, because different zlib builds compress differently.
"""

import base64
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from email.parser import HeaderParser
from pathlib import Path

# The first moment that a zip entry can name; a tar entry takes the same one (seconds since 1970).
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
TAR_TIME = 315532800
# Where an sdist keeps this file: `backend-path` of its pyproject.toml.
BACKEND_FOLDER = "_build"
# The longest stored block of DEFLATE: RFC 1951 3.2.4.
STORED_BLOCK = 65535


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517 hook: writes the wheel of the project in the current folder; returns its name."""
    project = Project(Path.cwd())
    name = f"{project.stem}-py3-none-any.whl"
    Path(wheel_directory, name).write_bytes(project.wheel())
    return name


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517 hook: writes the sdist of the project in the current folder; returns its name."""
    project = Project(Path.cwd())
    name = f"{project.stem}.tar.gz"
    Path(sdist_directory, name).write_bytes(project.sdist())
    return name


class Project:
    """The sources of one sample: its core metadata, and its files by their path."""

    def __init__(self, folder):
        self.folder = folder
        self.metadata = (folder / "PKG-INFO").read_bytes()
        headers = HeaderParser().parsestr(self.metadata.decode())
        self.package = headers["Name"].replace("-", "_")
        self.stem = f"{self.package}-{headers['Version']}"

    def wheel(self):
        """Returns the bytes of the wheel: entries sorted, RECORD last (PEP 427)."""
        info = f"{self.stem}.dist-info"
        files = self.package_files()
        files[f"{info}/METADATA"] = self.metadata
        files[f"{info}/WHEEL"] = (b"Wheel-Version: 1.0\nGenerator: countersign-samples\n"
                                  b"Root-Is-Purelib: true\nTag: py3-none-any\n")
        if (self.folder / "entry_points.txt").exists():
            files[f"{info}/entry_points.txt"] = (self.folder / "entry_points.txt").read_bytes()
        lines = [f"{path},{record_hash(content)},{len(content)}\n"
                 for path, content in sorted(files.items())]
        record = f"{info}/RECORD"
        output = io.BytesIO()
        with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
            for path, content in sorted(files.items()):
                archive.writestr(zip_entry(path), content)
            archive.writestr(zip_entry(record), "".join([*lines, f"{record},,\n"]))
        return output.getvalue()

    def sdist(self):
        """Returns the bytes of the sdist: one folder NAME-VERSION, entries sorted (PEP 625)."""
        files = self.package_files()
        for name in ("PKG-INFO", "pyproject.toml", "entry_points.txt"):
            if (self.folder / name).exists():
                files[name] = (self.folder / name).read_bytes()
        files[f"{BACKEND_FOLDER}/sample_backend.py"] = Path(__file__).read_bytes()
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, content in sorted(files.items()):
                entry = tarfile.TarInfo(f"{self.stem}/{path}")
                entry.size, entry.mtime, entry.mode = len(content), TAR_TIME, 0o644
                archive.addfile(entry, io.BytesIO(content))
        return gzip_stored(output.getvalue())

    def package_files(self):
        """Returns the Python files of the package, by their path with forward slashes."""
        paths = (self.folder / self.package).rglob("*.py")
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def zip_entry(path):
    entry = zipfile.ZipInfo(path, ZIP_TIME)
    # Otherwise the entry says on which system it was made.
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    return entry


def record_hash(content):
    """Returns a file's hash as RECORD wants it: URL-safe base64 without padding."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def gzip_stored(content):
    """Returns a gzip file (RFC 1952) of stored blocks: no name, no time, nothing compressed."""
    header = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    blocks = bytearray()
    for start in range(0, len(content), STORED_BLOCK):
        block = content[start:start + STORED_BLOCK]
        final = start + STORED_BLOCK >= len(content)
        blocks += struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF) + block
    return header + bytes(blocks) + struct.pack("<II", zlib.crc32(content), len(content))
