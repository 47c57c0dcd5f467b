"""The jobs behind the commands and the public functions: options → results. No job prints, writes a file or exits.

``arguments`` are the options of a command as attributes, as ``cli/parser.py`` makes them. A job speaks to a
``Listener``.
"""
