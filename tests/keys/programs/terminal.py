"""Runs a command on a terminal of its own and answers its prompts, as a person would.

terminal.py ANSWERS COMMAND…    ANSWERS: a JSON list of [PROMPT, ANSWER]; prints a JSON object with the
                                exit status and all that the terminal showed
"""
import json
import os
import pty
import select
import sys
import time

answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
seen = 0
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    if answers and answers[0][0].encode() in shown[seen:]:
        seen = len(shown)
        # The prompt comes before the terminal stops echoing; nobody types as fast as that.
        time.sleep(0.3)
        os.write(terminal, answers.pop(0)[1].encode())
status = os.waitpid(pid, 0)[1]
print(json.dumps({"status": os.waitstatus_to_exitcode(status), "shown": shown.decode()}))
