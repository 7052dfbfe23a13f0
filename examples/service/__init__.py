"""A small shop with everything that makes an asyncio service slow, each switched on by name.

`__main__.py` starts its workers · `telemetry.py` is what any service does for OpenTelemetry · `app.py` has the routes,
`catalogue.py` the database, `warehouse.py` the HTTP client, `billing.py` the queue, `reports.py` the thread pool ·
`problems.py` says which problems are on; each is planted in the room that it belongs to · `load.py` is the load.
"""
