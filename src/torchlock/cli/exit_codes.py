"""The exit codes of the contract."""

OK, FOUND, UNUSABLE, BUG, INTERRUPTED = 0, 1, 2, 3, 130
