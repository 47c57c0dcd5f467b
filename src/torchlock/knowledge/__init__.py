"""What is known: rules, releases, builds and systems from ``compat_data/``, and the judge that applies them."""
