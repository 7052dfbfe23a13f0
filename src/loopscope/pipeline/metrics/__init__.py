"""Metrics: exact sums, a histogram and a sample of our own, and the instruments that read them."""
