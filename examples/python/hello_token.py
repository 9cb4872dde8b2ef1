"""Prints when the token expires. Requires MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET."""

import tokenwell

with tokenwell.Client.from_env() as client:
    headers = {"Authorization": client.authorization()}  # for the requests of your own HTTP client
    print("token valid until", client.token().expires_at)
