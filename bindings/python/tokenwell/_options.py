"""The options of a client, and the conversion of Python values to what the library accepts."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, TypedDict, Union

    Seconds = Union[float, timedelta]
    Path = Union[str, os.PathLike[str]]
    AuthMethod = Literal["client_secret_basic", "client_secret_basic_raw", "client_secret_post", "auto"]

    class Options(TypedDict, total=False):
        """The settings of the library, by their names there. None means that one is not set.

        docs/configuration.md describes each setting.
        """

        client_id: Optional[str]
        client_secret: Optional[str]
        client_secret_file: Optional[Path]
        base_url: Optional[str]
        token_url: Optional[str]
        revocation_url: Optional[str]
        auth_method: Optional[AuthMethod]
        scope: Optional[str]
        audience: Optional[str]
        resource: Optional[str]
        timeout: Optional[Seconds]
        """`timeout_ms`: the time limit of every call that has no `timeout` argument."""
        ca_file: Optional[Path]
        ca_pem: Optional[str]
        proxy: Optional[str]
        no_proxy: Optional[Union[str, Sequence[str]]]
        profile: Optional[str]
        cache: Optional[bool]
        cache_dir: Optional[Path]
        cache_unsafe: Optional[bool]
        environment: Optional[bool]
        manual_clock: Optional[Union[float, datetime]]
        """`manual_clock_ms`, as a datetime or in seconds since the Unix epoch. For tests."""
        settings: Optional[Mapping[str, str]]
        """Any setting by its name in the library, as a string.

        It may be newer than this package.
        """


MAX_MILLISECONDS = 2**64 - 1
"""The longest duration that the library accepts."""


def settings(options: Any) -> Dict[str, bytes]:
    """Converts the options that are set to names and values for the library.

    Unknown names are passed on: the library rejects them.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A duration is negative or not finite.
    """
    converted = {name: _encode(name, value) for name, value in (options.pop("settings", None) or {}).items()}
    for name, value in options.items():
        if value is None:
            continue
        if name == "timeout":
            converted["timeout_ms"] = b"%d" % milliseconds(name, value)
        elif name == "manual_clock":
            since_epoch = value.timestamp() if hasattr(value, "timestamp") else value
            converted["manual_clock_ms"] = b"%d" % milliseconds(name, since_epoch)
        elif name == "no_proxy" and isinstance(value, (list, tuple)):
            converted[name] = b",".join(_encode(name, host) for host in value)
        elif name in ("cache", "cache_unsafe", "environment") and isinstance(value, bool):
            converted[name] = b"on" if value else b"off"
        else:
            converted[name] = _encode(name, value)
    return converted


def variables() -> List[Tuple[bytes, bytes]]:
    """Returns the environment as Python knows it, which other threads may change meanwhile."""
    found = []
    for name in list(os.environ):
        value = os.environ.get(name)  # None if it was removed after the list was made
        # A process may inherit a variable without a name, and Windows has some that begin with "=".
        if value is not None and name and "=" not in name:
            found.append((os.fsencode(name), os.fsencode(value)))
    return found


def deadline(timeout: Optional[Seconds]) -> int:
    """Converts the timeout of a call to milliseconds, at least 1; None becomes 0.

    To the library, 0 means the configured timeout, so a timeout of zero becomes 1 ms.
    """
    return 0 if timeout is None else max(1, milliseconds("timeout", timeout))


def milliseconds(name: str, duration: Any) -> int:
    """Converts seconds or a timedelta to milliseconds.

    The result is rounded up and at most `MAX_MILLISECONDS`.

    Raises:
        TypeError: The duration is neither a number nor a timedelta; the message starts with `name`.
        ValueError: The duration is negative or not finite; the message starts with `name`.
    """
    if type(duration) is int and duration >= 0:
        return min(duration * 1000, MAX_MILLISECONDS)  # the most frequent case, and the fastest
    # A timedelta is recognized by its method, so that this module does not have to import datetime.
    seconds = duration.total_seconds() if hasattr(duration, "total_seconds") else duration
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"{name} must be a number of seconds (int or float) or a timedelta, not {type(duration).__name__}")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} must be finite and not negative, not {seconds} seconds")
    whole = seconds * 1000 if isinstance(seconds, int) else round(min(seconds * 1000, float(MAX_MILLISECONDS)), 6)
    return min(-int(-whole // 1), MAX_MILLISECONDS)


def utf8(value: str) -> bytes:
    """Encodes a string in UTF-8.

    Lone surrogates become invalid UTF-8, which the library rejects with the setting's name.
    """
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _encode(name: str, value: Any) -> bytes:
    string = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(string, str):
        raise TypeError(f"{name} must be a string (str), not {type(value).__name__}")
    return utf8(string)
