"""The emulator and an empty cache directory, for suites of `make test-more`. Requires TOKENWELL_BIN and TOKENWELL_LIBRARY (tests/environment.sh)."""

import json
import os
import shlex
import signal
import subprocess
import urllib.request

# A shell starts a background process with SIGINT ignored, and the programs that a suite starts would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Emulator:
    def __init__(self, cache_directory, *flags):
        command = [os.environ["TOKENWELL_BIN"], "emulator", "--until-stdin-closes", "--no-rate-limit", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.account = dict(shlex.split(line)[0].split("=", 1) for line in iter(self.process.stdout.readline, "# ready\n"))
        self.url = self.account["MONGODB_ATLAS_BASE_URL"]
        self.cache_directory = cache_directory
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, name, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{name}", data=data, headers={"Content-Type": "application/json"})
        with self.opener.open(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def environment(self, **more):
        """The variables of a client process. Nothing else of this process' environment reaches it."""
        variables = {name: os.environ[name] for name in ("PATH", "TOKENWELL_LIBRARY", "LD_LIBRARY_PATH") if name in os.environ}
        return {**variables, **self.account, "TOKENWELL_CACHE_DIR": str(self.cache_directory), "HOME": str(self.cache_directory), **more}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
