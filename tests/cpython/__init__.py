"""CPython's own test_asyncio, with loopscope on and without."""
