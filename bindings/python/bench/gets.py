"""Compares `authorization()` with calls of other libraries that return a header or a credential from memory, in one run.

The other libraries are given a token that is valid for an hour, so none of them sends a request.
"""

import datetime
import statistics
import time

import botocore.credentials
import google.oauth2.credentials
import oauthlib.oauth2

import tokenwell

GETS = 20_000
ROUNDS = 15


def google_auth():
    expiry = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(hours=1)
    credentials = google.oauth2.credentials.Credentials("token", expiry=expiry)

    def get():
        headers = {}
        if credentials.valid:
            credentials.apply(headers)
        return headers

    return get


def oauthlib_client():
    client = oauthlib.oauth2.BackendApplicationClient("id", token={"access_token": "token", "token_type": "Bearer", "expires_in": 3600})
    return lambda: client.add_token("https://cloud.mongodb.com/")


def botocore_credentials():
    def metadata():
        return {"access_key": "a", "secret_key": "s", "token": "t", "expiry_time": "2999-01-01T00:00:00Z"}

    credentials = botocore.credentials.RefreshableCredentials.create_from_metadata(metadata(), metadata, "bench")
    return credentials.get_frozen_credentials


def main():
    client = tokenwell.Client.from_env()
    client.authorization()
    calls = {
        "tokenwell authorization()": client.authorization,
        "google-auth valid, apply": google_auth(),
        "oauthlib add_token": oauthlib_client(),
        "botocore get_frozen_credentials": botocore_credentials(),
    }
    samples = {name: [] for name in calls}
    # Alternating, so that a slow phase of the machine affects all of them.
    for _ in range(ROUNDS):
        for name, get in calls.items():
            begun = time.perf_counter_ns()
            for _ in range(GETS):
                get()
            samples[name].append((time.perf_counter_ns() - begun) / GETS)
    ours = statistics.median(samples["tokenwell authorization()"])
    print(f"{'Python':<34} {'ns per get':>10} {'ratio':>7}")
    for name, times in samples.items():
        median = statistics.median(times)
        print(f"{name:<34} {median:>10.0f} {ours / median:>7.2f}")


main()
