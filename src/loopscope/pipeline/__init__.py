"""Cold: records become task lives, spans and OTLP, in one background thread.

`assembler` makes lives and steps of records; `spans` decides which trace each belongs to and what is said of
it; `otlp` encodes, `export` sends, `worker` is the thread that does it all in small slices.
"""
