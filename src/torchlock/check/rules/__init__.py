"""The check's rules, a subject each."""
