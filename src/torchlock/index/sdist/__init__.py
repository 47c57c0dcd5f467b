"""Source distributions: what an archive or a source tree states of its requirements, read without running it.

``archive`` reads the few files that matter from an archive, ``statement`` decides which of them is used,
``script`` whether setup.py says the same on every machine. ``building`` runs the build backend, if the user
allows it.
"""

from __future__ import annotations

from torchlock.index.sdist.reader import Reader, metadata_of_tree
from torchlock.index.sdist.tree import project_of_tree, tree_files

__all__ = ["Reader", "metadata_of_tree", "project_of_tree", "tree_files"]
