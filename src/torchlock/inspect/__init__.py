"""Read an environment and its machine from outside; nothing of the environment is imported."""
