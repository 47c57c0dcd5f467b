"""The guard, run as text in a separate Python: ends the children of another process when that process ends.

Standard input is a pipe, and only that process has its other end: when the process ends, the pipe closes. A line
is ``+group 123``, ``+process 123`` or ``+folder 2f746d70`` (hexadecimal); with ``-`` instead of ``+``, it is not
watched any more.
"""

import os
import signal
import sys
import time


def end(kind: str, name: str) -> None:
    try:
        if kind == "group":
            os.killpg(int(name), signal.SIGKILL)
        elif kind == "process":
            os.kill(int(name), signal.SIGKILL)
    except OSError:
        pass


def remove(folder: str) -> None:
    import shutil

    for _ in range(20):  # what was killed may write for a moment
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(0.05)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[str, None] = {}
    for line in sys.stdin:
        if line[0] == "+":
            watched[line[1:]] = None
        else:
            watched.pop(line[1:], None)
    rows = [line.split() for line in watched]
    for kind, name in rows:
        end(kind, name)
    for kind, name in rows:
        if kind == "folder":
            remove(os.fsdecode(bytes.fromhex(name)))


if __name__ == "__main__":
    main()
