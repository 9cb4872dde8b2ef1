"""Checks what a wheel says about itself: `check_wheel.py WHEEL [SOURCE_DATE_EPOCH]`. Prints a line, or fails with what is wrong."""

import base64
import csv
import email.parser
import hashlib
import os
import stat
import sys
import time
import zipfile

path = sys.argv[1]
name, version, python, abi, platforms = os.path.basename(path)[: -len(".whl")].split("-")
archive = zipfile.ZipFile(path)
members = archive.infolist()
paths = [member.filename for member in members]
contents = {member.filename: archive.read(member) for member in members}
info = f"{name}-{version}.dist-info"


def equal(what, found, wanted):
    if found != wanted:
        sys.exit(f"{path}: {what}: found {found!r}, and it must be {wanted!r}")


wheel = email.parser.Parser().parsestr(contents[f"{info}/WHEEL"].decode())
equal("the tags", wheel.get_all("Tag"), [f"{python}-{abi}-{platform}" for platform in platforms.split(".")])
equal("Root-Is-Purelib", wheel["Root-Is-Purelib"], "true" if platforms == "any" else "false")
metadata = email.parser.Parser().parsestr(contents[f"{info}/METADATA"].decode())
equal("the name", metadata["Name"].replace("-", "_"), name)
equal("the version", metadata["Version"], version)
equal("the version of the metadata", metadata["Metadata-Version"], "2.4")
equal("the licence", metadata["License-Expression"], "Apache-2.0 OR MIT")
for licence in metadata.get_all("License-File"):
    assert contents[f"{info}/licenses/{licence}"], licence
equal("the licences of the crates", "LICENSE-THIRD-PARTY" in metadata.get_all("License-File"), platforms != "any")
assert metadata.get_payload().startswith("# "), "there is no description"

record = list(csv.reader(contents[f"{info}/RECORD"].decode().splitlines()))
equal("the files of RECORD", [row[0] for row in record], paths)
equal("the end of RECORD", record[-1], [f"{info}/RECORD", "", ""])
for file, digest, size in record[:-1]:
    wanted = base64.urlsafe_b64encode(hashlib.sha256(contents[file]).digest()).rstrip(b"=").decode()
    equal(f"RECORD, {file}", (digest, size), (f"sha256={wanted}", str(len(contents[file]))))
equal("the order", paths, sorted(paths, key=lambda file: (file.endswith("/RECORD"), file.startswith(info), file)))
if len(sys.argv) > 2:
    # In the format of zip, a second is an even number.
    equal("the times", {member.date_time for member in members}, {tuple(time.gmtime(int(sys.argv[2]) // 2 * 2)[:6])})
programs = [member.filename for member in members if contents[member.filename][:4] == b"\x7fELF"]
for member in members:
    mode = stat.S_IFREG | (0o755 if member.filename in programs else 0o644)
    equal(f"the mode of {member.filename}", oct(member.external_attr >> 16), oct(mode))
equal("the number of programs and libraries", len(programs), 0 if platforms == "any" else 1)
assert not [file for file in paths if "__pycache__" in file or file.endswith(".pyc")], paths

try:
    from packaging.metadata import Metadata
except ImportError:
    pass
else:
    Metadata.from_email(contents[f"{info}/METADATA"])
print(f"{os.path.basename(path)} {os.path.getsize(path)} bytes, {len(paths)} files")
