"""What the tests share: staged environments, local indexes, counters of work."""
