"""What a client may be given, and Python's values on their way into the library: texts, switches, paths, times."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any, Dict, Literal, Mapping, Optional, TypedDict, Union

    Seconds = Union[float, timedelta]
    Path = Union[str, os.PathLike[str]]
    AuthMethod = Literal["client_secret_basic", "client_secret_basic_raw", "client_secret_post"]

    class Options(TypedDict, total=False):
        """The settings of the library, by its names; docs/configuration.md says what each may be. None: not given."""

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
        """`timeout_ms`, for every call that names no time of its own."""
        ca_file: Optional[Path]
        profile: Optional[str]
        cache: Optional[bool]
        cache_dir: Optional[Path]
        cache_unsafe: Optional[bool]
        manual_clock: Optional[Union[float, datetime]]
        """`manual_clock_ms`, as a time or in seconds since the Unix epoch: for tests."""
        settings: Optional[Mapping[str, str]]
        """Any setting of the library by its own name, as text: also one that is newer than this package."""


MOST = 2**64 - 1
"""The longest time that the library takes, in milliseconds."""


def settings(options: Any) -> Dict[str, bytes]:
    """The options that are given, as the library takes them. It is the library that rejects a name it does not know."""
    taken = {name: _text(name, value) for name, value in (options.pop("settings", None) or {}).items()}
    for name, value in options.items():
        if value is None:
            continue
        if name == "timeout":
            taken["timeout_ms"] = b"%d" % milliseconds(name, value)
        elif name == "manual_clock":
            since_epoch = value.timestamp() if hasattr(value, "timestamp") else value
            taken["manual_clock_ms"] = b"%d" % milliseconds(name, since_epoch)
        elif name in ("cache", "cache_unsafe") and isinstance(value, bool):
            taken[name] = b"on" if value else b"off"
        else:
            taken[name] = _text(name, value)
    return taken


def deadline(timeout: Optional[Seconds]) -> int:
    """A call's own time in milliseconds. To the library 0 means "as configured", which is not what no time left means."""
    return 0 if timeout is None else max(1, milliseconds("timeout", timeout))


def milliseconds(name: str, duration: Any) -> int:
    """Seconds or a timedelta in whole milliseconds, rounded up; the most there can be when it is more."""
    # A timedelta is told by its method: datetime is not imported for a caller who has none.
    seconds = duration.total_seconds() if hasattr(duration, "total_seconds") else duration
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"{name}: must be seconds (int or float) or a timedelta, not {type(duration).__name__}")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name}: must be a finite number of seconds and not negative, but is {seconds}")
    whole = seconds * 1000 if isinstance(seconds, int) else round(min(seconds * 1000, float(MOST)), 6)
    return min(-int(-whole // 1), MOST)


def utf8(text: str) -> bytes:
    """The text in UTF-8. What is not text (surrogates) goes through as bytes that the library rejects by name."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _text(name: str, value: Any) -> bytes:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise TypeError(f"{name}: must be text (str), not {type(value).__name__}")
    return utf8(text)
