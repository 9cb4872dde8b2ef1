"""Service accounts of an organization or a project: the operations of the Admin API as typed calls.

    accounts = tokenwell.ServiceAccounts(client, organization="0123456789abcdef01234567")
    created = accounts.create(
        name="deploy", description="Deploys the shop", roles=["ORG_READ_ONLY"], secret_expires_after_hours=720
    )

Each call sends one request with `Client.request`, and a list one request for each page. Nothing is
repeated, except once after a 401. An error status is an `ApiError`. Fields and roles that a later
version of the API adds are kept and are never an error.

Source: the reference of the Atlas Administration API v2, group "Service Accounts", version 2024-08-05
(https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts).

Generated from bindings/service_accounts/operations.json by `make service-accounts`. Do not edit it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ._admin import ApiError, Document, Level, Pages, Secret, entries, given, results, strings

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Iterator, List, Mapping, Optional, Sequence, Tuple

    from ._options import Seconds
    from .client import Client

__all__ = [
    "AccessListEntry",
    "ApiError",
    "CreatedAccount",
    "CreatedSecret",
    "ProjectOfAccount",
    "Secret",
    "SecretDescription",
    "ServiceAccount",
    "ServiceAccounts",
]

PATHS = {
    "organization": "/api/atlas/v2/orgs/{organization}/serviceAccounts",
    "project": "/api/atlas/v2/groups/{project}/serviceAccounts",
}
VERSION = "2024-08-05"
ITEMS_PER_PAGE = 500


@dataclass(frozen=True)
class SecretDescription:
    """A secret of an account, without its value."""

    id: str
    """The id of the secret."""
    created_at: Optional[str] = None
    """When it was created (ISO 8601)."""
    expires_at: Optional[str] = None
    """When it expires (ISO 8601)."""
    last_used_at: Optional[str] = None
    """When a token was last requested with it. Absent if it was never used."""
    masked_secret_value: Optional[str] = None
    """The secret with all but its last characters masked."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """The fields that this version does not know, unchanged."""

    @classmethod
    def _of(cls, value: Any) -> SecretDescription:
        document = Document(value)
        return cls(
            id=document.need(str, "id"),
            created_at=document.take(str, "createdAt", "created"),
            expires_at=document.take(str, "expiresAt"),
            last_used_at=document.take(str, "lastUsedAt"),
            masked_secret_value=document.take(str, "maskedSecretValue"),
            other=document.rest(),
        )


@dataclass(frozen=True)
class ServiceAccount:
    """A service account, as the API describes it at one level."""

    client_id: str
    """The client id: mdb_sa_id_ and 24 hexadecimal digits. No other name of an account is unique."""
    name: str = ""
    """The name. Names are not unique."""
    description: str = ""
    """The description."""
    created_at: Optional[str] = None
    """When the account was created (ISO 8601)."""
    roles: Tuple[str, ...] = ()
    """The roles at the level of the request. Roles that this version does not know are kept."""
    secrets: Tuple[SecretDescription, ...] = ()
    """The secrets, without their values. Atlas allows two."""
    system_managed: Optional[bool] = None
    """True if Atlas itself manages the account. Older versions of the API do not report it."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """The fields that this version does not know, unchanged."""

    @classmethod
    def _of(cls, value: Any) -> ServiceAccount:
        document = Document(value)
        return cls(
            client_id=document.need(str, "clientId"),
            name=document.take(str, "name") or "",
            description=document.take(str, "description") or "",
            created_at=document.take(str, "createdAt", "created"),
            roles=document.strings("roles"),
            secrets=tuple(SecretDescription._of(one) for one in document.take(list, "secrets") or []),
            system_managed=document.take(bool, "systemManaged"),
            other=document.rest(),
        )


@dataclass(frozen=True)
class AccessListEntry:
    """An entry of the API access list of an account. The list of a project for its clusters is another one."""

    cidr_block: Optional[str] = None
    """The network in CIDR notation."""
    ip_address: Optional[str] = None
    """The address, if the entry is for one address."""
    created_at: Optional[str] = None
    """When the entry was added (ISO 8601)."""
    last_used_at: Optional[str] = None
    """When a request was last allowed by this entry (ISO 8601)."""
    last_used_address: Optional[str] = None
    """The address of that request."""
    request_count: Optional[int] = None
    """How many requests the entry has allowed."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """The fields that this version does not know, unchanged."""

    @classmethod
    def _of(cls, value: Any) -> AccessListEntry:
        document = Document(value)
        return cls(
            cidr_block=document.take(str, "cidrBlock"),
            ip_address=document.take(str, "ipAddress"),
            created_at=document.take(str, "createdAt", "created"),
            last_used_at=document.take(str, "lastUsedAt", "lastUsed"),
            last_used_address=document.take(str, "lastUsedAddress"),
            request_count=document.take(int, "requestCount", "count"),
            other=document.rest(),
        )


@dataclass(frozen=True)
class ProjectOfAccount:
    """A project in which an account of an organization has roles."""

    group_id: str
    """The id of the project."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """The fields that this version does not know, unchanged."""

    @classmethod
    def _of(cls, value: Any) -> ProjectOfAccount:
        document = Document(value)
        return cls(
            group_id=document.need(str, "groupId", "id"),
            other=document.rest(),
        )


@dataclass(frozen=True)
class CreatedAccount:
    """A new account and its first secret, whose value the API shows only this once."""

    account: ServiceAccount
    """The account. Its secrets have no values."""
    secret: Secret
    """The value of the secret, which is not shown by `repr`."""


@dataclass(frozen=True)
class CreatedSecret:
    """A new secret, whose value the API shows only this once."""

    description: SecretDescription
    """The secret without its value."""
    secret: Secret
    """The value of the secret, which is not shown by `repr`."""


class ServiceAccounts:
    """The service accounts of an organization or a project.

    Each method has a form with the suffix `_async`, which does not block the event loop.

    Args:
        client: The client whose token is used.
        organization: The id of the organization.
        project: The id of the project, instead of an organization.

    Raises:
        InvalidArgumentError: Not exactly one of both is given, or it is not an id.
    """

    def __init__(self, client: Client, *, organization: Optional[str] = None, project: Optional[str] = None) -> None:
        self._level = Level(client, organization, project, PATHS, VERSION)

    def __repr__(self) -> str:
        return f"<tokenwell.ServiceAccounts {self._level.kind}>"

    def create(
        self,
        *,
        name: str,
        description: str,
        roles: Sequence[str],
        secret_expires_after_hours: int,
        timeout: Optional[Seconds] = None,
    ) -> CreatedAccount:
        """Creates an account with one secret.

        Names are not unique: after an error without a response, list the accounts before another
        attempt, because one may have been created.

        Request: ``POST …/serviceAccounts``

        Args:
            name: The name: 1 to 64 letters, digits, spaces and `- _ . , '`.
            description: The description: 1 to 250 of the same characters.
            roles: The roles, at least one of the level at which the account is created.
            secret_expires_after_hours: The lifetime of its first secret: 8 to 8760 hours. The
                organization may allow less.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        body = {
            "name": name,
            "description": description,
            "roles": strings("roles", roles),
            "secretExpiresAfterHours": secret_expires_after_hours,
        }
        call = self._level.call("POST", "", body=body)
        reply = call.send(timeout)
        return CreatedAccount(reply.read(ServiceAccount._of), reply.secret())

    async def create_async(
        self,
        *,
        name: str,
        description: str,
        roles: Sequence[str],
        secret_expires_after_hours: int,
        timeout: Optional[Seconds] = None,
    ) -> CreatedAccount:
        """Does what `create` does, without blocking the event loop."""
        body = {
            "name": name,
            "description": description,
            "roles": strings("roles", roles),
            "secretExpiresAfterHours": secret_expires_after_hours,
        }
        call = self._level.call("POST", "", body=body)
        reply = await call.send_async(timeout)
        return CreatedAccount(reply.read(ServiceAccount._of), reply.secret())

    def list(self, *, timeout: Optional[Seconds] = None) -> Iterator[ServiceAccount]:
        """Returns all accounts, each once.

        A page is requested when the accounts before it are used up.

        Request: ``GET …/serviceAccounts``

        Args:
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("GET", "")
        return Pages(call, ITEMS_PER_PAGE, ServiceAccount._of, ["clientId"]).each(timeout)

    def list_async(self, *, timeout: Optional[Seconds] = None) -> AsyncIterator[ServiceAccount]:
        """Does what `list` does, without blocking the event loop."""
        call = self._level.call("GET", "")
        return Pages(call, ITEMS_PER_PAGE, ServiceAccount._of, ["clientId"]).each_async(timeout)

    def get(self, client_id: str, *, timeout: Optional[Seconds] = None) -> ServiceAccount:
        """Returns one account.

        Its secrets are listed without their values.

        Request: ``GET …/serviceAccounts/{clientId}``

        Args:
            client_id: The client id of the account.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("GET", "/{client_id}", client_id=client_id)
        reply = call.send(timeout)
        return reply.read(ServiceAccount._of)

    async def get_async(self, client_id: str, *, timeout: Optional[Seconds] = None) -> ServiceAccount:
        """Does what `get` does, without blocking the event loop."""
        call = self._level.call("GET", "/{client_id}", client_id=client_id)
        reply = await call.send_async(timeout)
        return reply.read(ServiceAccount._of)

    def update(
        self,
        client_id: str,
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        roles: Optional[Sequence[str]] = None,
        timeout: Optional[Seconds] = None,
    ) -> ServiceAccount:
        """Changes an account, and returns it as it is then.

        Request: ``PATCH …/serviceAccounts/{clientId}``

        Args:
            client_id: The client id of the account.
            name: The new name.
            description: The new description.
            roles: The roles that replace all roles of the account at this level.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        body = given(name=name, description=description, roles=None if roles is None else strings("roles", roles))
        call = self._level.call("PATCH", "/{client_id}", client_id=client_id, body=body)
        reply = call.send(timeout)
        return reply.read(ServiceAccount._of)

    async def update_async(
        self,
        client_id: str,
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        roles: Optional[Sequence[str]] = None,
        timeout: Optional[Seconds] = None,
    ) -> ServiceAccount:
        """Does what `update` does, without blocking the event loop."""
        body = given(name=name, description=description, roles=None if roles is None else strings("roles", roles))
        call = self._level.call("PATCH", "/{client_id}", client_id=client_id, body=body)
        reply = await call.send_async(timeout)
        return reply.read(ServiceAccount._of)

    def delete(self, client_id: str, *, timeout: Optional[Seconds] = None) -> None:
        """Deletes an account of an organization, with its secrets.

        An account of a project is only detached from it, and continues to exist in its
        organization.

        Request: ``DELETE …/serviceAccounts/{clientId}``

        Args:
            client_id: The client id of the account.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("DELETE", "/{client_id}", client_id=client_id)
        call.send(timeout)

    async def delete_async(self, client_id: str, *, timeout: Optional[Seconds] = None) -> None:
        """Does what `delete` does, without blocking the event loop."""
        call = self._level.call("DELETE", "/{client_id}", client_id=client_id)
        await call.send_async(timeout)

    def create_secret(
        self,
        client_id: str,
        secret_expires_after_hours: int,
        *,
        timeout: Optional[Seconds] = None,
    ) -> CreatedSecret:
        """Creates another secret, with a lifetime of 8 to 8760 hours.

        An account has at most two, and the older one then expires within seven days.

        Request: ``POST …/serviceAccounts/{clientId}/secrets``

        Args:
            client_id: The client id of the account.
            secret_expires_after_hours: The lifetime of the secret: 8 to 8760 hours. The
                organization may allow less.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        body = {"secretExpiresAfterHours": secret_expires_after_hours}
        call = self._level.call("POST", "/{client_id}/secrets", client_id=client_id, body=body)
        reply = call.send(timeout)
        return CreatedSecret(reply.read(SecretDescription._of), reply.secret())

    async def create_secret_async(
        self,
        client_id: str,
        secret_expires_after_hours: int,
        *,
        timeout: Optional[Seconds] = None,
    ) -> CreatedSecret:
        """Does what `create_secret` does, without blocking the event loop."""
        body = {"secretExpiresAfterHours": secret_expires_after_hours}
        call = self._level.call("POST", "/{client_id}/secrets", client_id=client_id, body=body)
        reply = await call.send_async(timeout)
        return CreatedSecret(reply.read(SecretDescription._of), reply.secret())

    def delete_secret(self, client_id: str, secret_id: str, *, timeout: Optional[Seconds] = None) -> None:
        """Deletes a secret.

        Request: ``DELETE …/serviceAccounts/{clientId}/secrets/{secretId}``

        Args:
            client_id: The client id of the account.
            secret_id: The id of the secret.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("DELETE", "/{client_id}/secrets/{secret_id}", client_id=client_id, secret_id=secret_id)
        call.send(timeout)

    async def delete_secret_async(self, client_id: str, secret_id: str, *, timeout: Optional[Seconds] = None) -> None:
        """Does what `delete_secret` does, without blocking the event loop."""
        call = self._level.call("DELETE", "/{client_id}/secrets/{secret_id}", client_id=client_id, secret_id=secret_id)
        await call.send_async(timeout)

    def access_list(self, client_id: str, *, timeout: Optional[Seconds] = None) -> Iterator[AccessListEntry]:
        """Returns the API access list of an account.

        An empty list allows every address, unless the organization requires a list.

        Request: ``GET …/serviceAccounts/{clientId}/accessList``

        Args:
            client_id: The client id of the account.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("GET", "/{client_id}/accessList", client_id=client_id)
        return Pages(call, ITEMS_PER_PAGE, AccessListEntry._of, ["cidrBlock", "ipAddress"]).each(timeout)

    def access_list_async(self, client_id: str, *, timeout: Optional[Seconds] = None) -> AsyncIterator[AccessListEntry]:
        """Does what `access_list` does, without blocking the event loop."""
        call = self._level.call("GET", "/{client_id}/accessList", client_id=client_id)
        return Pages(call, ITEMS_PER_PAGE, AccessListEntry._of, ["cidrBlock", "ipAddress"]).each_async(timeout)

    def add_access(
        self,
        client_id: str,
        networks: Sequence[str],
        *,
        timeout: Optional[Seconds] = None,
    ) -> List[AccessListEntry]:
        """Adds addresses and networks to the access list with one request, and returns the list as it
        is then.

        An entry that exists is no error.

        Request: ``POST …/serviceAccounts/{clientId}/accessList``

        Args:
            client_id: The client id of the account.
            networks: The addresses such as 192.0.2.1, and networks such as 192.0.2.0/24.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call(
            "POST", "/{client_id}/accessList", client_id=client_id, query={"itemsPerPage": 500}, body=entries(networks)
        )
        reply = call.send(timeout)
        return reply.read(lambda document: [AccessListEntry._of(one) for one in results(document)])

    async def add_access_async(
        self,
        client_id: str,
        networks: Sequence[str],
        *,
        timeout: Optional[Seconds] = None,
    ) -> List[AccessListEntry]:
        """Does what `add_access` does, without blocking the event loop."""
        call = self._level.call(
            "POST", "/{client_id}/accessList", client_id=client_id, query={"itemsPerPage": 500}, body=entries(networks)
        )
        reply = await call.send_async(timeout)
        return reply.read(lambda document: [AccessListEntry._of(one) for one in results(document)])

    def delete_access(self, client_id: str, network: str, *, timeout: Optional[Seconds] = None) -> None:
        """Removes an address or a network from the access list.

        Request: ``DELETE …/serviceAccounts/{clientId}/accessList/{ipAddress}``

        Args:
            client_id: The client id of the account.
            network: The address or the network of the entry.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        call = self._level.call("DELETE", "/{client_id}/accessList/{network}", client_id=client_id, network=network)
        call.send(timeout)

    async def delete_access_async(self, client_id: str, network: str, *, timeout: Optional[Seconds] = None) -> None:
        """Does what `delete_access` does, without blocking the event loop."""
        call = self._level.call("DELETE", "/{client_id}/accessList/{network}", client_id=client_id, network=network)
        await call.send_async(timeout)

    def projects(self, client_id: str, *, timeout: Optional[Seconds] = None) -> Iterator[ProjectOfAccount]:
        """Returns the projects in which an account of the organization has roles.

        Request: ``GET …/serviceAccounts/{clientId}/groups``

        Args:
            client_id: The client id of the account.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        self._level.only("organization", "projects")
        call = self._level.call("GET", "/{client_id}/groups", client_id=client_id)
        return Pages(call, ITEMS_PER_PAGE, ProjectOfAccount._of, ["groupId"]).each(timeout)

    def projects_async(self, client_id: str, *, timeout: Optional[Seconds] = None) -> AsyncIterator[ProjectOfAccount]:
        """Does what `projects` does, without blocking the event loop."""
        self._level.only("organization", "projects")
        call = self._level.call("GET", "/{client_id}/groups", client_id=client_id)
        return Pages(call, ITEMS_PER_PAGE, ProjectOfAccount._of, ["groupId"]).each_async(timeout)

    def invite(self, client_id: str, roles: Sequence[str], *, timeout: Optional[Seconds] = None) -> ServiceAccount:
        """Adds an account of the organization to the project, with these roles there.

        Request: ``POST …/serviceAccounts/{clientId}:invite``

        Args:
            client_id: The client id of the account.
            roles: The roles of the account in the project, at least one.
            timeout: The time limit of each request. The default is the client's `timeout` setting.

        Raises:
            ApiError: The API refused the request.
            InvalidArgumentError: An argument is invalid; nothing was sent.
            TokenwellError: There is no token or no complete response.
        """
        self._level.only("project", "invite")
        body = {"roles": strings("roles", roles)}
        call = self._level.call("POST", "/{client_id}:invite", client_id=client_id, body=body)
        reply = call.send(timeout)
        return reply.read(ServiceAccount._of)

    async def invite_async(
        self,
        client_id: str,
        roles: Sequence[str],
        *,
        timeout: Optional[Seconds] = None,
    ) -> ServiceAccount:
        """Does what `invite` does, without blocking the event loop."""
        self._level.only("project", "invite")
        body = {"roles": strings("roles", roles)}
        call = self._level.call("POST", "/{client_id}:invite", client_id=client_id, body=body)
        reply = await call.send_async(timeout)
        return reply.read(ServiceAccount._of)
