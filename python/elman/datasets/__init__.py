"""Data that comes with elman."""

from .weather import Weather, load_weather

__all__ = ["Weather", "load_weather"]


def __dir__() -> list[str]:
    return __all__
