"""The audit's rules, a subject each."""
