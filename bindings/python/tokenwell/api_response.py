"""The response of a request to the Admin API."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, NoReturn, Sequence, Tuple


class ApiResponse:
    """A response of the Admin API, with any status except a redirect. Immutable.

    The body may contain a secret: `repr` shows only the status.
    """

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: List[Tuple[str, str]], body: bytes) -> None:
        self._status = status
        self._headers = tuple(headers)
        self._body = body

    @property
    def status(self) -> int:
        """The HTTP status. 4xx and 5xx are results too: the body says what is wrong."""
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case; read-only. Values of the same name are joined with commas."""
        from types import MappingProxyType

        joined: Dict[str, str] = {}
        for name, value in self._headers:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return MappingProxyType(joined)

    @property
    def header_list(self) -> Sequence[Tuple[str, str]]:
        """The headers in the order received, with names in lower case."""
        return self._headers

    @property
    def body(self) -> bytes:
        """The body, unchanged."""
        return self._body

    @property
    def text(self) -> str:
        """The body as a string. Bytes that are not UTF-8 are replaced."""
        return self._body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Returns the body as Python values.

        Raises:
            ValueError: The body is not JSON, for example because a proxy answered instead of the API.
        """
        import json

        return json.loads(self._body)

    def __repr__(self) -> str:
        return f"<tokenwell.ApiResponse status={self._status}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tokenwell.ApiResponse cannot be pickled, because its body may contain a secret; use body explicitly")
