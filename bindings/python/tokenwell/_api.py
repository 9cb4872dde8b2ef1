"""Requests to the Admin API."""

from __future__ import annotations

import json
from ctypes import byref, c_size_t, c_void_p, string_at

from ._library import Waiting
from ._options import deadline, utf8
from .api_response import ApiResponse
from .errors import from_library

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

    from ._library import Library
    from ._options import Seconds

    QueryValue = Union[str, int, bool]
    Query = Union[Mapping[str, Union[QueryValue, Sequence[QueryValue]]], Sequence[Tuple[str, QueryValue]]]


class Call:
    """One request on its way through `_waiting.wait` or `_loops.wait_in_loop`.

    Use it in a ``with`` block, which frees what the library has returned.
    """

    def __init__(
        self,
        library: Library,
        client: Any,
        method: str,
        path: str,
        version: Optional[str],
        query: Optional[Query],
        body: Any,
        max_body: Optional[int],
        timeout: Optional[Seconds],
    ) -> None:
        self._library = library
        self._request = c_void_p()
        self._response = c_void_p()
        self.error = c_void_p()
        ms = deadline(timeout)
        parameters = _parameters(query)
        try:
            self._text(library.api_request_new, _string("method", method), _string("path", path), byref(self._request))
            if version is not None:
                self._text(library.api_request_set_version, self._request, _string("version", version))
            for name, value in parameters:
                self._text(library.api_request_add_query, self._request, name, value)
            if body is not None:
                self._text(library.api_request_set_body, self._request, _body(body))
            if max_body is not None:
                if not isinstance(max_body, int) or isinstance(max_body, bool):
                    raise TypeError(f"max_body must be a number of bytes (int), not {type(max_body).__name__}")
                if not 0 <= max_body < 2**64:
                    raise ValueError(f"max_body must not be negative or above 2**64 - 1, not {max_body}")
                self._check(library.api_request_set_max_body(self._request, max_body, byref(self.error)))
        except BaseException:
            self.__exit__()
            raise
        self.arguments = client, self._request, ms
        forms = library.client_request
        self.waiting = Waiting(
            lambda client, request, ms, error: forms.block(client, request, ms, byref(self._response), error),
            forms.begin,
            forms.queue,
            self._take,
        )

    def result(self, status: int) -> ApiResponse:
        """Converts the outcome of the call with this status."""
        library, response = self._library, self._response
        self._check(status)
        headers = [
            (self._copy(library.api_response_header_name, index), self._copy(library.api_response_header_value, index))
            for index in range(library.api_response_header_count(response))
        ]
        length = c_size_t()
        start = library.api_response_body(response, byref(length))
        return ApiResponse(library.api_response_status(response), headers, string_at(start, length.value))

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        # A signal handler may raise when the call has already returned the response.
        self._library.api_response_free(self._response)
        self._library.api_request_free(self._request)

    def _take(self, operation: c_void_p, error: Any) -> int:
        status: int = self._library.operation_response(operation, byref(self._response), error)
        return status

    def _copy(self, function: Any, index: int) -> str:
        length = c_size_t()
        start = function(self._response, index, byref(length))
        return string_at(start, length.value).decode("ascii", "replace")

    def _text(self, function: Any, *arguments: Any) -> None:
        """Calls a function with the length after each string."""
        spread: List[Any] = []
        for argument in arguments:
            spread += [argument, len(argument)] if isinstance(argument, bytes) else [argument]
        self._check(function(*spread, byref(self.error)))

    def _check(self, status: int) -> None:
        if status:
            raise from_library(self._library, status, self.error)


def _string(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string (str), not {type(value).__name__}")
    return utf8(value)


def _body(body: Any) -> bytes:
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    return utf8(body if isinstance(body, str) else json.dumps(body, allow_nan=False))


def _parameters(query: Optional[Query]) -> List[Tuple[bytes, bytes]]:
    found: List[Tuple[bytes, bytes]] = []
    pairs: Any = () if query is None else query.items() if hasattr(query, "items") else query
    for name, values in pairs:
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if isinstance(value, bool):
                value = "true" if value else "false"
            elif isinstance(value, int):
                value = str(value)
            found.append((_string("query", name), _string(f"query {name}", value)))
    return found
