"""By which certificate OTLP/gRPC says who asks."""

from __future__ import annotations


def check_identity(identity: tuple[str, str]) -> None:
    """Raises ValueError where one of certificate and key is there without the other: gRPC ends the process then."""
    certificate, key = identity
    missing = [
        f"its {part} " + (f"{path} cannot be read" if path else "is not set")
        for part, path in (("certificate (CLIENT_CERTIFICATE)", certificate), ("key (CLIENT_KEY)", key))
        if not _read(path)
    ]
    if len(missing) == 1:
        raise ValueError(f"gRPC takes a client's certificate and its key together, and {missing[0]}")


def _read(path: str) -> bool:
    """Whether there is something in this file."""
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except (OSError, ValueError):
        return False
