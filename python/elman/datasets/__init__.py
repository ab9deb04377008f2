"""Data that comes with elman."""

from .weather import Weather, load_weather

__all__ = ["Weather", "load_weather"]
