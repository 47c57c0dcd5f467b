"""What a process would load: the loaders of Linux, macOS and Windows, followed from outside."""
