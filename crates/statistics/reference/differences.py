"""Differences of means and of areas under ROC curves."""

import math

import mpmath as mp
import numpy as np
from scipy import stats

from table import Table, settle, triple, z_of


def differences():
    table, rng = Table("differences"), np.random.default_rng(20260114)

    def welch(case, first, second, level):
        (m1, v1, n1), (m2, v2, n2) = first, second
        M1, V1, N1, M2, V2, N2 = [mp.mpf(v) for v in (*first, *second)]
        out, call = triple([None] * 3), "undefined: below two values"
        if n1 >= 2 and n2 >= 2:
            e1, e2 = V1 / N1, V2 / N2
            if e1 + e2 == 0:
                out, call = triple([float(M1 - M2)] * 3), "no variance"
            else:
                df = (e1 + e2) ** 2 / (e1**2 / (N1 - 1) + e2**2 / (N2 - 1))
                tail = (1 - mp.mpf(level)) / 2
                above = lambda t: mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
                start = mp.mpf(float(stats.t.isf(float(tail), float(df))))
                t = mp.findroot(lambda t: mp.log(above(t)) - mp.log(tail), (start, start * (1 + mp.mpf(10) ** -8)), tol=1e-50)
                reach = t * mp.sqrt(e1 + e2)
                result = stats.ttest_ind_from_stats(m1, math.sqrt(v1), n1, m2, math.sqrt(v2), n2, equal_var=False)
                low, high = stats.t.interval(level, float(df), loc=m1 - m2, scale=math.sqrt(v1 / n1 + v2 / n2))
                assert abs(result.statistic - (m1 - m2) / math.sqrt(v1 / n1 + v2 / n2)) < 1e-6 * max(1, abs(result.statistic))
                out, call = settle(triple([m1 - m2, low, high]), triple([M1 - M2, M1 - M2 - reach, M1 - M2 + reach]),
                                   "t.interval(level, df of Welch and Satterthwaite, loc, scale); ttest_ind_from_stats(equal_var=False)")
        table.add("welch_difference", case, [[*map(float, first), *map(float, second)]], out, call, level)

    welch("two values each", (1.5, 0.5, 2), (0.25, 2.0, 2), 0.95)
    welch("one value", (1.5, 0.0, 1), (0.25, 2.0, 9), 0.95)
    welch("no variance", (1.5, 0.0, 5), (0.25, 0.0, 9), 0.95)
    welch("no variance in one", (1.5, 0.0, 5), (0.25, 3.0, 9), 0.95)
    welch("large samples", (0.81, 0.04, 900000), (0.8, 0.05, 1000000), 0.99)
    for _ in range(60):
        samples = [(float(rng.normal(3, 1)), float(10 ** rng.uniform(-2, 2)), int(10 ** rng.uniform(0.4, 4.5))) for _ in range(2)]
        welch("random", *samples, float(rng.choice([0.8, 0.9, 0.95, 0.99])))

    def delong(case, first, second, outcome, level):
        positives = [i for i, o in enumerate(outcome) if o]
        negatives = [i for i, o in enumerate(outcome) if not o]
        m, n = len(positives), len(negatives)
        names = ["estimate", "lower", "upper", "standard_error", "p_value", "first_auc", "first_auc_lower", "first_auc_upper",
                 "second_auc", "second_auc_lower", "second_auc_upper"]
        out = dict.fromkeys(names) | {"positives": m, "negatives": n}
        if m >= 2 and n >= 2:
            kernel = lambda x, y: mp.mpf(1) if x > y else mp.mpf(1) / 2 if x == y else mp.mpf(0)
            v10 = [[sum(kernel(s[i], s[j]) for j in negatives) / n for i in positives] for s in (first, second)]
            v01 = [[sum(kernel(s[i], s[j]) for i in positives) / m for j in negatives] for s in (first, second)]
            areas = [sum(v) / m for v in v10]
            spread = lambda values: sum((v - sum(values) / len(values)) ** 2 for v in values) / (len(values) - 1)
            of = lambda a, b: mp.sqrt(spread(a) / m + spread(b) / n)
            errors = [of(a, b) for a, b in zip(v10, v01)]
            error = of([x - y for x, y in zip(*v10)], [x - y for x, y in zip(*v01)])
            d, z = areas[0] - areas[1], z_of(level)
            out |= triple([float(v) for v in (d, d - z * error, d + z * error)]) | {"standard_error": float(error)}
            if error > mp.mpf(10) ** -40:
                out["p_value"] = float(mp.erfc(abs(d / error) / mp.sqrt(2)))
            for name, area, e in zip(("first_auc", "second_auc"), areas, errors):
                out |= {name: float(area), f"{name}_lower": float(max(area - z * e, 0)), f"{name}_upper": float(min(area + z * e, 1))}
            check = stats.mannwhitneyu([first[i] for i in positives], [first[i] for i in negatives]).statistic / (m * n)
            assert abs(check - areas[0]) < 1e-12
        table.add("auc_difference", case, list(zip(map(float, first), map(float, second), map(int, outcome))), out,
                  "DeLong, DeLong and Clarke-Pearson by its definition, every pair, mpmath 60 digits", level)

    delong("empty", [], [], [], 0.95)
    delong("one class", [1.0, 2.0], [2.0, 1.0], [1, 1], 0.95)
    delong("one positive", [1.0, 2.0, 3.0], [2.0, 1.0, 0.0], [1, 0, 0], 0.95)
    delong("equal scores", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1], 0.95)
    delong("all tied", [1.0] * 6, [2.0] * 6, [0, 1] * 3, 0.95)
    for i in range(50):
        n = int(rng.integers(8, 70))
        outcome = rng.integers(0, 2, n)
        scores = [rng.normal(size=n) + w * outcome for w in (0.5, 1.0)]
        if i % 2:
            scores = [np.round(2 * s) / 2 for s in scores]
        delong("random, tied" if i % 2 else "random", *[[float(f"{v:.6g}") for v in s] for s in scores], outcome,
               float(rng.choice([0.9, 0.95])))
    table.write()
