"""Prints every object that the Python package returns, in every common way to print it."""

import dataclasses
import json
import logging
import os
import pprint
import sys
import traceback

import tokenwell

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
logger = logging.getLogger("canary")


def show(thing):
    for way in (repr, str, pprint.pformat, "{0!r} {0!s} {0!a}".format, lambda one: "%s %r" % (one, one), lambda one: json.dumps(one, default=repr)):
        print(way(thing), file=sys.stderr)
    logger.debug("here is %s and %r", thing, thing)


client = tokenwell.Client.from_env()
token = client.token()
for each in (client, token, client.stats(), [token], {"token": token}):
    show(each)

# A new secret, which the suite learns from a file.
accounts = tokenwell.ServiceAccounts(client, organization="0e0000000000000000000001")
created = accounts.create(name="Shown by Python", description="Canary", roles=["ORG_MEMBER"], secret_expires_after_hours=8)
with open(os.environ["NEW_SECRET_FILE"], "w") as file:
    file.write(created.secret.value)
for each in (accounts, created, created.secret, created.account, dataclasses.asdict(created), [created]):
    show(each)


def crash(call):
    """Prints what crash reporters send: the frames with their variables."""
    try:
        call()
    except (tokenwell.TokenwellError, tokenwell.ApiError) as error:
        show(error)
        for line in traceback.TracebackException.from_exception(error, capture_locals=True).format():
            print(line, file=sys.stderr)
    else:
        sys.exit("a call that must fail has succeeded")


crash(lambda: client.token(min_ttl=86400))
crash(lambda: tokenwell.Client(client_id="alone"))
crash(lambda: accounts.get("mdb_sa_id_000000000000000000000000"))
try:
    accounts.get(created.secret.value)
except tokenwell.TokenwellError as error:
    # Without the variables of its frames: the string is that of this program.
    show(error)
else:
    sys.exit("a secret was accepted as an id")
os.environ["MONGODB_ATLAS_CLIENT_SECRET"] = os.environ.pop("WRONG_SECRET")
crash(lambda: tokenwell.Client.from_env().token())
print("shown")
