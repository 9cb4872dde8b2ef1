"""Runs the transcripts of docs/tasks against the emulator and compares the output.

    python3 tests/tasks/run.py [PAGE...]

Requires DIST and bash. Each page has a shell, a home and a cache of its own. Start reading at `PAGES`: what a page
finds when it begins, and which of its words stand for others here. `transcripts` reads the pages.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import servers
from servers import DIST, ROOT
from transcripts import PageError, difference, steps

TASKS = ROOT / "docs" / "tasks"
PATIENCE_S = 120
MOST_COMMANDS = 3
ATLAS = "https://cloud.mongodb.com"
# The account on the pages. tokenwell does not send a client id of the emulator to Atlas, so no page shows one.
ACCOUNT = "mdb_sa_id_0123456789abcdef01234567"


class Scene:
    """The shell of one page."""

    def __init__(self, work, stack):
        self.work, self.stack = work, stack
        self.home = work / "home"
        self.home.mkdir()
        self.environment = {"PATH": f"{DIST}/bin:{os.environ['PATH']}", "HOME": str(self.home), "LANG": "C.UTF-8"}
        # What the page says, and what is used here; and the other way round in the output.
        self.stand_ins = {}
        self.shown = {str(self.home): "/home/me"}

    def emulator(self, *flags):
        emulator = servers.Emulator(str(DIST / "bin" / "tokenwell"), self.work, *flags)
        self.stack.callback(emulator.stop)
        self.shown[emulator.url] = ATLAS
        self.shown[emulator.client_id] = ACCOUNT
        return emulator

    def with_account(self, *flags):
        emulator = self.emulator(*flags)
        self.environment.update(emulator.account)
        return emulator

    def file(self, name, content, mode=0o600):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def run(self, commands):
        """Returns the output and the exit code of each command. All run in the same shell."""
        script = "".join(
            f"{{ {command}\n}} >{self.work}/output-{number} 2>&1 </dev/null; echo $? >{self.work}/code-{number}\n" for number, command in enumerate(commands)
        )
        subprocess.run(["bash", "--norc", "-c", script], env=self.environment, cwd=self.home, timeout=PATIENCE_S, check=False)
        for number in range(len(commands)):
            code = self.work / f"code-{number}"
            yield (self.work / f"output-{number}").read_text(errors="replace"), int(code.read_text()) if code.exists() else None

    def here(self, command):
        for word, stand_in in self.stand_ins.items():
            command = command.replace(word, stand_in)
        return command

    def as_on_the_page(self, told):
        for word, shown in sorted(self.shown.items(), key=lambda pair: -len(pair[0])):
            told = told.replace(word, shown)
        return told


def problem_of(page, arrange):
    """Returns what is wrong with the page, or None."""
    try:
        written = steps(page)
        if len(written) > MOST_COMMANDS:
            return f"it has {len(written)} commands: a task takes at most {MOST_COMMANDS}"
        with tempfile.TemporaryDirectory(prefix="task-") as folder, contextlib.ExitStack() as stack:
            scene = Scene(pathlib.Path(folder), stack)
            check = arrange(scene)
            results = list(scene.run([scene.here(step.command) for step in written]))
            for step, (told, code) in zip(written, results):
                told = scene.as_on_the_page(told)
                if code != step.code:
                    return f"`{step.command}` ended with {code}, expected {step.code}: {told}"
                different = difference(step.expected, told)
                if different:
                    return f"`{step.command}`: {different}"
            return check() if check else None
    except (PageError, OSError, KeyError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"


def main():
    from pages import PAGES

    wanted = sys.argv[1:] or sorted(PAGES)
    failed = passed = 0

    def report(name, problem):
        nonlocal failed, passed
        failed, passed = failed + bool(problem), passed + (not problem)
        print(f"FAILED {name}: {problem}" if problem else f"ok {name}", flush=True)

    if not shutil.which("bash"):
        sys.exit("tasks: bash is missing: the pages are run with it; install it")
    for name in wanted:
        report(name, problem_of(TASKS / f"{name}.md", PAGES[name]))
    if not sys.argv[1:]:
        written = {page.stem for page in TASKS.glob("*.md")} - {"README"}
        report("every page is run", f"{sorted(written ^ set(PAGES))}" if written != set(PAGES) else None)
        listed = re.findall(r"\]\((\w[\w-]*)\.md\)", (TASKS / "README.md").read_text())
        report("the list of tasks names every page", f"{sorted(set(listed) ^ written)}" if set(listed) != written else None)
        report("a planted mistake is found: another output", None if difference(["exit"], "exits\n") else "it was accepted")
        report("a planted mistake is found: a line too many", None if difference(["a", "…b"], "a\nab\nc\n") else "it was accepted")
    print(f"tasks: {passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
