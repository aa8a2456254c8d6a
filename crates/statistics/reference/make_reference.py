"""Writes the reference table: what scipy, statsmodels and lifelines say to cases of every statistic of this crate.

    pip install -r requirements.txt
    python make_reference.py            # writes *.csv beside itself, the same bytes every time

One row a case: function, case, rows (values separated by blanks, rows by semicolons), level, horizon, expected
(name=value, 17 digits, `null` where the figure is undefined) and the call that made it.

Closed formulas are evaluated a second time with 60 digits. Where the library agrees to 1e-11, the library's value is
written; where its double precision has lost more (counts around 1e9, odds ratios close to 1 in its quadratic, p values
as `1 - cdf`), the 60-digit value is, and the call says so. A library that is off by more than 1e-4 stops the program:
that would be another formula, not rounding.
"""

import math
import warnings

import mpmath as mp
import numpy as np
import statsmodels.api as sm
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

import differences
import firth
import joint
import person_time
from table import Table, chi2_sf, settle, triple, z_of

warnings.filterwarnings("ignore")
np.seterr(all="ignore")


# Proportions and 2x2 tables


def precise_wilson(x, n, level):
    x, n, z = mp.mpf(x), mp.mpf(n), z_of(level)
    p = x / n
    centre, reach = p + z**2 / (2 * n), z * mp.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return p, (centre - reach) / (1 + z**2 / n), (centre + reach) / (1 + z**2 / n)


def wilson_case(table, case, x, n, level):
    call = f"proportion_confint({x}, {n}, alpha=1-{level}, method='wilson')"
    low, high = proportion_confint(x, n, alpha=1 - level, method="wilson")
    expected, call = settle(triple([x / n, low, high]), triple(precise_wilson(x, n, level)), call)
    table.add("wilson", case, [[x, n]], expected, call, level)


def table_cases(table, case, cells, level):
    a, b, c, d = cells
    n1, n0, m1, m0 = a + b, c + d, a + c, b + d
    z, A, B, C, D = z_of(level), mp.mpf(a), mp.mpf(b), mp.mpf(c), mp.mpf(d)
    nothing = triple([None] * 3)

    difference = None
    if n1 and n0:
        (p1, l1, u1), (p0, l0, u0) = precise_wilson(a, n1, level), precise_wilson(c, n0, level)
        difference = [p1 - p0, p1 - p0 - mp.sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2),
                      p1 - p0 + mp.sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)]
        call = f"confint_proportions_2indep({a}, {n1}, {c}, {n0}, method='newcomb', compare='diff', alpha=1-{level})"
        low, high = confint_proportions_2indep(a, n1, c, n0, method="newcomb", compare="diff", alpha=1 - level)
        expected, call = settle(triple([a / n1 - c / n0, low, high]), triple(difference), call)
        table.add("risk_difference", case, [cells], expected, call, level)
    else:
        table.add("risk_difference", case, [cells], nothing, "undefined: empty arm", level)

    if n1 and n0 and m1 and m0:
        factor = mp.sqrt(mp.mpf(n1) * n0 / (mp.mpf(m1) * m0))
        precise = [difference[0] * factor, difference[1] * factor, difference[2] * factor]
        library = {"estimate": None}
        call = "mpmath, 60 digits: (ad-bc)/sqrt(n1 n0 m1 m0), Newcombe limits times sqrt(n1 n0/(m1 m0))"
        if n1 + n0 <= 20000:
            x = np.repeat([1, 1, 0, 0], [a, b, c, d])
            y = np.repeat([1, 0, 1, 0], [a, b, c, d])
            library["estimate"] = stats.pearsonr(x, y).statistic
            call = "pearsonr(x, y).statistic on the 0/1 columns"
        expected, call = settle(library, triple(precise), call)
        table.add("phi", case, [cells], expected, call, level)
    else:
        table.add("phi", case, [cells], nothing, "undefined: empty margin", level)

    if a and b and c and d:
        t, error = Table2x2([[a, b], [c, d]]), mp.sqrt(1 / A + 1 / B + 1 / C + 1 / D)
        ratio = A * D / (B * C)
        expected, call = settle(triple([t.oddsratio, *t.oddsratio_confint(1 - level)]),
                                triple([ratio, ratio * mp.exp(-z * error), ratio * mp.exp(z * error)]),
                                f"Table2x2([[{a}, {b}], [{c}, {d}]]).oddsratio, .oddsratio_confint(1-{level})")
        table.add("odds_ratio", case, [cells], expected, call, level)
    else:
        table.add("odds_ratio", case, [cells], nothing, "undefined: empty cell", level)

    if a and c:
        t, error = Table2x2([[a, b], [c, d]], shift_zeros=False), mp.sqrt(1 / A - 1 / (A + B) + 1 / C - 1 / (C + D))
        ratio = A / (A + B) / (C / (C + D))
        low, high = t.riskratio_confint(1 - level)
        expected, call = settle(triple([t.riskratio, low, high]),
                                triple([ratio, ratio * mp.exp(-z * error), ratio * mp.exp(z * error)]),
                                f"Table2x2([[{a}, {b}], [{c}, {d}]], shift_zeros=False).riskratio, .riskratio_confint(1-{level})")
        table.add("risk_ratio", case, [cells], expected, call, level)
    else:
        table.add("risk_ratio", case, [cells], nothing, "undefined: an arm without churn", level)


def two_by_two():
    table, rng = Table("two_by_two"), np.random.default_rng(20260101)
    for x, n in [(0, 1), (1, 1), (0, 20), (20, 20), (1, 1000000000), (999999999, 1000000000), (12, 80), (500, 1000)]:
        for level in [0.5, 0.8, 0.95, 0.99, 0.999999]:
            wilson_case(table, "special", x, n, level)
    for _ in range(100):
        n = int(10 ** rng.uniform(0, 9))
        wilson_case(table, "random", int(rng.integers(0, n + 1)), n, float(rng.choice([0.8, 0.9, 0.95, 0.99])))
    special = {
        "zero a": (0, 10, 5, 15), "zero b": (10, 0, 5, 15), "zero c": (3, 10, 0, 15), "zero d": (3, 10, 5, 0),
        "diagonal": (10, 0, 0, 15), "other diagonal": (0, 10, 15, 0), "no exposed": (0, 0, 5, 15),
        "no unexposed": (5, 15, 0, 0), "no churn": (0, 10, 0, 15), "all churn": (10, 0, 15, 0), "empty": (0, 0, 0, 0),
        "ones": (1, 1, 1, 1), "rare exposure": (30, 70, 50000, 1000000), "rare churn": (3, 9997, 2, 9998),
        "billions": (1000000000, 2000000000, 3000000000, 4000000000),
        "billions, nearly equal": (999999999, 1000000000, 1000000000, 1000000001),
        "one against a billion": (1, 1000000000, 1, 999999999),
    }
    for case, cells in special.items():
        for level in [0.8, 0.95, 0.999]:
            table_cases(table, case, cells, level)
    for _ in range(150):
        cells = [int(value) for value in rng.integers(0, 10 ** rng.uniform(0.5, 3.5, 4)).astype(int)]
        table_cases(table, "random", cells, float(rng.choice([0.9, 0.95, 0.99])))
    table.write()


# Strata


def precise_mantel_haenszel(strata, level):
    names = ["odds_ratio", "lower", "upper", "log_se", "cmh_statistic", "p_value", "homogeneity_statistic",
             "homogeneity_df", "homogeneity_p_value"]
    out, z = dict.fromkeys(names), z_of(level)
    S = [tuple(mp.mpf(value) for value in cells) for cells in strata]
    deviation = variance = mp.mpf(0)
    for a, b, c, d in S:
        n = a + b + c + d
        if n >= 2:
            deviation += a - (a + b) * (a + c) / n
            variance += (a + b) * (c + d) * (a + c) * (b + d) / (n**2 * (n - 1))
    if variance > 0:
        out["cmh_statistic"] = deviation**2 / variance
        out["p_value"] = chi2_sf(out["cmh_statistic"], 1)
    full = [s for s in S if (s[0] + s[1]) * (s[2] + s[3]) * (s[0] + s[2]) * (s[1] + s[3]) > 0]
    R = [a * d / (a + b + c + d) for a, b, c, d in full]
    Q = [b * c / (a + b + c + d) for a, b, c, d in full]
    if sum(R) > 0 and sum(Q) > 0:
        P = [(a + d) / (a + b + c + d) for a, b, c, d in full]
        r, s = sum(R), sum(Q)
        v = (sum(p * x for p, x in zip(P, R)) / r**2 + sum((1 - p) * y for p, y in zip(P, Q)) / s**2
             + sum(p * y + (1 - p) * x for p, x, y in zip(P, R, Q)) / (r * s)) / 2
        psi, error = r / s, mp.sqrt(v)
        out |= {"odds_ratio": psi, "log_se": error, "lower": psi * mp.exp(-z * error), "upper": psi * mp.exp(z * error)}
        if len(full) >= 2:
            statistic = mp.mpf(0)
            for a, b, c, d in full:
                n1, m1, n0 = a + b, a + c, c + d
                quadratic = [psi - 1, -(psi * (n1 + m1) + n0 - m1), psi * n1 * m1]
                root = mp.sqrt(quadratic[1] ** 2 - 4 * quadratic[0] * quadratic[2])
                e = 2 * quadratic[2] / (-quadratic[1] + root)
                if not (e > 0 and e <= min(n1, m1) and n0 - m1 + e > 0):
                    e = (-quadratic[1] - root) / (2 * quadratic[0])
                statistic += (a - e) ** 2 * (1 / e + 1 / (n1 - e) + 1 / (m1 - e) + 1 / (n0 - m1 + e))
            df = len(full) - 1
            out |= {"homogeneity_statistic": statistic, "homogeneity_df": df,
                    "homogeneity_p_value": chi2_sf(statistic, df)}
    return out, full


def strata_cases(table, case, strata, level):
    strata = [tuple(int(value) for value in cells) for cells in strata]
    precise, full = precise_mantel_haenszel(strata, level)
    as_tables = lambda cells: [np.array([[a, b], [c, d]], dtype=float) for a, b, c, d in cells]
    library, call = {}, "undefined"
    if len(full) > 0:
        t = StratifiedTable(as_tables([s for s in strata if sum(s) >= 2]))
        null = t.test_null_odds(correction=False)
        low, high = t.oddsratio_pooled_confint(1 - level)
        library = {"odds_ratio": t.oddsratio_pooled, "lower": low, "upper": high, "log_se": t.logodds_pooled_se,
                   "cmh_statistic": null.statistic, "p_value": stats.chi2.sf(null.statistic, 1)}
        if precise["homogeneity_df"]:
            equal = StratifiedTable(as_tables([[float(v) for v in s] for s in full])).test_equal_odds()
            library |= {"homogeneity_statistic": equal.statistic, "homogeneity_df": len(full) - 1,
                        "homogeneity_p_value": stats.chi2.sf(equal.statistic, len(full) - 1)}
        call = (f"StratifiedTable(strata with N >= 2): .oddsratio_pooled, .oddsratio_pooled_confint(1-{level}), "
                ".logodds_pooled_se, .test_null_odds(correction=False); .test_equal_odds() on those with four positive "
                "margins; p values by chi2.sf of the statistics")
    expected, call = settle(library, precise, call)
    expected |= {"strata": len(strata), "uninformative_strata": len(strata) - len(full)}
    if expected["homogeneity_df"] is not None:
        expected["homogeneity_df"] = int(expected["homogeneity_df"])
    table.add("mantel_haenszel", case, strata, expected, call, level)

    used = [tuple(mp.mpf(value) for value in s) for s in strata if s[2] + s[3] > 0]
    left_out = [s for s in strata if s[2] + s[3] == 0]
    churners = sum((a + c for a, b, c, d in used), mp.mpf(0))
    figures = triple([None] * 3) | {"churners": float(churners), "attributable_share": None}
    if used:
        excess = sum(a - (a + b) * c / (c + d) for a, b, c, d in used)
        variance = sum((a * b / (a + b) if a + b else 0) + (a + b) ** 2 * c * d / (c + d) ** 3 for a, b, c, d in used)
        reach = z_of(level) * mp.sqrt(variance)
        figures |= triple([excess, excess - reach, excess + reach])
        figures["attributable_share"] = excess / churners if churners else None
    figures |= {"left_out_strata": len(left_out), "left_out_exposed": float(sum(a + b for a, b, _, _ in left_out))}
    table.add("excess_churners", case, strata, figures, "mpmath, 60 digits: sum(a - n1 c/n0) and its variance", level)


def stratified():
    table, rng = Table("stratified"), np.random.default_rng(20260102)
    special = {
        "one stratum": [(30, 70, 20, 180)],
        "one stratum, zero cell": [(0, 70, 20, 180)],
        "two strata": [(30, 70, 20, 180), (5, 30, 9, 100)],
        "no strata": [],
        "empty strata among others": [(30, 70, 20, 180), (0, 0, 0, 0), (5, 30, 9, 100), (0, 0, 0, 0)],
        "strata of one customer": [(30, 70, 20, 180), (1, 0, 0, 0), (0, 0, 0, 1)],
        "no unexposed in one": [(30, 70, 20, 180), (8, 20, 0, 0), (5, 30, 9, 100)],
        "no exposed in one": [(30, 70, 20, 180), (0, 0, 7, 60), (5, 30, 9, 100)],
        "no churn in one": [(30, 70, 20, 180), (0, 50, 0, 60), (5, 30, 9, 100)],
        "zero cells that leave an odds ratio": [(0, 10, 5, 20), (8, 3, 0, 9), (4, 4, 3, 6)],
        "one diagonal empty": [(5, 0, 0, 9), (3, 0, 0, 4)],
        "no effect at all": [(10, 30, 20, 60), (5, 20, 10, 40)],
        "opposite effects": [(50, 10, 10, 50), (10, 50, 50, 10)],
        "confounded": [(90, 10, 900, 100), (10, 990, 1, 99)],
        "overwhelming": [(900, 100, 100, 900), (800, 100, 70, 900), (5000, 300, 200, 9000)],
        "p near the smallest": [(560, 100, 110, 560), (20, 30, 30, 30)],
        "billions": [(10**9, 2 * 10**9, 10**9, 3 * 10**9), (10**8, 10**9, 3 * 10**8, 4 * 10**9)],
        "billions and ones": [(10**9, 2 * 10**9, 10**9, 3 * 10**9), (1, 2, 1, 3)],
        "extreme odds ratio": [(99999, 1, 1, 99999), (99990, 3, 2, 50000), (40, 1, 1, 20)],
        "tiny odds ratio": [(1, 99999, 99999, 1), (2, 50000, 60000, 3), (1, 30, 60, 2)],
        "many strata": [(3, 9, 4, 30)] * 60 + [(1, 9, 2, 20)] * 61,
    }
    for case, strata in special.items():
        for level in [0.9, 0.95]:
            strata_cases(table, case, strata, level)
    for _ in range(200):
        size = 10 ** rng.uniform(0.3, 4)
        strata = rng.poisson(size * rng.dirichlet([1, 2, 1, 3], int(rng.integers(1, 12))))
        strata_cases(table, "random", strata, float(rng.choice([0.9, 0.95, 0.99])))
    table.write()


# Distributions, q values, likelihood ratios


def distributions():
    table = Table("distributions")
    for p in [1e-300, 1e-100, 1e-30, 1e-16, 1e-10, 1e-5, 0.001, 0.024, 0.025, 0.07, 0.0749, 0.0751, 0.3, 0.5, 0.7,
              0.9, 0.925, 0.975, 0.999, 1 - 1e-9, 1 - 2**-53, *[i / 97 for i in range(1, 97)]]:
        with mp.workdps(400):
            quantile = -mp.sqrt(2) * mp.erfinv(1 - 2 * mp.mpf(p))
        expected, call = settle({"quantile": stats.norm.ppf(p)}, {"quantile": quantile}, f"norm.ppf({p!r})")
        table.add("normal_quantile", "quantile", [[p]], expected, call)
    for df in [1, 2, 3, 4, 5, 8, 9, 20, 51, 100, 333, 1000, 4001, 10000, 100000]:
        centre = [df * share for share in (1e-6, 0.01, 0.3, 0.7, 0.95, 1, 1.05, 1.3, 2, 3)]
        tails = [float(stats.chi2.isf(p, df)) for p in (0.5, 1e-3, 1e-10, 1e-50, 1e-150, 1e-250, 1e-299)]
        for statistic in [*centre, *[tail for tail in tails if math.isfinite(tail)]]:
            with mp.workdps(80):
                p = chi2_sf(statistic, df)
            if p < 1e-300:
                continue
            expected, call = settle({"p_value": stats.chi2.sf(statistic, df)}, {"p_value": p},
                                    f"chi2.sf({statistic!r}, {df})")
            table.add("chi_squared_upper_tail", f"df {df}", [[statistic, df]], expected, call)
    rng = np.random.default_rng(20260103)
    for _ in range(60):
        small, gain, df = -float(rng.uniform(1, 5000)), float(10 ** rng.uniform(-3, 2.5)), int(rng.integers(1, 12))
        big = min(small + gain, 0.0)
        statistic = 2 * (mp.mpf(big) - mp.mpf(small))
        expected, call = settle({"statistic": 2 * (big - small), "p_value": stats.chi2.sf(2 * (big - small), df)},
                                {"statistic": statistic, "p_value": chi2_sf(statistic, df)},
                                f"chi2.sf(2*({big!r} - {small!r}), {df})")
        table.add("likelihood_ratio_test", "random", [[small, big, df]], expected, call)
    table.write()


def false_discovery():
    table, rng = Table("false_discovery"), np.random.default_rng(20260104)
    cases = {"one": [0.03], "ties": [0.01, 0.01, 0.01, 0.5, 0.5], "ends": [0.0, 1.0, 0.2], "tiny": [1e-300, 1e-200, 0.9],
             "with nulls": [0.02, None, 0.04, None, 0.001], "only nulls": [None, None], "descending": [0.9, 0.5, 0.1, 0.01]}
    for i in range(60):
        p = rng.uniform(0, 1, int(rng.integers(1, 40))) ** rng.uniform(1, 6)
        cases[f"random {i}"] = [None if rng.uniform() < 0.1 else float(value) for value in p]
    for case, p_values in cases.items():
        given = [p for p in p_values if p is not None]
        q = iter(stats.false_discovery_control(given, method="bh") if given else [])
        expected = {f"q{i}": None if p is None else float(next(q)) for i, p in enumerate(p_values)}
        table.add("benjamini_hochberg", case, [[p] for p in p_values], expected,
                  "scipy.stats.false_discovery_control(p without nulls, method='bh')")
    table.write()


# Observations


def correlation():
    table, rng = Table("correlation"), np.random.default_rng(20260105)

    def add(case, x, y, level):
        expected = dict.fromkeys(["estimate", "lower", "upper"]) | {"n": len(x)}
        call = "undefined"
        if len(x) >= 2 and len(set(x)) > 1 and len(set(y)) > 1:
            result = stats.pearsonr(x, y)
            interval = result.confidence_interval(level)
            X, Y = [mp.mpf(v) for v in x], [mp.mpf(v) for v in y]
            mx, my = mp.fsum(X) / len(X), mp.fsum(Y) / len(Y)
            r = mp.fsum((u - mx) * (v - my) for u, v in zip(X, Y)) / mp.sqrt(
                mp.fsum((u - mx) ** 2 for u in X) * mp.fsum((v - my) ** 2 for v in Y))
            low, high = mp.mpf(-1), mp.mpf(1)
            if len(x) > 3:
                reach = z_of(level) / mp.sqrt(len(x) - 3)
                # A correlation of exactly one may miss it by 1e-60 here.
                whole = abs(abs(r) - 1) < mp.mpf(10) ** -50
                low, high = (r, r) if whole else (mp.tanh(mp.atanh(r) - reach), mp.tanh(mp.atanh(r) + reach))
            figures, call = settle(triple([result.statistic, interval.low, interval.high]), triple([r, low, high]),
                                   f"pearsonr(x, y).statistic, .confidence_interval({level})")
            expected |= figures
        table.add("correlation", case, list(zip(map(float, x), map(float, y))), expected, call, level)

    add("empty", [], [], 0.95)
    add("one", [1.0], [2.0], 0.95)
    add("two", [1.0, 2.0], [2.0, 5.0], 0.95)
    add("three", [1.0, 2.0, 4.0], [2.0, 5.0, 3.0], 0.95)
    add("constant", [0.1] * 9, list(range(9)), 0.95)
    add("line", list(range(20)), [3 - 2 * v for v in range(20)], 0.95)
    offset = rng.normal(size=50)
    add("huge offset", list(1e9 + offset), list(-1e9 + offset + rng.normal(size=50)), 0.95)
    add("nearly constant", list(1e6 + 1e-8 * np.arange(30)), list(rng.normal(size=30)), 0.95)
    add("counts around 1e9", [float(v) for v in rng.integers(10**9, 2 * 10**9, 40)],
        [float(v) for v in rng.integers(10**9, 2 * 10**9, 40)], 0.99)
    add("mixed scales", list(10.0 ** rng.uniform(-30, 30, 40)), list(10.0 ** rng.uniform(-30, 30, 40)), 0.95)
    for i in range(80):
        n = int(rng.integers(4, 80))
        x = np.round(rng.choice([1, 5, 10]) * rng.normal(size=n), 3)
        y = (rng.uniform(size=n) < 1 / (1 + np.exp(x))).astype(float) if i % 2 else np.round(x + rng.normal(size=n), 3)
        add("random", list(x), list(y), float(rng.choice([0.9, 0.95, 0.99])))
    table.write()


def roc():
    table, rng = Table("roc"), np.random.default_rng(20260106)

    def add(case, score, outcome):
        positive = [s for s, o in zip(score, outcome) if o]
        negative = [s for s, o in zip(score, outcome) if not o]
        value, call = None, "undefined"
        if positive and negative:
            value = stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
            call = "mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))"
        table.add("auc", case, list(zip(map(float, score), map(int, outcome))), {"auc": value}, call)

    add("empty", [], [])
    add("one class", [1.0, 2.0], [1, 1])
    add("all tied", [3.0] * 8, [0, 1] * 4)
    add("perfect", [1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])
    add("reversed", [4.0, 3.0, 2.0, 1.0], [0, 0, 1, 1])
    add("extremes", [1e308, -1e308, 5e-324, 0.0, -5e-324], [1, 0, 1, 0, 0])
    for i in range(60):
        n = int(rng.integers(2, 150))
        score = rng.normal(size=n) if i % 2 else rng.integers(0, 5, n) / 4
        add("random" if i % 2 else "random, tied", [float(f"{s:.6g}") for s in score], rng.integers(0, 2, n))
    table.write()


def survival():
    table, rng = Table("survival"), np.random.default_rng(20260107)

    def arm(duration, event, horizon):
        """Survival through [0, horizon) and Greenwood's variance of it."""
        if len(duration) == 0:
            return None, None
        before = np.nextafter(horizon, 0)
        survival = float(KaplanMeierFitter().fit(duration, event).predict(before))
        function = sm.SurvfuncRight(duration, event)
        reached = function.surv_times <= before
        if not reached.any():
            return (1.0, 0.0) if duration.max() >= horizon else (None, None)
        if survival == 0:
            return 0.0, 0.0
        if duration.max() < horizon:
            return None, None
        assert abs(function.surv_prob[reached][-1] - survival) < 1e-12
        return survival, float(function.surv_prob_se[reached][-1]) ** 2

    def add(case, duration, event, exposed, horizon, level):
        duration, event, exposed = np.array(duration, float), np.array(event, int), np.array(exposed, int)
        expected = dict.fromkeys(["exposed_survival", "unexposed_survival", "difference", "lower", "upper",
                                  "log_rank_statistic", "p_value"])
        (s1, v1), (s0, v0) = [arm(duration[exposed == e], event[exposed == e], horizon) for e in (1, 0)]
        expected |= {"exposed_survival": s1, "unexposed_survival": s0}
        if s1 is not None and s0 is not None:
            reach = float(z_of(level)) * math.sqrt(v1 + v0)
            expected |= {"difference": s1 - s0, "lower": s1 - s0 - reach, "upper": s1 - s0 + reach}
        if (exposed == 1).any() and (exposed == 0).any():
            test = logrank_test(duration[exposed == 1], duration[exposed == 0], event[exposed == 1],
                                event[exposed == 0], t_0=np.nextafter(horizon, 0))
            if np.isfinite(test.test_statistic) and event[duration < horizon].any():
                expected |= {"log_rank_statistic": test.test_statistic, "p_value": float(chi2_sf(test.test_statistic, 1))}
        table.add("kaplan_meier_difference", case, [(float(d), int(e), int(x)) for d, e, x in zip(duration, event, exposed)],
                  expected, "KaplanMeierFitter().fit(...).predict(horizon-), SurvfuncRight(...).surv_prob_se, "
                  "logrank_test(..., t_0=horizon-)", level, horizon)

    add("no rows", [], [], [], 90, 0.95)
    add("one arm", [10, 90, 90], [1, 0, 0], [1, 1, 1], 90, 0.95)
    add("no events", [90, 90, 91, 95], [0, 0, 0, 0], [1, 1, 0, 0], 90, 0.95)
    add("event at the horizon", [10, 90, 90, 20, 90, 95], [1, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 0], 90, 0.95)
    add("everybody gone", [5, 10, 20, 90, 30, 90], [1, 1, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], 90, 0.95)
    add("lost before the horizon", [5, 10, 20, 90, 30, 90], [1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0], 90, 0.95)
    add("tied events and censorings", [5, 5, 5, 5, 90, 5, 5, 90, 90, 90], [1, 1, 0, 0, 0, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], 90, 0.95)
    for i in range(70):
        n = int(rng.integers(6, 120))
        exposed = rng.integers(0, 2, n)
        scale = rng.uniform(30, 400)
        time = rng.exponential(scale / (1 + exposed * rng.uniform(0, 3)))
        lost = np.where(rng.uniform(size=n) < 0.2, rng.uniform(0, 120, n), 90)
        duration, event = np.minimum(time, lost), (time < lost).astype(int)
        duration = np.round(duration, 0 if i % 2 else 4)
        add("random, whole days" if i % 2 else "random", duration, event, exposed, 90, float(rng.choice([0.9, 0.95])))
    table.write()


def separated(y, x):
    """Konis (2007): a direction with sign(y) x'b >= 0 everywhere and > 0 somewhere, found by linear programming."""
    signed = (2 * y - 1)[:, None] * sm.add_constant(x, has_constant="add")
    result = optimize.linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=(-1, 1), method="highs")
    return -result.fun > 1e-6


def logistic():
    table, rng = Table("logistic"), np.random.default_rng(20260108)

    def add(case, y, x, status="ok", unit=1.0):
        """`unit`: statsmodels is given x/unit, since its stopping rule looks at the size of the coefficients."""
        y, x = np.array(y, float), np.array(x, float)
        x = x.reshape(-1, 1) if x.ndim == 1 else x
        expected, call = {"n": len(y), "status": status}, status
        if status == "ok":
            fit = sm.Logit(y, sm.add_constant(x / unit, has_constant="add")).fit(method="newton", tol=1e-14, maxiter=200, disp=0)
            score = fit.fittedvalues
            positive, negative = score[y == 1], score[y == 0]
            area = stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
            expected |= {f"b{i}": value / (unit if i else 1.0) for i, value in enumerate(fit.params)}
            expected |= {"log_likelihood": fit.llf, "null_log_likelihood": fit.llnull, "mcfadden_r2": fit.prsquared,
                         "auc": area}
            call = f"Logit(y, add_constant(x/{unit:g})).fit(method='newton', tol=1e-14); mannwhitneyu of the linear predictor"
        table.add("logistic_fit", case, [[int(o), *map(float, row)] for o, row in zip(y, x)], expected, call)

    steps = np.arange(40)
    add("no rows", [], np.empty((0, 1)), "insufficient")
    add("one outcome", [1] * 10, steps[:10], "insufficient")
    add("as many rows as coefficients", [0, 1, 0], [[1, 2], [2, 1], [3, 5]], "insufficient")
    add("perfect separation", steps >= 20, steps, "separation")
    add("perfect separation, two columns", (steps % 7 - steps % 5) > 0.5, np.c_[steps % 7, steps % 5], "separation")
    group = (steps < 12).astype(float)
    add("a group without churn", np.where(steps < 12, 0, steps % 3 == 0), np.c_[group, steps * 7 % 11], "separation")
    add("separated but for a tie", [0, 0, 0, 1, 1, 1], [1, 2, 3, 3, 4, 5], "separation")
    add("the same column twice", steps % 3 == 0, np.c_[steps % 7, 3 * (steps % 7) + 1], "singular")
    dummies = np.c_[steps % 3 == 0, steps % 3 == 1, steps % 3 == 2].astype(float)
    add("a dummy for every group", (steps * 5) % 7 < 3, dummies, "singular")
    add("large units", (steps * 7) % 11 < 4, 1e9 + 1e6 * (steps * 5 % 13), unit=1e6)
    add("small units", (steps * 7) % 11 < 4, 1e-9 * (steps * 5 % 13), unit=1e-9)
    add("nearly separated", np.r_[np.zeros(30), np.ones(30), 1, 0], np.r_[np.arange(30), np.arange(30) + 29.5, 3.2, 50.7])
    add("one dummy", [1] * 10 + [0] * 20 + [1] * 5 + [0] * 40, [1] * 30 + [0] * 45)
    # Small whole numbers separate often, in all ways; linear programming says whether they do.
    for i in range(300):
        n, k = int(rng.integers(6, 25)), int(rng.integers(1, 4))
        x = rng.integers(0, int(rng.integers(2, 8)), (n, k)).astype(float)
        y = (x @ rng.normal(size=k) + rng.normal(size=n) * rng.choice([0.1, 1, 3]) > rng.normal()).astype(float)
        if np.linalg.matrix_rank(sm.add_constant(x, has_constant="add")) == k + 1 and 0 < y.sum() < n and n > k + 1:
            add("small", y, x, "separation" if separated(y, x) else "ok")
    for i in range(60):
        n, k = int(rng.integers(60, 250)), int(rng.integers(1, 5))
        x = np.round(rng.normal(size=(n, k)) * rng.choice([0.5, 1, 20], k), 3)
        if i % 3 == 0:
            x[:, 0] = rng.integers(0, 2, n)
        slope = rng.normal(size=k) / np.maximum(x.std(axis=0), 0.1)
        y = rng.uniform(size=n) < 1 / (1 + np.exp(-(x @ slope + rng.normal())))
        if min(y.sum(), n - y.sum()) < 10:
            continue
        add("random", y, x)
    table.write()


if __name__ == "__main__":
    two_by_two()
    stratified()
    distributions()
    false_discovery()
    correlation()
    roc()
    survival()
    logistic()
    person_time.rates()
    person_time.strata()
    person_time.change()
    person_time.homogeneity()
    joint.joint()
    differences.differences()
    firth.firth()
