"""Runs a program on a terminal of its own and types what a person would.

Usage: typist.py STEPS PROGRAM ARGUMENT..., STEPS being a JSON list of [WAIT_FOR, TYPE] or
[WAIT_FOR, TYPE, FROM, TO]; the latter renames a folder before typing, as when a token is pulled out.
Prints {"screen": everything shown, "code": exit code} and fails if a text does not come.
"""

import json
import os
import pty
import select
import sys
import time

PATIENCE = 60


class Screen:
    def __init__(self, terminal):
        self.terminal, self.text, self.read_to = terminal, "", 0

    def more(self, deadline):
        """Takes in what is shown next; False at the end."""
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            sys.exit(f"nothing came for {PATIENCE} s after: {self.text!r}")
        try:
            shown = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.text += shown.decode(errors="replace")
        return bool(shown)

    def wait_for(self, expected):
        deadline = time.monotonic() + PATIENCE
        while expected not in self.text[self.read_to:]:
            if not self.more(deadline):
                sys.exit(f"{expected!r} never came: {self.text!r}")
        self.read_to = self.text.index(expected, self.read_to) + len(expected)


def main(steps, *command):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    screen = Screen(terminal)
    for expected, typed, *renamed in json.loads(steps):
        screen.wait_for(expected)
        if renamed:
            os.rename(*renamed)
        # The prompt is shown before the echo is off, in some programs.
        time.sleep(0.1)
        os.write(terminal, typed.encode() + b"\r")
    deadline = time.monotonic() + PATIENCE
    while screen.more(deadline):
        pass
    _, status = os.waitpid(child, 0)
    print(json.dumps({"screen": screen.text, "code": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
