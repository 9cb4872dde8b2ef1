"""Where the client id may be shown. It is no secret, but it tells whose account this is: it belongs where somebody has asked for just that.

Each entry has the place, the words around the id in which alone it is allowed there, and the reason. An entry that nothing needs any more is an error,
but for those of command lines: which of these are seen is a matter of chance.
"""

import re

COMMAND_LINE = r"^command line "
ALLOWED = [
    (r"^standard output of tokenwell status", rb"client id +ID\n|\"client_id\":\"ID\"", "`status` tells whose token it is"),
    (r"^standard output of tokenwell doctor", rb"configuration +ID at |\"found\":\"ID at ", "`doctor` tells which configuration it tries"),
    (r"^(standard (output|error) of (tokenwell|shim|sink)|messages in )", rb"ID%3A\[redacted\]", "a server that turns a client down is quoted, without the secret that it repeats"),
    (r"^(standard (output|error) of |messages in |the terminal of )", rb"rejected the client ID \(", "a rejection tells whose secret is to be corrected"),
    (r"^standard error of emulator$", rb"/serviceAccounts/ID/", "the emulator tells which path was asked for"),
    (COMMAND_LINE, rb"\0--client-id\0ID\0", "the flag for it"),
    (COMMAND_LINE, rb"/serviceAccounts/ID/", "a path that the caller of `api` has typed"),
    (COMMAND_LINE + ".*/heap", rb"\0ID\0", "the suite's own program"),
    (r"/config\.toml$", rb"\nclient_id = \"ID\"\n", "a profile names its account"),
    (r"/here/(sink|github-env)$", rb"ey[\w.-]+", "an Atlas token has it inside"),
]


def without_what_is_allowed(places, client_id):
    """The contents of `places` without the words in which the id is allowed, and the entries that were of no use."""
    idle = {number for number, (where, _, _) in enumerate(ALLOWED) if not where.startswith(COMMAND_LINE)}
    rest = {}
    for place, content in places.items():
        for number, (where, words, _) in enumerate(ALLOWED):
            if re.search(where, place):
                content, count = re.subn(words.replace(b"ID", re.escape(client_id.encode())), b" (allowed) ", content)
                if count:
                    idle.discard(number)
        rest[place] = content
    return rest, [f"{ALLOWED[number][0]}: {ALLOWED[number][2]}" for number in sorted(idle)]
