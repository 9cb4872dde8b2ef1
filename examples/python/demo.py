"""The Python program of the demo: calls the Atlas Admin API once, then measures 10,000 more gets.

Reads MONGODB_ATLAS_BASE_URL, MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET.
Prints one line of JSON.
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

import tokenwell

GETS = 10_000


def api_status(base_url: str, authorization: str) -> int:
    request = urllib.request.Request(
        base_url.rstrip("/") + "/api/atlas/v2/orgs",
        headers={"Authorization": authorization, "Accept": "application/vnd.atlas.2024-08-05+json"},
    )
    # Connect to the emulator on loopback directly, even if the environment configures a proxy.
    loopback = urllib.parse.urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if loopback else []))
    try:
        with opener.open(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> None:
    base_url = os.environ.get("MONGODB_ATLAS_BASE_URL", "https://cloud.mongodb.com")

    start = time.perf_counter()
    client = tokenwell.Client.from_env()
    authorization = client.authorization()
    first_token = time.perf_counter() - start

    status = api_status(base_url, authorization)

    start = time.perf_counter()
    for _ in range(GETS):
        client.authorization()
    gets = time.perf_counter() - start

    client.close()
    print(
        json.dumps(
            {
                "language": "Python",
                "api_status": status,
                "gets": GETS,
                "ns_per_get": round(gets / GETS * 1e9),
                "first_token_ms": round(first_token * 1000, 3),
            }
        )
    )


main()
