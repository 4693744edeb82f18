"""Rules without I/O; the tree mirrors the package."""
