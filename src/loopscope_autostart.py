"""Called at every interpreter start: switches loopscope on where the environment asks for it, else costs nothing."""

import os


def main() -> None:
    """Start watching for the first loop, if OTEL_PYTHON_LOOPSCOPE_ENABLED is true."""
    if os.environ.get("OTEL_PYTHON_LOOPSCOPE_ENABLED", "").strip().lower() in ("true", "1", "yes", "on"):
        try:
            from loopscope.activation import startup

            startup.main()
        except Exception as error:
            import sys

            sys.stderr.write(f"loopscope could not start: {type(error).__name__}: {error}\n")
