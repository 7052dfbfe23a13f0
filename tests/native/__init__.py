"""The native core against the Python core. Skipped where it cannot be loaded."""
