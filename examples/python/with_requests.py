"""Prints the organizations of the service account, with requests: `pip install 'tokenwell[requests]'`.

Requires MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET.
"""

import requests
import tokenwell.requests

with tokenwell.Client.from_env() as client, requests.Session() as session:
    session.auth = tokenwell.requests.Auth(client)

    headers = {"Accept": "application/vnd.atlas.2024-08-05+json"}
    response = session.get(f"{client.base_url}/api/atlas/v2/orgs", headers=headers, timeout=30)
    response.raise_for_status()
    for organization in response.json()["results"]:
        print(organization["id"], organization["name"])
