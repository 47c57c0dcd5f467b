"""What is on disk and in the machine: an environment seen from outside, with nothing of it imported."""
