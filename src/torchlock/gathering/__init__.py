"""Make the catalogue: read the pages and wheels of an index, and write them as release files."""
