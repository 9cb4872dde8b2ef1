"""What each page of docs/tasks finds when it begins. A function arranges the scene, and may return a check for the end."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import servers

REPORT = """\
import tokenwell


def test_two_reports_share_a_token(tokenwell_environment):
    for _ in range(2):
        with tokenwell.Client.from_env() as client:
            assert client.authorization().startswith("Bearer ")
    assert tokenwell_environment.counters()["token_requests"] == 1
"""
ACCOUNT = "mdb_sa_id_0123456789abcdef01234567"
SECRET_OF_NOBODY = "mdb_sa_sk_" + "0" * 30


def account(scene):
    scene.with_account()


def first_token(scene):
    emulator = scene.with_account()
    scene.stand_ins = {"https://cloud.mongodb.com": emulator.url}


def wrong_secret(scene):
    scene.with_account()
    scene.environment["MONGODB_ATLAS_CLIENT_SECRET"] = SECRET_OF_NOBODY


def second_account(scene):
    emulator = scene.emulator()
    scene.stand_ins = {"mdb_sa_id_0123456789abcdef01234567": emulator.client_id}
    scene.environment["MONGODB_ATLAS_BASE_URL"] = emulator.url
    scene.file("secret.txt", emulator.secret + "\n")


def owner(scene):
    """The account of an owner in the profile `default`, and none in the environment."""
    emulator = scene.emulator()
    scene.environment["MONGODB_ATLAS_BASE_URL"] = emulator.url
    login = ["tokenwell", "login", "--client-id", emulator.client_id, "--client-secret-stdin"]
    subprocess.run(login, env=scene.environment, input=emulator.secret, capture_output=True, text=True, check=True)
    return emulator


def new_account(scene):
    owner(scene)
    scene.stand_ins = {"203.0.113.7": "127.0.0.1"}
    scene.shown["127.0.0.1"] = "203.0.113.7"


def secret_that_ends(scene):
    emulator = owner(scene)
    del scene.shown[emulator.client_id]

    def told(*words):
        return subprocess.run(["tokenwell", *words], env=scene.environment, capture_output=True, text=True, check=True).stdout.strip()

    create = ["sa", "create", "deploy", "--role", "ORG_READ_ONLY", "--expires", "24h", "--to", "profile:deploy", "-q"]
    account = told(*create)
    old = told("sa", "secret", "list", account, "-q")
    organization = json.loads(told("api", "orgs"))["results"][0]["id"]
    scene.stand_ins = {ACCOUNT: account, "76543210fedcba9876543210": old, "0123456789abcdef01234567": organization}
    scene.shown.update({real: shown for shown, real in scene.stand_ins.items()})
    return lambda: None if told("sa", "secret", "list", account, "-q") != old else "the old secret exists"


def leaked_token(scene):
    emulator = scene.with_account()
    leaked = minted(emulator)
    scene.file("leaked.txt", leaked)

    def revoked():
        return None if status(emulator, leaked) == 401 else "the leaked token is accepted"

    return revoked


def rejected_token(scene):
    emulator = scene.with_account()
    token = subprocess.run(["tokenwell", "token"], env=scene.environment, capture_output=True, text=True, check=True).stdout.strip()
    revoke(emulator, token)


def offline(scene):
    emulator = scene.with_account()
    subprocess.run(["tokenwell", "token"], env=scene.environment, capture_output=True, check=True)
    emulator.stop()
    scene.stack.pop_all()


def proxy(scene):
    listener = servers.ProxyThatWantsALogIn()
    scene.stack.callback(listener.stop)
    address = f"127.0.0.1:{listener.port}"
    # Not the account of the emulator, which is refused for the real Atlas. The proxy opens no tunnel.
    scene.environment["MONGODB_ATLAS_CLIENT_ID"] = "mdb_sa_id_00000000000000000000abcd"
    scene.environment["MONGODB_ATLAS_CLIENT_SECRET"] = SECRET_OF_NOBODY
    scene.stand_ins = {"proxy.example.com:3128": address}
    scene.shown[address] = "proxy.example.com:3128"
    return lambda: None if listener.asked > 0 else "the proxy was not used"


def custom_ca(scene):
    emulator = scene.with_account("--tls")
    del scene.environment["TOKENWELL_CA_FILE"]
    scene.stand_ins = {"/etc/ssl/company-ca.pem": str(emulator.authority)}


def keycloak(scene):
    emulator = scene.emulator()
    client = created_client(emulator)
    scene.file("secret.txt", client["secret"])
    scene.stand_ins = {
        "https://keycloak.example.com/realms/main/protocol/openid-connect/token": f"{emulator.url}/generic/oauth/token",
        "=reports": f"={client['id']}",
    }


def in_pytest(scene):
    # The environment with pytest, which the tests of the Python package made.
    scene.environment["PATH"] = f"{servers.DIST}/venv/bin:{scene.environment['PATH']}"
    scene.environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in (servers.DIST / "python", servers.ROOT / "bindings" / "python" / "pytest-plugin"))
    scene.environment["TOKENWELL_BIN"] = str(servers.DIST / "bin" / "tokenwell")
    scene.environment["PYTEST_ADDOPTS"] = "-p pytest_tokenwell.plugin -p no:cacheprovider"
    scene.file("test_report.py", REPORT)


def two_profiles(scene):
    emulator = scene.emulator()
    secret = scene.file("secret.txt", emulator.secret + "\n")
    with open(secret, "rb") as given:
        login = ["tokenwell", "login", "--profile", "staging", "--client-id", emulator.client_id, "--base-url", emulator.url, "--client-secret-stdin"]
        subprocess.run(login, env=scene.environment, stdin=given, capture_output=True, check=True)


def minted(emulator):
    request = urllib.request.Request(f"{emulator.url}/api/oauth/token", data=b"grant_type=client_credentials", headers=servers.basic(emulator))
    with servers.DIRECT.open(request, timeout=60) as reply:
        return json.load(reply)["access_token"]


def revoke(emulator, token):
    request = urllib.request.Request(f"{emulator.url}/api/oauth/revoke", data=f"token={token}".encode(), headers=servers.basic(emulator))
    servers.DIRECT.open(request, timeout=60).close()


def status(emulator, token):
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.atlas.2024-08-05+json"}
    try:
        with servers.DIRECT.open(urllib.request.Request(f"{emulator.url}/api/atlas/v2/orgs", headers=headers), timeout=60) as reply:
            return reply.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def created_client(emulator):
    """The account of the other server: its names are not those of Atlas, which the emulator accepts at its generic endpoint."""
    return {"id": emulator.client_id, "secret": emulator.secret}


PAGES = {
    "first-token": first_token,
    "wrong-secret": wrong_secret,
    "second-account": second_account,
    "create-an-account": new_account,
    "secrets-that-expire": secret_that_ends,
    "revoke-a-leaked-token": leaked_token,
    "which-account-is-this": account,
    "why-401": rejected_token,
    "list-organizations": account,
    "a-file-for-nginx": account,
    "a-token-in-ci": account,
    "offline": offline,
    "behind-a-proxy": proxy,
    "custom-ca": custom_ca,
    "keycloak": keycloak,
    "emulator-in-pytest": in_pytest,
    "uninstall": two_profiles,
}
