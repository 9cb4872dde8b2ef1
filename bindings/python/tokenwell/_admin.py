"""What the generated operations of service_accounts.py are made of: one request, its document, and the pages of a list."""

from __future__ import annotations

import re
from urllib.parse import quote

from .errors import InvalidArgumentError

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Mapping, NoReturn, Optional, Sequence, Set, Tuple, TypeVar

    from ._options import Seconds
    from .api_response import ApiResponse
    from .client import Client

    Result = TypeVar("Result")

MOST_PASSES = 5
"""How often a list that changes is read from its start."""


class Secret:
    """The value of a new secret. The string forms (`str`, `repr`) redact it; only `value` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @property
    def value(self) -> str:
        """The secret. Python cannot wipe it from memory."""
        return self._value

    def __repr__(self) -> str:
        return "<tokenwell.Secret value=[redacted]>"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tokenwell.Secret cannot be pickled, because it could leak into a file or a queue; use value explicitly")


class ApiError(Exception):
    """The Admin API refused a request, or its response is not what its reference describes. Can be pickled.

    No field contains a secret. Errors without a response are instances of `TokenwellError`.

    Args:
        request: The method and the path of the request.
        status: The HTTP status.
        problem: What is wrong with the response; empty if the status says it.
        error_code: The `errorCode` of the response, or None.
        detail: The `detail` of the response, or None.
        parameters: The `parameters` of the response.
        retry_after: The `Retry-After` of the response in seconds, or None.
    """

    def __init__(
        self,
        request: str,
        status: int,
        problem: str = "",
        error_code: Optional[str] = None,
        detail: Optional[str] = None,
        parameters: Sequence[Any] = (),
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(request, status, problem, error_code, detail, parameters, retry_after)
        self.request = request
        self.status = status
        self.problem = problem
        self.error_code = error_code
        self.detail = detail
        self.parameters = parameters
        self.retry_after = retry_after

    def __str__(self) -> str:
        said = f"HTTP status {self.status}"
        if self.problem:
            said += f", but {self.problem}"
        elif self.detail and self.error_code:
            said += f": {_printable(self.detail)} [{_printable(self.error_code)}]"
        elif self.detail or self.error_code:
            said += f": {_printable(self.detail or self.error_code or '')}"
        return f"{self.request}: {said}"


class Document:
    """A JSON object whose fields are taken out one after another; what is left is unknown to this version."""

    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise ValueError("not an object")
        self._left = {name: field for name, field in value.items() if name != "secret"}

    def take(self, kind: type, *names: str) -> Any:
        """Returns the field with one of these names, or None."""
        found = [value for value in [self._left.pop(name, None) for name in names] if value is not None]
        if not found:
            return None
        if not isinstance(found[0], kind) or isinstance(found[0], bool) is not (kind is bool):
            raise ValueError(f"{names[0]} has the wrong type")
        return found[0]

    def need(self, kind: type, *names: str) -> Any:
        """Returns the field with one of these names, which every object has."""
        value = self.take(kind, *names)
        if value is None:
            raise ValueError(f"{names[0]} is missing")
        return value

    def strings(self, *names: str) -> Tuple[str, ...]:
        """Returns the strings of a field; none if it is absent."""
        values = self.take(list, *names) or []
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{names[0]} is not a list of strings")
        return tuple(values)

    def rest(self) -> Mapping[str, Any]:
        """Returns the fields that were not taken."""
        return self._left


class Reply:
    """The document of a response with a 2xx status."""

    def __init__(self, request: str, response: ApiResponse) -> None:
        self.request = request
        self.status = response.status
        try:
            self.document = response.json() if response.body else None
        except ValueError:
            self.document = None
        if not 200 <= self.status < 300:
            raise _refusal(request, response, self.document)

    def read(self, convert: Callable[[Any], Result]) -> Result:
        """Converts the document."""
        try:
            return convert(self.document)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            # These say which field is wrong, and no value.
            raise ApiError(self.request, self.status, f"the response is not what the API describes: {problem}") from None

    def secret(self) -> Secret:
        """Returns the value of the new secret: of the document, or of the account in it."""
        document = self.document if isinstance(self.document, dict) else {}
        nested = document.get("secrets")
        for one in [document, *(nested if isinstance(nested, list) else [])]:
            value = one.get("secret") if isinstance(one, dict) else None
            if isinstance(value, str) and value:
                return Secret(value)
        raise ApiError(self.request, self.status, "the response has no secret")


class Level:
    """The service accounts of an organization or a project, and the requests for them."""

    def __init__(
        self, client: Client, organization: Optional[str], project: Optional[str], paths: Mapping[str, str], version: str
    ) -> None:
        if (organization is None) is (project is None):
            raise InvalidArgumentError("organization, project: exactly one of them is needed", "Pass the id of an organization or of a project.")
        self.kind = "project" if organization is None else "organization"
        self._client = client
        self._version = version
        self._base = _filled(paths[self.kind], {self.kind: organization if project is None else project})

    def only(self, kind: str, operation: str) -> None:
        """Checks the level for an operation that exists at one level."""
        if self.kind != kind:
            raise InvalidArgumentError(f"{operation}: this needs {_article(kind)}, and not {_article(self.kind)}", f"Pass {kind}= to ServiceAccounts.")

    def call(self, method: str, path: str, query: Optional[Mapping[str, int]] = None, body: Any = None, **segments: Any) -> Call:
        """Describes a request. Raises an error for an argument that cannot be part of a path."""
        return Call(self._client, method, self._base + _filled(path, segments), self._version, query, body)


class Call:
    """One request, which a program waits for in a thread or in a task."""

    def __init__(
        self, client: Client, method: str, path: str, version: str, query: Optional[Mapping[str, int]], body: Any
    ) -> None:
        self._client = client
        self.method, self.path = method, path
        self._options = {"version": version, "query": query, "body": body}

    def send(self, timeout: Optional[Seconds], **query: int) -> Reply:
        """Sends the request, and returns the document of its response."""
        return Reply(f"{self.method} {self.path}", self._client.request(self.method, self.path, timeout=timeout, **self._with(query)))

    async def send_async(self, timeout: Optional[Seconds], **query: int) -> Reply:
        """Sends the request without blocking the event loop."""
        response = await self._client.request_async(self.method, self.path, timeout=timeout, **self._with(query))
        return Reply(f"{self.method} {self.path}", response)

    def _with(self, query: Dict[str, int]) -> Dict[str, Any]:
        return {**self._options, "query": query} if query else self._options


class Pages:
    """The pages of a list. An object is returned once, and none is lost, also if the list changes while it is read.

    Atlas numbers its pages, so an object that is added or removed moves others to another page. If the
    total changes, or a page overlaps with an earlier one, the list is read again from its start. One
    object added and another removed leave the total as it was: the pages but the last one are therefore
    read once more after the last one.
    """

    def __init__(self, call: Call, items: int, convert: Callable[[Any], Any], key: Sequence[str]) -> None:
        self._call, self._items, self._convert, self._key = call, items, convert, key
        self._returned: Set[str] = set()
        self._passes = 0
        self._start()

    def each(self, timeout: Optional[Seconds]) -> Iterator[Any]:
        """Requests page after page, and yields the objects."""
        while not self._is_done:
            yield from self._take(self._call.send(timeout, itemsPerPage=self._items, pageNum=self._number()))

    async def each_async(self, timeout: Optional[Seconds]) -> AsyncIterator[Any]:
        """Requests page after page without blocking the event loop, and yields the objects."""
        while not self._is_done:
            for one in self._take(await self._call.send_async(timeout, itemsPerPage=self._items, pageNum=self._number())):
                yield one

    def _start(self) -> None:
        self._passes += 1
        self._pages: List[List[str]] = []
        self._seen: Set[str] = set()
        self._total: Optional[int] = None
        # How many pages were read once more, after the last one.
        self._checked: Optional[int] = None
        self._is_done = False

    def _number(self) -> int:
        return 1 + (len(self._pages) if self._checked is None else self._checked)

    def _take(self, reply: Reply) -> List[Any]:
        documents = reply.read(results)
        total = reply.read(lambda document: Document(document).take(int, "totalCount"))
        keys = [self._key_of(document) for document in documents]
        if self._checked is not None:
            is_same = total == self._total and keys == self._pages[self._checked]
            return self._end_of_pages(self._checked + 1) if is_same else self._start_again(reply)
        known = sum(key in self._seen for key in keys)
        if self._pages and (total != self._total or 0 < known < len(keys)):
            return self._start_again(reply)
        if known:
            raise ApiError(reply.request, reply.status, f"page {self._number()} has the results of an earlier page")
        self._pages.append(keys)
        self._total = total
        self._seen.update(keys)
        if not keys or (len(keys) < self._items if total is None else len(self._seen) >= total):
            self._end_of_pages(0)
        new = [document for key, document in zip(keys, documents) if key not in self._returned]
        self._returned.update(keys)
        return reply.read(lambda _: [self._convert(document) for document in new])

    def _end_of_pages(self, checked: int) -> List[Any]:
        self._checked = checked
        self._is_done = checked + 1 >= len(self._pages)
        return []

    def _start_again(self, reply: Reply) -> List[Any]:
        if self._passes == MOST_PASSES:
            raise ApiError(reply.request, reply.status, "the list changes while it is read")
        self._start()
        return []

    def _key_of(self, document: Any) -> str:
        found = [document[name] for name in self._key if isinstance(document, dict) and document.get(name)]
        return str(found[0] if found else document)


def results(document: Any) -> List[Any]:
    """Returns the objects of a page."""
    found: List[Any] = Document(document).need(list, "results")
    return found


def strings(name: str, values: Sequence[str]) -> List[str]:
    """Returns the strings as a list. One string is a sequence too, of its letters, and is an error."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a list of strings, not one string")
    return list(values)


def entries(networks: Sequence[str]) -> List[Dict[str, str]]:
    """Returns the access list entries for addresses and networks."""
    return [{"cidrBlock" if "/" in network else "ipAddress": network} for network in strings("networks", networks)]


def given(**fields: Any) -> Dict[str, Any]:
    """Returns the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _refusal(request: str, response: ApiResponse, document: Any) -> ApiError:
    found = document if isinstance(document, dict) else {}
    code, detail, parameters = found.get("errorCode"), found.get("detail"), found.get("parameters")
    pause = response.headers.get("retry-after", "")
    return ApiError(
        request,
        response.status,
        error_code=code if isinstance(code, str) else None,
        detail=detail if isinstance(detail, str) else None,
        parameters=tuple(parameters) if isinstance(parameters, list) else (),
        retry_after=float(pause) if re.fullmatch("[0-9]{1,9}", pause) else None,
    )


def _filled(path: str, segments: Mapping[str, Any]) -> str:
    return path.format(**{name: _segment(name, value) for name, value in segments.items()})


def _segment(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string (str), not {type(value).__name__}")
    if value.startswith("mdb_sa_sk_"):
        raise InvalidArgumentError(f"{name}: this is a secret", "Pass an id. A secret must not be part of a URL.")
    if not value or (name != "network" and not re.fullmatch("[0-9A-Za-z_-]{1,64}", value)):
        shown = f"`{_printable(value)}`" if value else "an empty string"
        raise InvalidArgumentError(f"{name}: {shown} cannot be one", "An id has letters, digits, `-` and `_`." if name != "network" else "Pass an address or a network.")
    return quote(value, safe="")


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "organization" else f"a {kind}"


def _printable(text: str) -> str:
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text[:1000])
    return shown if len(text) <= 1000 else shown + "…"
