"""Live indexes, for what the bundled catalogue does not hold. Nothing is imported before it is needed.

``configuration`` reads which indexes the user means, ``client`` asks them, ``source`` hands the answers to
the solver as releases. A socket, and the library that opens it, appear in ``transport`` alone.
"""
