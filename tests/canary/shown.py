"""The places where the client id may be shown. It is not a secret, but it identifies the account, so it is
shown only where the user needs it.

Each entry has the place, the string around the id that is allowed there, and the reason. An unused entry is
an error, except for command lines: the sampling may miss them.
"""

import re

COMMAND_LINE = r"^command line "
ALLOWED = [
    (r"^standard output of tokenwell status", rb"client id +ID\n|\"client_id\":\"ID\"", "`status` shows the account"),
    (r"^standard output of tokenwell doctor", rb"configuration +ID at |\"found\":\"ID at ", "`doctor` shows the configuration that it checks"),
    (r"^standard output of tokenwell (status|doctor)", rb"tokenwell\s+sa\s+secret\s+add\s+--(org|project)\s+\S+\s+ID\b", "the command that replaces a secret before it ends names the account"),
    (r"^standard error of tokenwell doctor", rb"/serviceAccounts/ID\b", "with -v, `doctor` logs the requested path"),
    (r"^(standard (output|error) of (tokenwell|shim|sink)|messages in )", rb"ID%3A\[redacted\]", "the reply of a server that rejects the client is quoted, without the secret that it repeats"),
    (r"^messages in ", rb"mdb_sa_id_\w+\xe2\x80\xa6", "the error code of that reply is cut after 64 characters, which may be inside of the id"),
    (r"^(standard (output|error) of |messages in |the terminal of )", rb"rejected\s+the\s+client\s+ID\s+\(", "the error of a rejection names the account to correct"),
    (r"^standard error of tokenwell logout", rb"removing profile [^\n]*: ID at ", "`logout` names the account before it removes it"),
    (r"^standard error of tokenwell revoke", rb"revoking the [^\n]* (of|as) ID at ", "`revoke` names the account before it revokes its token"),
    (r"^standard output of tokenwell sa (list|show|audit)", rb"ID", "`sa` lists the accounts, and shows the one that is signed in"),
    (r"^standard error of tokenwell sa ", rb"/serviceAccounts/ID\b", "with -v, `sa` logs the requested path"),
    (r"^standard error of emulator$", rb"/serviceAccounts/ID\b", "the emulator logs the requested path"),
    (r"^standard error of tokenwell api", rb"/serviceAccounts/ID/", "with -v, `api` logs the requested path"),
    (COMMAND_LINE, rb"\0--client-id\0ID\0", "the flag of the client id"),
    (COMMAND_LINE, rb"/serviceAccounts/ID/", "a path argument of `api`"),
    (COMMAND_LINE + ".*/heap", rb"\0ID\0", "the program of this suite"),
    (r"/changes\.jsonl$", rb"\"ID\"", "the log of changes names the account that made them"),
    (r"/config\.toml$", rb"\nclient_id = \"ID\"\n", "a profile contains its client id"),
    (r"/here/(sink|github-env|at-exit-file|at-exit-github)$", rb"ey[\w.-]+", "an Atlas token contains the client id"),
]


def without_what_is_allowed(places, client_id):
    """Returns the contents of `places` without the allowed strings, and the unused entries."""
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
