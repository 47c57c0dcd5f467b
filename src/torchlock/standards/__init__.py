"""The packaging standards: versions, markers, core metadata, file names, addresses. Pure functions on text."""
