"""A pseudo-terminal of the suite, which answers the prompts of a program."""

import os
import subprocess
import threading


class Terminal:
    """Runs a program in a session with this terminal. `shown` is everything that a user would see."""

    def __init__(self, command, environment, directory):
        self.master, theirs = os.openpty()
        self.shown = b""
        self.changed = threading.Condition()
        try:
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *command], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, cwd=directory
            )
        finally:
            os.close(theirs)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                chunk = os.read(self.master, 4096)
            except OSError:
                return  # The other side is closed.
            with self.changed:
                self.shown += chunk
                self.changed.notify_all()

    def answer(self, question, text):
        """Waits for the prompt and types the answer."""
        with self.changed:
            if not self.changed.wait_for(lambda: question in self.shown, 60):
                raise RuntimeError(f"no {question} on the terminal")
        os.write(self.master, text.encode() + b"\n")

    def end(self):
        """Waits for the program and returns its exit code. Afterwards `shown` is complete."""
        code = self.process.wait(60)
        self.reader.join(60)
        os.close(self.master)
        return code
