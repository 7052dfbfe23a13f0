"""Called at every interpreter start: switches loopscope on where the environment asks for it, else costs nothing."""

import os

_called = False


def main() -> None:
    """Start watching for the first loop, if OTEL_PYTHON_LOOPSCOPE_ENABLED is true. A second call does nothing."""
    global _called
    if _called:
        return
    _called = True
    value = os.environ.get("OTEL_PYTHON_LOOPSCOPE_ENABLED", "").strip().lower()
    if value in ("", "false", "0", "no", "off"):
        return
    try:
        if value in ("true", "1", "yes", "on"):
            from loopscope.activation import startup

            startup.main()
        else:
            from loopscope.settings import switched_on

            switched_on()  # says what is wrong with it
    except Exception as error:
        import sys

        sys.stderr.write(f"loopscope could not start: {type(error).__name__}: {error}\n")
