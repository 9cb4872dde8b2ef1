"""Samples the command lines of all child processes, as any user of the host could."""

import os
import threading

PAUSE_S = 0.005


class CommandLines(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.seen = set()
        self.rounds = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(PAUSE_S):
            self.look()

    def stop(self):
        self.over.set()
        self.join()
        return self.seen

    def look(self):
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", "rb") as file:
                        # The program name, in parentheses, may contain any character.
                        parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
                except (OSError, IndexError):
                    continue  # The process has exited.
        ours = {os.getpid()}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in ours} - ours
            ours |= more
            grown = bool(more)
        for pid in ours:
            for name in ("cmdline", "comm"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as file:
                        self.seen.add(file.read())
                except OSError:
                    continue
        self.rounds += 1
