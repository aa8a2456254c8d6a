"""The rows of a reference file, and whom to believe: the library or 60 digits."""

import csv
import math
import pathlib

import mpmath as mp
import numpy as np

mp.mp.dps = 60
FOLDER = pathlib.Path(__file__).parent


def number(value):
    if value is None:
        return "null"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    value = float(value)
    return "null" if math.isnan(value) or math.isinf(value) else f"{value:.17g}"


class Table:
    """The rows of one file."""

    def __init__(self, name):
        self.path, self.rows = FOLDER / f"{name}.csv", []

    def add(self, function, case, rows, expected, call, level=None, horizon=None):
        text = ";".join(" ".join(number(value) for value in row) for row in rows)
        figures = " ".join(f"{name}={number(value)}" for name, value in expected.items())
        self.rows.append([function, case, text, "" if level is None else number(level),
                          "" if horizon is None else number(horizon), figures, call])

    def write(self):
        with self.path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["function", "case", "rows", "level", "horizon", "expected", "call"])
            writer.writerows(self.rows)
        print(f"{self.path.name}: {len(self.rows)} cases")


def settle(library, precise, call):
    """The library's figures, or the 60-digit ones where the library has lost digits."""
    figures, replaced = {}, []
    for name, value in precise.items():
        given = library.get(name)
        if value is None or given is None or not np.isfinite(float(given)):
            figures[name] = None if value is None else float(value)
            if value is not None:
                replaced.append(name)
            continue
        distance = abs(float(given) - float(value)) / max(abs(float(value)), 1e-300 if name.endswith("p_value") else 1)
        if distance <= 1e-11:
            figures[name] = float(given)
        elif distance <= 1e-4 or name.endswith("p_value"):
            figures[name] = float(value)
            replaced.append(name)
        else:
            raise SystemExit(f"{call}: {name} is {given}, the formula gives {value}")
    return figures, call + (f"; mpmath, 60 digits: {' '.join(replaced)}" if replaced else "")


def z_of(level):
    return mp.sqrt(2) * mp.erfinv(mp.mpf(level))


def chi2_sf(statistic, df):
    return mp.gammainc(mp.mpf(df) / 2, mp.mpf(statistic) / 2, mp.inf, regularized=True)


def triple(values):
    return dict(zip(["estimate", "lower", "upper"], values))
