"""Writes wheels and source distributions whose bytes depend only on their contents and on `SOURCE_DATE_EPOCH`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import stat
import tarfile
import time
import zipfile
from typing import Dict, Iterable, List, NamedTuple, Tuple

from .project import Project


class Entry(NamedTuple):
    data: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644


EARLIEST = 315532800
"""The earliest time that a zip archive can express: 1980-01-01 in UTC."""


def build_time() -> int:
    """Returns the time of all files, in seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        return EARLIEST
    if not given.isascii() or not given.isdigit():
        raise SystemExit(f"SOURCE_DATE_EPOCH is {given!r}, and must be a number of seconds since 1970")
    return max(int(given), EARLIEST)


def write_wheel(project: Project, directory: str, files: Dict[str, Entry], platforms: Iterable[str]) -> str:
    """Writes the wheel with these files, and returns its name."""
    platforms = list(platforms)
    info = {name: Entry(data) for name, data in project.dist_info(platforms, pure=platforms == ["any"]).items()}
    # The directory .dist-info comes last, so that tools find it without reading the whole archive.
    entries: List[Tuple[str, Entry]] = sorted(files.items()) + sorted(info.items())
    record_name = f"{project.dist_info_name}/RECORD"
    record = [f"{name},sha256={_digest(entry.data)},{len(entry.data)}\n" for name, entry in entries] + [f"{record_name},,\n"]
    entries.append((record_name, Entry("".join(record).encode())))

    name = f"{project.file_name}-{project.version}-py3-none-{'.'.join(platforms)}.whl"
    date = time.gmtime(build_time())[:6]
    with zipfile.ZipFile(os.path.join(directory, name), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, entry in entries:
            member = zipfile.ZipInfo(path, date)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, on every system: otherwise the modes are ignored
            member.external_attr = (stat.S_IFREG | entry.mode) << 16
            archive.writestr(member, entry.data)
    return name


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_sdist(project: Project, directory: str, files: Dict[str, Entry]) -> str:
    """Writes the source distribution with these files, and returns its name."""
    base = f"{project.file_name}-{project.version}"
    name = f"{base}.tar.gz"
    files = {**files, "PKG-INFO": Entry(project.metadata())}
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in sorted(files.items()):
            member = tarfile.TarInfo(f"{base}/{path}")
            member.size, member.mode, member.mtime = len(entry.data), entry.mode, build_time()
            archive.addfile(member, io.BytesIO(entry.data))
    with open(os.path.join(directory, name), "wb") as file:
        # Without a file name and with a fixed time in the header.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=build_time()) as compressed:
            compressed.write(contents.getvalue())
    return name
