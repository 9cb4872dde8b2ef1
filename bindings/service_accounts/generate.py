"""Writes the typed service account operations of Python, Go and Node from operations.json.

    generate.py     writes the files; `make service-accounts` calls it

tests/generated.py fails if a file is not current.
"""

import common
import to_go
import to_node
import to_python

FILES = {
    "python/tokenwell/service_accounts.py": to_python.generate,
    "go/service_accounts.go": to_go.generate,
    "node/lib/service_accounts.js": to_node.generate,
    "node/lib/service_accounts.d.ts": to_node.generate_types,
}


def files(description):
    """The content of every generated file, by its path in bindings."""
    return {path: generate(description) for path, generate in FILES.items()}


def main():
    for path, content in files(common.read()).items():
        (common.BINDINGS / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
