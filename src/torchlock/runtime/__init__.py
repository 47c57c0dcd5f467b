"""The process itself: bounded file reading, child processes, signals, temporary files."""
