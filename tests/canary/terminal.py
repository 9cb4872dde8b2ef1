"""A terminal of the suite's own, on which a program asks and is answered."""

import os
import subprocess
import threading


class Terminal:
    """Runs a program in a session with this terminal; `shown` is all that somebody in front of it would see."""

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
                return  # Nobody has the other side any more.
            with self.changed:
                self.shown += chunk
                self.changed.notify_all()

    def answer(self, question, text):
        """Waits for the question, and types."""
        with self.changed:
            if not self.changed.wait_for(lambda: question in self.shown, 60):
                raise RuntimeError(f"no {question} on the terminal")
        os.write(self.master, text.encode() + b"\n")

    def end(self):
        """The program's exit code; afterwards `shown` is complete."""
        code = self.process.wait(60)
        self.reader.join(60)
        os.close(self.master)
        return code
