"""Imports the libraries that the integrations are for. None of them is a dependency of this package."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Tuple

LOWEST = {"aiohttp": "3.12", "httpx": "0.23", "pymongo": "4.7", "requests": "2.28"}
"""The lowest version of each library. pyproject.toml has the same ones."""


def require(name: str) -> None:
    """Imports a library, and checks its version.

    Raises:
        ImportError: The library is missing or too old; the message names the version that is needed.
    """
    lowest = LOWEST[name]
    advice = f"tokenwell.{name} requires {name} {lowest} or newer: pip install 'tokenwell[{name}]'"
    try:
        library = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # the library itself is incomplete
        raise ImportError(f"{name} is not installed. {advice}", name=name) from None
    version = str(getattr(library, "__version__", "of unknown version"))
    if _numbers(version) < _numbers(lowest):
        raise ImportError(f"{name} {version} is too old. {advice}", name=name)


def _numbers(version: str) -> Tuple[int, ...]:
    """Returns the first two numbers of a version."""
    numbers = []
    for part in version.split(".")[:2]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        numbers.append(int(digits or 0))
    return tuple(numbers)
