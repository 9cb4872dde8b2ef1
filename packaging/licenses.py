"""Writes the licenses of the crates in the library and the command (`make licenses`).

    python3 packaging/licenses.py [FILE]     by default packaging/licenses/THIRD-PARTY.txt

Cargo says which crates these are and what licenses they state; the wording is in the sources that Cargo
has downloaded. A license that is not in ACCEPTED is an error, and so is a crate whose license is not in its sources,
unless ELSEWHERE names a file with it.
"""

import itertools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "packaging/licenses/THIRD-PARTY.txt"
CARGO = shlex.split(os.environ.get("CARGO", "cargo"))
# The licenses that a packaged crate may have. A crate with a choice is used under the first one here.
ACCEPTED = ["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unicode-3.0", "Zlib"]
# Crates whose packages lack the wording of the license that they state, and where it is instead. That of jaq is from its
# repository; hifijson is of the same author and has none there either.
ELSEWHERE = dict.fromkeys(["hifijson", "jaq-core", "jaq-json", "jaq-std"], ROOT / "packaging/licenses/MIT-jaq.txt")
# The platforms of the packages. A crate that only one of them needs is listed too.
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-musl", "x86_64-pc-windows-gnu", "aarch64-apple-darwin"]
FEATURES = "cli,emulator,capi"
HEAD = """\
LICENSES OF THIRD PARTIES

The library and the command of tokenwell contain the Rust standard library and the crates of this
list. Each crate is used under the licenses that are named here, even if it offers others. Some are
used only on some platforms. `make licenses` writes this file.

The Rust standard library: copyright The Rust Project Contributors, Apache-2.0 or MIT. On some
platforms it contains libunwind of LLVM, Apache-2.0 WITH LLVM-exception. A static program for musl
also contains musl: copyright 2005-2020 Rich Felker and others, MIT.
"""


class LicenseError(Exception):
    """A license that packages may not contain, or that its sources do not contain."""


def main():
    page = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    try:
        text = render(crates())
    except LicenseError as error:
        sys.exit(f"licenses: {error}")
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")


def crates():
    """Returns the crates in the library and the command, each as in the output of `cargo metadata`.

    Macros and build scripts are not among them: they run on the machine that compiles.
    """
    platforms = list(itertools.chain.from_iterable(("--target", target) for target in TARGETS))
    output("fetch", "--quiet", "--locked", *platforms)
    filters = list(itertools.chain.from_iterable(("--filter-platform", target) for target in TARGETS))
    metadata = json.loads(output("metadata", "--locked", "--offline", "--format-version", "1", "--features", FEATURES, *filters))
    known = {(package["name"], package["version"]): package for package in metadata["packages"]}
    needed = set()
    for target in TARGETS:
        edges = ("--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
        for line in output("tree", "--locked", "--offline", "--features", FEATURES, "--target", target, *edges).splitlines():
            name, version = line.split(" ")[:2]
            needed.add((name, version[1:]))
    return [known[key] for key in sorted(needed) if key[0] != "tokenwell"]


def output(*command):
    return subprocess.run([*CARGO, *command], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout


def render(packages):
    lines, texts = [], {}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        chosen = choose(name, package["license"])
        lines.append(f"  {name}: {' AND '.join(chosen)}")
        for wording in texts_of(package, name, chosen):
            texts.setdefault(wording, []).append(name)
    parts = [HEAD, "Crates:\n\n" + "\n".join(lines) + "\n"]
    for wording, names in texts.items():
        users = textwrap.fill(f"For {', '.join(names)}:", width=100, break_long_words=False, break_on_hyphens=False)
        parts.append("=" * 80 + f"\n{users}\n\n{wording}")
    return "\n".join(parts)


def choose(name, expression):
    """Returns the licenses, all of them, under which a crate is used."""
    for alternative in sorted(alternatives(expression or ""), key=lambda names: [rank(license) for license in names]):
        if all(license in ACCEPTED for license in alternative):
            return alternative
    raise LicenseError(
        f"{name} has the license `{expression}`. If the packages may contain it, add it to ACCEPTED in packaging/licenses.py."
    )


def rank(license):
    return ACCEPTED.index(license) if license in ACCEPTED else len(ACCEPTED)


def alternatives(expression):
    """Returns the choices of a license expression (SPDX), each as the list of licenses that apply together."""
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        found = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            found = found + both()
        return found

    def both():
        found = one()
        while words[:1] == ["AND"]:
            words.pop(0)
            found = [left + right for left, right in itertools.product(found, one())]
        return found

    def one():
        word = words.pop(0) if words else ""
        if word == "(":
            found = either()
            if words[:1] != [")"]:
                raise LicenseError(f"`{expression}` is not a license expression")
            words.pop(0)
            return found
        if words[:1] == ["WITH"]:
            word = " ".join([word, words.pop(0), *words[:1]])
            del words[:1]
        return [[word]]

    found = either()
    if words:
        raise LicenseError(f"`{expression}` is not a license expression")
    return found


def texts_of(package, name, chosen):
    """Yields what must accompany a crate: its license, and its notices."""
    directory = pathlib.Path(package["manifest_path"]).parent
    files = {path.name.upper(): path for path in sorted(directory.iterdir()) if path.is_file()}
    licenses = {file: path for file, path in files.items() if file.startswith(("LICENSE", "LICENCE", "COPYING", "COPYRIGHT"))}
    if chosen == ["Apache-2.0"]:
        # It is the same for all, and has no copyright line.
        yield clean(ROOT / "LICENSE-APACHE")
    else:
        # With one license of several, its own file. The names of files say so.
        named = [path for file, path in licenses.items() if len(chosen) == 1 and chosen[0].split("-")[0].upper() in file]
        selected = named or list(licenses.values())
        if not selected and chosen == ["MIT"] and package["name"] in ELSEWHERE:
            selected = [ELSEWHERE[package["name"]]]
        if not selected:
            raise LicenseError(f"{name} has no file with its license, {' AND '.join(chosen)}")
        yield from map(clean, selected)
    yield from (clean(path) for file, path in files.items() if file.startswith("NOTICE"))


def clean(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


if __name__ == "__main__":
    main()
