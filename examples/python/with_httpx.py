"""Prints the organizations of the service account, with httpx: `pip install 'tokenwell[httpx]'`.

Requires MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET. With the argument `async`, it uses
httpx.AsyncClient.
"""

import asyncio
import sys

import httpx
import tokenwell.httpx

ORGANIZATIONS = "/api/atlas/v2/orgs"
HEADERS = {"Accept": "application/vnd.atlas.2024-08-05+json"}


def show(response: httpx.Response) -> None:
    response.raise_for_status()
    for organization in response.json()["results"]:
        print(organization["id"], organization["name"])


def main() -> None:
    with tokenwell.Client.from_env() as client:
        auth = tokenwell.httpx.Auth(client)
        with httpx.Client(base_url=client.base_url, headers=HEADERS, auth=auth) as api:
            show(api.get(ORGANIZATIONS))


async def main_async() -> None:
    async with tokenwell.Client.from_env() as client:
        auth = tokenwell.httpx.Auth(client)
        async with httpx.AsyncClient(base_url=client.base_url, headers=HEADERS, auth=auth) as api:
            show(await api.get(ORGANIZATIONS))


if sys.argv[1:] == ["async"]:
    asyncio.run(main_async())
else:
    main()
