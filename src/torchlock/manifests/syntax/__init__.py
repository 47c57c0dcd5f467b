"""The grammars that several formats share."""
