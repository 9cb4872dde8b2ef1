"""Pings a MongoDB deployment that accepts tokens of an identity provider: `pip install 'tokenwell[pymongo]'`.

Requires MONGODB_URI, TOKENWELL_TOKEN_URL, TOKENWELL_CLIENT_ID and TOKENWELL_CLIENT_SECRET. The
client is one of the identity provider; a service account of Atlas cannot log in to a cluster.
"""

import os

import pymongo
import tokenwell.pymongo

with tokenwell.Client.from_env() as client:
    properties = {"OIDC_CALLBACK": tokenwell.pymongo.OIDCCallback(client)}
    with pymongo.MongoClient(
        os.environ["MONGODB_URI"], authMechanism="MONGODB-OIDC", authMechanismProperties=properties
    ) as mongo:
        print(mongo.admin.command("ping"))
