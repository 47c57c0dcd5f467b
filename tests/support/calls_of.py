"""Count the calls, of Python and of C, that one whole command comes to: run as a program, it prints the number.

    python calls_of.py ARGUMENT...

Imports count too: a cold process makes them. It stands alone, so that nothing of the tests is imported before.
"""

import sys

count = 0


def seen(frame, event, argument):  # type: ignore[no-untyped-def]
    global count
    count += event == "call" or event == "c_call"


sys.setprofile(seen)
try:
    from torchlock.cli.main import main

    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
sys.setprofile(None)
print(f"calls: {count}, code: {code}", file=sys.stderr)
