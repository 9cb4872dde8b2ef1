"""Prints the organizations of the service account, with aiohttp: `pip install 'tokenwell[aiohttp]'`.

Requires MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET.
"""

import asyncio

import aiohttp
import tokenwell.aiohttp

HEADERS = {"Accept": "application/vnd.atlas.2024-08-05+json"}


async def main() -> None:
    async with tokenwell.Client.from_env() as client:
        middlewares = [tokenwell.aiohttp.middleware(client)]
        async with aiohttp.ClientSession(client.base_url, headers=HEADERS, middlewares=middlewares) as session:
            async with session.get("/api/atlas/v2/orgs") as response:
                response.raise_for_status()
                for organization in (await response.json())["results"]:
                    print(organization["id"], organization["name"])


asyncio.run(main())
