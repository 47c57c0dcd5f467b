"""The options of every command, with its help; a module each, imported when that command is asked for."""
