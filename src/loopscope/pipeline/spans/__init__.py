"""The trace model: which trace a step belongs to, which task span it stands under, what is said of it."""
