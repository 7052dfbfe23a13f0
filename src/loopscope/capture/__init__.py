"""Hot: what runs in the loop's thread. Standard library only.

`gate` puts the hooks on the loop classes, `core` is what they call for each step, `coroutines` and `awaits`
tell whose code runs and what it waits for, `wakes` who woke it, `buffer` takes the records, `private` holds
every touch of asyncio's insides.
"""
