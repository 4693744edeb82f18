"""The benchmark's own arithmetic and files; what it measures is measured by running it."""
