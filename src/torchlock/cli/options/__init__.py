"""The options and the help of each command: one module per command, imported when the command is used."""
