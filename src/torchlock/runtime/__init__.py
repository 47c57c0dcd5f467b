"""The run itself: files read within bounds, processes and what ends them, signals, temporary files."""
