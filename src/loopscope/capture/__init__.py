"""Hot: what runs in the loop's thread. Standard library only.

`gate` puts the hooks on the loop classes, `core` is what they call for each step, `coroutines` and `awaits`
tell whose code runs and what it waits for, `wakes` who woke it, `printed` what it prints, `buffer` takes the records,
`watchdog` looks from a thread of its own at what holds a loop (`stacks`, `causes`, `collector`), `private` holds every
touch of asyncio's insides.
"""
