"""The libraries that a process would load: the loaders of Linux, macOS and Windows, simulated from files."""
