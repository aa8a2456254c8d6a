"""Rates, strata of person-time, changes between periods, homogeneity."""

import functools

import mpmath as mp
import numpy as np
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.rates import confint_poisson, confint_poisson_2indep

from table import Table, chi2_sf, settle, triple, z_of


def regularized_lower(shape, x):
    """P(shape, x) and its density, by the series or the continued fraction; mpmath's own fails for large shapes."""
    shape, x = mp.mpf(shape), mp.mpf(x)
    weight = mp.exp(shape * mp.log(x) - x - mp.loggamma(shape + 1))
    if x < shape + 1:
        term = total = mp.mpf(1)
        n = 0
        while term > total * mp.mpf(10) ** -55:
            n += 1
            term *= x / (shape + n)
            total += term
        return weight * total, None
    tiny = mp.mpf(10) ** -200
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    h, n = d, 0
    while True:
        n += 1
        an = -n * (n - shape)
        b += 2
        d = 1 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < mp.mpf(10) ** -55:
            return None, weight * shape * h


def precise_gamma_quantile(shape, probability, upper):
    """x with P(shape, x) = probability, or with that probability above it: Newton's method on the log of the tail."""
    shape, target = mp.mpf(shape), mp.mpf(probability)
    start = stats.gamma.isf(float(probability), float(shape)) if upper else stats.gamma.ppf(float(probability), float(shape))
    # Near 0 the lower tail is x^shape / Gamma(shape + 1); scipy's quantile may be 0 there.
    u = mp.log(mp.mpf(float(start))) if start > 1e-290 else (mp.log(target) + mp.loggamma(shape + 1)) / shape
    for _ in range(40):
        x = mp.exp(u)
        low, high = regularized_lower(shape, x)
        tail = (1 - low if high is None else high) if upper else (low if high is None else 1 - high)
        density = mp.exp(shape * mp.log(x) - x - mp.loggamma(shape))
        step = (mp.log(tail) - mp.log(target)) * tail / density * (1 if upper else -1)
        u += step
        if abs(step) < mp.mpf(10) ** -35:
            break
    return mp.exp(u)


@functools.lru_cache(maxsize=None)
def garwood_cached(count, tail):
    low = precise_gamma_quantile(count, tail, False) if count > 0 else mp.mpf(0)
    return low, precise_gamma_quantile(count + 1, tail, True)


def precise_garwood(count, level):
    """Exact limits of a Poisson mean; `level` as the float it is."""
    return garwood_cached(mp.mpf(count), (1 - mp.mpf(level)) / 2)


def recovered(difference, first, second):
    """MOVER: limits of first - second from (estimate, low, high) of each."""
    (e1, l1, u1), (e2, l2, u2) = first, second
    return [difference, difference - mp.sqrt((e1 - l1) ** 2 + (u2 - e2) ** 2),
            difference + mp.sqrt((u1 - e1) ** 2 + (e2 - l2) ** 2)]


def precise_rate(count, time, level):
    low, high = precise_garwood(count, level)
    return [mp.mpf(count) / time, low / time, high / time]


def rates():
    table, rng = Table("rates"), np.random.default_rng(20260109)
    nothing = triple([None] * 3)

    def rate_case(case, count, time, level):
        if time == 0:
            return table.add("poisson_rate", case, [[count, time]], nothing, "undefined: no time at risk", level)
        low, high = confint_poisson(count, time, method="exact-c", alpha=1 - level)
        expected, call = settle(triple([count / time, low, high]), triple(precise_rate(count, mp.mpf(time), level)),
                                f"confint_poisson({count}, {time}, method='exact-c', alpha=1-{level})")
        table.add("poisson_rate", case, [[count, time]], expected, call, level)

    def arm_cases(case, a, n1, c, n0, level):
        arms = [a, n1, c, n0]
        A, C = mp.mpf(a), mp.mpf(c)
        if n1 and n0:
            first, second = precise_rate(a, mp.mpf(n1), level), precise_rate(c, mp.mpf(n0), level)
            low, high = confint_poisson_2indep(a, n1, c, n0, method="mover", compare="diff", alpha=1 - level,
                                               method_mover="exact-c")
            expected, call = settle(triple([a / n1 - c / n0, low, high]),
                                    triple(recovered(first[0] - second[0], first, second)),
                                    f"confint_poisson_2indep({a}, {n1}, {c}, {n0}, method='mover', compare='diff', "
                                    f"method_mover='exact-c', alpha=1-{level})")
            table.add("rate_difference", case, [arms], expected, call, level)
        else:
            table.add("rate_difference", case, [arms], nothing, "undefined: an arm without days", level)
        if a and c:
            ratio, error = (A / n1) / (C / n0), mp.sqrt(1 / A + 1 / C)
            expected, call = settle({}, triple([ratio, ratio * mp.exp(-z_of(level) * error), ratio * mp.exp(z_of(level) * error)]),
                                    "(a/n1)/(c/n0) times exp(-+z sqrt(1/a + 1/c))")
            table.add("rate_ratio", case, [arms], expected, call, level)
        else:
            table.add("rate_ratio", case, [arms], nothing, "undefined: an arm without leavers", level)
        horizon = 90
        if n1 and n0 and a + c:
            leaves = lambda rate: 1 - mp.exp(-horizon * rate)
            p1, p0 = [[leaves(rate) for rate in rates] for rates in (first, second)]
            share = mp.mpf(n1) / (n1 + n0)
            mean = share * p1[0] + (1 - share) * p0[0]
            factor = mp.sqrt(share * (1 - share) / (mean * (1 - mean)))
            figures = [value * factor for value in recovered(p1[0] - p0[0], p1, p0)]
            expected, call = settle({}, triple(figures), "(p1 - p0) sqrt(pi(1-pi)/(p(1-p))), MOVER of Garwood's limits")
            table.add("churn_correlation", case, [arms], expected, call, level, horizon)
        else:
            table.add("churn_correlation", case, [arms], nothing, "undefined: an arm without days, or nobody left", level, horizon)

    for count in [0, 1, 2, 3, 5, 10, 14, 15, 16, 50, 99, 1000, 12345, 50000, 50001, 200000, 10**6, 10**9]:
        for level in [0.5, 0.8, 0.95, 0.99, 0.999999]:
            rate_case("special", count, max(count, 1) * 100, level)
    rate_case("no time", 0, 0, 0.95)
    for _ in range(100):
        count = int(10 ** rng.uniform(0, 4.6))
        rate_case("random", count, int(count * 10 ** rng.uniform(0, 4)) + 1, float(rng.choice([0.8, 0.9, 0.95, 0.99])))
    special = {
        "nobody left while exposed": (0, 1000, 12, 3000), "nobody left while unexposed": (12, 1000, 0, 3000),
        "nobody left": (0, 1000, 0, 3000), "nobody exposed": (0, 0, 12, 3000), "nobody unexposed": (12, 3000, 0, 0),
        "ones": (1, 100, 1, 100), "equal": (40, 4000, 40, 4000), "rare exposure": (20, 30000, 4000, 90000000),
        "rare leaving": (3, 10**9, 2, 10**9), "millions": (2000000, 10**9, 3000000, 2 * 10**9),
        "high rates": (90, 1000, 50, 1000),
    }
    for case, arms in special.items():
        for level in [0.8, 0.95, 0.999]:
            arm_cases(case, *arms, level)
    for _ in range(120):
        n1, n0 = [int(10 ** rng.uniform(2, 6)) for _ in range(2)]
        a, c = int(rng.poisson(n1 * 10 ** rng.uniform(-3.5, -2))), int(rng.poisson(n0 * 10 ** rng.uniform(-3.5, -2)))
        arm_cases("random", a, n1, c, n0, float(rng.choice([0.9, 0.95, 0.99])))
    for ratio in [1e-9, 0.1, 0.5, 0.9, 0.999999, 1, 1.000001, 1.2, 1.8, 3.9, 10, 1e9]:
        rr = mp.mpf(ratio)
        rr = 1 / rr if rr < 1 else rr
        table.add("e_value", "ratio", [[float(ratio)]], {"value": float(rr + mp.sqrt(rr * (rr - 1)))},
                  "mpmath, 60 digits: RR + sqrt(RR(RR-1)); R EValue::evalues.RR")
    table.write()


# Strata of person-time


def weighted_sum(terms):
    """Of (weight, count, expected, days): the total and its scale, the larger of the raw and the smoothed one."""
    ratio = lambda values: (sum(w * w * v for w, v in values) / sum(w * v for w, v in values)
                            if sum(w * v for w, v in values) > 0 else None)
    raw, smoothed = ratio([(w, y) for w, y, _, _ in terms]), ratio([(w, e) for w, _, e, _ in terms])
    known = [value for value in (raw, smoothed) if value is not None]
    scale = max(known) if known else (ratio([(w, t) for w, _, _, t in terms]) or mp.mpf(0))
    return sum((w * y for w, y, _, _ in terms), mp.mpf(0)), scale


def scaled_limits(total, scale, tail):
    if scale == 0:
        return total, total
    low, high = garwood_cached(total / scale, tail)
    return low * scale, high * scale


def signed_limits(estimate, added, subtracted, tail):
    (A, sA), (T, sT) = added, subtracted
    return recovered(estimate, (A, *scaled_limits(A, sA, tail)), (T, *scaled_limits(T, sT, tail)))


def precise_p_value(estimate, added, subtracted):
    """1 - the level at which the limit just holds 0."""
    def beyond(z):
        tail = mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2
        _, low, high = signed_limits(estimate, added, subtracted, tail)
        return low if estimate > 0 else -high
    # How far the interval stays away from 0: falls with z.
    if estimate == 0 or beyond(0) <= 0:
        return mp.mpf(1)
    if beyond(37.5) > 0:
        return mp.mpf(0)
    low, high = mp.mpf(0), mp.mpf(37.5)
    f_low, f_high = beyond(low), beyond(high)
    for step in range(200):
        middle = low + (high - low) * f_low / (f_low - f_high) if step % 3 else (low + high) / 2
        value = beyond(middle)
        if value > 0:
            low, f_low = middle, value
        else:
            high, f_high = middle, value
        if abs(value) < mp.mpf(10) ** -25 * abs(estimate) or high - low < mp.mpf(10) ** -25:
            break
    return mp.erfc(middle / mp.sqrt(2))


def smoothed_rates(strata):
    """Expected exposed and unexposed leavers of each stratum at rates smoothed over its arms; whether the latter are any."""
    R = sum((a * n0 / (n1 + n0) for a, n1, c, n0 in strata if n1 + n0), mp.mpf(0))
    S = sum((c * n1 / (n1 + n0) for a, n1, c, n0 in strata if n1 + n0), mp.mpf(0))
    if S == 0 and R > 0:
        return [(a + c, n0 / n1 * (a + c)) if n1 else (mp.mpf(0), mp.mpf(0)) for a, n1, c, n0 in strata], False
    pooled = R / S if S > 0 else mp.mpf(1)
    rate = lambda a, n1, c, n0: (a + c) / (n0 + pooled * n1) if n0 + pooled * n1 else mp.mpf(0)
    return [(n1 * pooled * rate(a, n1, c, n0), n0 * rate(a, n1, c, n0)) for a, n1, c, n0 in strata], True


def e_value(ratio):
    if ratio is None or ratio <= 0:
        return None
    ratio = 1 / ratio if ratio < 1 else ratio
    return ratio + mp.sqrt(ratio * (ratio - 1))


def precise_excess(strata, level):
    tail = (1 - mp.mpf(level)) / 2
    used = [s for s in strata if s[3] > 0]
    left_out = [s for s in strata if s[3] == 0 and s[1] > 0]
    leavers = sum((a + c for a, _, c, _ in strata), mp.mpf(0))
    n1 = sum((s[1] for s in used), mp.mpf(0))
    names = ["estimate", "lower", "upper", "standard_error", "p_value", "smallest_detectable", "expected", "expected_lower",
             "expected_upper", "scale", "standardized_ratio", "standardized_ratio_lower", "standardized_ratio_upper",
             "e_value", "e_value_limit", "attributable_share", "attributable_share_lower", "attributable_share_upper"]
    out = dict.fromkeys(names)
    A = sum((s[0] for s in used), mp.mpf(0))
    expected, known = smoothed_rates(used)
    terms = [(m1 / n0, c, e0, n0) for (a, m1, c, n0), (_, e0) in zip(used, expected)]
    T = weighted_sum(terms)
    square = lambda values: (sum((w * v for w, v in values), mp.mpf(0)), sum((w * w * v for w, v in values), mp.mpf(0)))
    effective = lambda values: square(values)[0] ** 2 / square(values)[1] if square(values)[1] > 0 else mp.mpf(0)
    raw = effective([(w, y) for w, y, _, _ in terms])
    smooth = effective([(w, e) for w, _, e, _ in terms]) if known else mp.mpf(0)
    if n1 > 0:
        E = A - T[0]
        _, low, high = signed_limits(E, (A, mp.mpf(1)), T, tail)
        error = mp.sqrt(A + T[1] * T[0])
        t_low, t_high = scaled_limits(*T, tail)
        ratio = lambda expected: A / expected if expected > 0 else None
        limit = 1 if low <= 0 <= high else e_value(ratio(A - low) if low > 0 else ratio(A - high))
        out |= triple([E, low, high]) | {
            "standard_error": error, "p_value": precise_p_value(E, (A, mp.mpf(1)), T),
            "smallest_detectable": (z_of(level) + mp.sqrt(2) * mp.erfinv(mp.mpf("0.6"))) * error if error > 0 else None,
            "expected": T[0], "expected_lower": t_low, "expected_upper": t_high, "scale": T[1],
            "standardized_ratio": ratio(T[0]), "standardized_ratio_lower": ratio(A - low),
            "standardized_ratio_upper": ratio(A - high), "e_value": e_value(ratio(T[0])), "e_value_limit": limit}
        if leavers > 0:
            out |= {"attributable_share": E / leavers, "attributable_share_lower": low / leavers,
                    "attributable_share_upper": high / leavers}
    out |= {"effective_leavers_raw": raw, "effective_leavers_smoothed": smooth, "exposed_leavers": A, "exposed_days": n1,
            "unexposed_leavers": sum((s[2] for s in used), mp.mpf(0)), "unexposed_days": sum((s[3] for s in used), mp.mpf(0)),
            "leavers": leavers, "left_out_strata": mp.mpf(len(left_out)),
            "left_out_days": sum((s[1] for s in left_out), mp.mpf(0)),
            "left_out_leavers": sum((s[0] for s in left_out), mp.mpf(0))}
    return out


def person_time_cases(table, case, strata, level, rng):
    given = [[int(value) for value in s] for s in strata]
    S = [tuple(mp.mpf(value) for value in s) for s in given]
    precise, library, call = precise_excess(S, level), {}, "mpmath, 60 digits"
    if len(S) == 1 and S[0][1] and S[0][3]:
        a, n1, c, n0 = given[0]
        low, high = confint_poisson_2indep(a, n1, c, n0, method="mover", compare="diff", alpha=1 - level,
                                           method_mover="exact-c")
        library = triple([a - n1 * c / n0, low * n1, high * n1])
        call = f"confint_poisson_2indep({a}, {n1}, {c}, {n0}, method='mover', method_mover='exact-c', alpha=1-{level}) times n1"
    expected, call = settle(library, precise, call)
    table.add("excess_leavers", case, given, expected, call, level)

    N = [n1 + n0 for a, n1, c, n0 in S]
    R = sum((a * n0 / n for (a, n1, c, n0), n in zip(S, N) if n), mp.mpf(0))
    Q = sum((c * n1 / n for (a, n1, c, n0), n in zip(S, N) if n), mp.mpf(0))
    pooled = triple([None] * 3) | {"log_se": None}
    if R > 0 and Q > 0:
        error = mp.sqrt(sum((a + c) * n1 * n0 / n**2 for (a, n1, c, n0), n in zip(S, N) if n) / (R * Q))
        pooled = triple([R / Q, R / Q * mp.exp(-z_of(level) * error), R / Q * mp.exp(z_of(level) * error)]) | {"log_se": error}
    uninformative = sum(1 for a, n1, c, n0 in given if not (n1 and n0 and a + c))
    table.add("mantel_haenszel_rates", case, given,
              {name: None if value is None else float(value) for name, value in pooled.items()}
              | {"strata": len(S), "uninformative_strata": uninformative},
              "mpmath, 60 digits: Greenland and Robins 1985", level)

    billed = [int(rng.integers(-50, 4000)) if s[1] else 0 for s in given]
    used = [(s, mp.mpf(b)) for s, b in zip(S, billed) if s[1] > 0 and s[3] > 0]
    figures = triple([None] * 3)
    if used:
        expected, _ = smoothed_rates([s for s, _ in used])
        sides, E = ([], []), mp.mpf(0)
        for ((a, n1, c, n0), b), (e1, e0) in zip(used, expected):
            value = b / n1 * 365
            E += (a - c * n1 / n0) * value
            first, second = (0, 1) if value >= 0 else (1, 0)
            sides[first].append((abs(value), a, e1, n1))
            sides[second].append((abs(value) * n1 / n0, c, e0, n0))
        figures = triple([float(v) for v in signed_limits(E, weighted_sum(sides[0]), weighted_sum(sides[1]), (1 - mp.mpf(level)) / 2)])
    table.add("excess_revenue", case, [[*s, b] for s, b in zip(given, billed)], figures,
              "mpmath, 60 digits: sum of (a - c n1/n0) billed/n1 365, MOVER of Garwood's limits", level)


def strata():
    table, rng = Table("person_time"), np.random.default_rng(20260110)
    special = {
        "no strata": [], "one stratum": [(30, 1000, 40, 2000)], "protective": [(20, 2000, 60, 2000)],
        "no effect": [(30, 1000, 60, 2000)], "nobody left": [(0, 1000, 0, 2000)], "zero days": [(0, 0, 0, 0)],
        "nobody left while exposed": [(0, 1000, 40, 2000)], "nobody left while unexposed": [(30, 1000, 0, 2000)],
        "nobody left while unexposed in any of two": [(30, 1000, 0, 2000), (4, 100, 0, 5000)],
        "nobody exposed": [(0, 0, 40, 2000)], "nobody unexposed": [(30, 1000, 0, 0)],
        "one left out": [(30, 1000, 40, 2000), (8, 300, 0, 0), (5, 200, 9, 900)],
        "empty strata among others": [(30, 1000, 40, 2000), (0, 0, 0, 0), (5, 200, 9, 900)],
        "heavy stratum without leavers": [(30, 1000, 40, 2000), (9, 900, 0, 20)],
        "heavy stratum with one": [(30, 1000, 40, 2000), (9, 900, 1, 20)],
        "near-universal": [(300, 90000, 20, 5000), (80, 40000, 1, 300), (10, 900, 2, 2000)],
        "opposite effects": [(50, 1000, 10, 1000), (10, 1000, 50, 1000)],
        "overwhelming": [(9000, 100000, 100, 100000), (800, 10000, 70, 10000)],
        "p near the smallest": [(1300, 10000, 120, 10000)],
        "thousands": [(40000, 10**7, 90000, 3 * 10**7), (3000, 10**6, 2000, 10**6)],
        "around the change of methods": [(50000, 10**7, 49000, 10**7), (60000, 10**7, 50500, 10**7)],
        "millions": [(3 * 10**6, 10**9, 2 * 10**6, 10**9), (10**5, 10**8, 3 * 10**5, 4 * 10**8)],
        "many strata": [(3, 900, 4, 3000)] * 60 + [(1, 90, 2, 2000)] * 61,
    }
    for case, strata in special.items():
        for level in [0.8, 0.95]:
            person_time_cases(table, case, strata, level, rng)
    for i in range(160):
        k, size = int(rng.integers(1, 25)), 10 ** rng.uniform(3, 6)
        days = (size * rng.dirichlet([0.7] * k) * 2 + 1).astype(int)
        share = rng.beta(*[(1, 4), (6, 1), (1, 1), (0.3, 0.3)][i % 4], size=k)
        n1 = (days * share).astype(int)
        n0 = days - n1
        rate = 10 ** rng.uniform(-3.5, -2.2) * np.exp(0.6 * rng.normal(size=k))
        effect = float(rng.choice([0.4, 1, 1, 1.5, 3]))
        strata = np.c_[rng.poisson(n1 * rate * effect), n1, rng.poisson(n0 * rate), n0]
        person_time_cases(table, "random", strata, float(rng.choice([0.9, 0.95, 0.99])), rng)
    table.write()


def change():
    table, rng = Table("excess_change"), np.random.default_rng(20260111)

    def add(case, rows, level):
        rows = [[int(value) for value in row] for row in rows]
        S = [tuple(mp.mpf(value) for value in row) for row in rows]
        compared = lambda n1, n0: n1 if n0 > 0 else mp.mpf(0)
        S = [s for s in S if compared(s[1], s[3]) > 0 or compared(s[5], s[7]) > 0]
        names = ["", "volume", "mix", "exposed_rate", "unexposed_rate"]
        out = {}
        blank = lambda s: s if s[3] > 0 else (mp.mpf(0),) * 4
        before, after = [blank(s[:4]) for s in S], [blank(s[4:]) for s in S]
        smooth = [smoothed_rates(period)[0] for period in (before, after)]
        totals = [sum((s[1] for s in period), mp.mpf(0)) for period in (before, after)]
        excess = [sum((a - c * n1 / n0 for a, n1, c, n0 in period if n0), mp.mpf(0)) for period in (before, after)]
        sides = {name: ([], []) for name in names}
        for i in range(len(S)):
            b, f = before[i], after[i]
            # Weights of the four counts in each rate; an unknown rate is that of the other period.
            unit = lambda place, days: [mp.mpf(1) / days if j == place else mp.mpf(0) for j in range(4)] if days else None
            r1, r0 = [unit(0, b[1]), unit(2, f[1])], [unit(1, b[3]), unit(3, f[3])]
            for pair in (r1, r0):
                pair[0], pair[1] = pair[0] or pair[1], pair[1] or pair[0]
            mean = [(r1[0][j] + r1[1][j] - r0[0][j] - r0[1][j]) / 2 for j in range(4)]
            shares = [s[1] / total if total else None for s, total in zip((b, f), totals)]
            shares = [shares[0] if shares[0] is not None else shares[1], shares[1] if shares[1] is not None else shares[0]]
            days = (b[1] + f[1]) / 2
            parts = {"volume": [(totals[1] - totals[0]) * sum(shares) / 2 * m for m in mean],
                     "mix": [(totals[0] + totals[1]) / 2 * (shares[1] - shares[0]) * m for m in mean],
                     "exposed_rate": [days * (r1[1][j] - r1[0][j]) for j in range(4)],
                     "unexposed_rate": [-days * (r0[1][j] - r0[0][j]) for j in range(4)]}
            parts[""] = [sum(part[j] for part in parts.values()) for j in range(4)]
            counts = [(b[0], smooth[0][i][0], b[1]), (b[2], smooth[0][i][1], b[3]),
                      (f[0], smooth[1][i][0], f[1]), (f[2], smooth[1][i][1], f[3])]
            for name, weights in parts.items():
                for weight, count in zip(weights, counts):
                    if abs(weight) > mp.mpf(10) ** -45:
                        sides[name][0 if weight > 0 else 1].append((abs(weight), *count))
        for name in names:
            figures = [None] * 3
            if S:
                added, subtracted = weighted_sum(sides[name][0]), weighted_sum(sides[name][1])
                figures = [float(v) for v in signed_limits(added[0] - subtracted[0], added, subtracted, (1 - mp.mpf(level)) / 2)]
            keys = ["estimate", "lower", "upper"] if name == "" else [name, f"{name}_lower", f"{name}_upper"]
            out |= dict(zip(keys, figures))
        out |= {"before": float(excess[0]), "after": float(excess[1]), "strata": len(S)}
        table.add("excess_change", case, rows, out, "mpmath, 60 digits: symmetric decomposition, MOVER of Garwood's limits", level)

    special = {
        "no strata": [], "nothing moves": [(30, 1000, 40, 2000, 30, 1000, 40, 2000)],
        "twice the days": [(20, 1000, 10, 1000, 40, 2000, 20, 2000)],
        "rate of the exposed": [(20, 1000, 10, 1000, 30, 1000, 10, 1000)],
        "rate of the unexposed": [(20, 1000, 10, 1000, 20, 1000, 15, 1000)],
        "mix": [(20, 1000, 10, 1000, 10, 500, 10, 1000), (10, 1000, 10, 1000, 15, 1500, 10, 1000)],
        "a stratum appears": [(20, 1000, 10, 1000, 20, 1000, 10, 1000), (0, 0, 0, 0, 30, 1000, 10, 1000)],
        "a stratum loses its unexposed": [(20, 1000, 10, 1000, 20, 1000, 10, 1000), (30, 1000, 10, 900, 31, 1100, 0, 0)],
        "nobody exposed before": [(0, 0, 10, 1000, 20, 1000, 10, 1000), (0, 0, 4, 500, 9, 300, 5, 600)],
        "nobody exposed after": [(20, 1000, 10, 1000, 0, 0, 10, 1000)],
        "never compares": [(20, 1000, 0, 0, 30, 1000, 0, 0)],
        "nobody left": [(0, 1000, 0, 1000, 0, 2000, 0, 1500)],
    }
    for case, rows in special.items():
        for level in [0.8, 0.95]:
            add(case, rows, level)
    for _ in range(60):
        k = int(rng.integers(1, 15))
        periods = []
        rate = 10 ** rng.uniform(-3.2, -2.2) * np.exp(0.5 * rng.normal(size=k))
        for _ in range(2):
            n1, n0 = [(10 ** rng.uniform(2, 4.7, k) * (rng.uniform(size=k) > 0.1)).astype(int) for _ in range(2)]
            periods += [rng.poisson(n1 * rate * float(rng.choice([0.7, 1, 2]))), n1, rng.poisson(n0 * rate), n0]
        add("random", np.array(periods).T, float(rng.choice([0.9, 0.95, 0.99])))
    table.write()


def homogeneity():
    table, rng = Table("homogeneity"), np.random.default_rng(20260112)

    def add(case, y, se):
        k, out, call = len(y), {"statistic": None, "df": None, "p_value": None}, "undefined: below two estimates"
        if k >= 2:
            W = [1 / mp.mpf(s) ** 2 for s in se]
            mean = sum(w * mp.mpf(v) for w, v in zip(W, y)) / sum(W)
            Q = sum(w * (mp.mpf(v) - mean) ** 2 for w, v in zip(W, y))
            result = combine_effects(np.array(y), np.array(se) ** 2)
            out, call = settle({"statistic": result.q, "p_value": stats.chi2.sf(result.q, k - 1)},
                               {"statistic": Q, "df": mp.mpf(k - 1), "p_value": chi2_sf(Q, k - 1)},
                               "combine_effects(y, se**2).q; chi2.sf(q, k-1)")
            out["df"] = k - 1
        table.add("cochran_q", case, list(zip(map(float, y), map(float, se))), out, call)

    add("none", [], [])
    add("one", [0.4], [0.2])
    add("equal", [0.3, 0.3, 0.3], [0.1, 0.2, 0.5])
    add("far apart", [-2.0, 2.0], [0.1, 0.1])
    add("uneven errors", [0.1, 0.2, 5.0], [1e-4, 10.0, 100.0])
    add("large values", [1e6, 1e6 + 1, 1e6 + 3], [1.0, 2.0, 1.5])
    for _ in range(60):
        k = int(rng.integers(2, 12))
        add("random", list(rng.normal(0.3, 0.4, k)), list(10 ** rng.uniform(-1.5, 0.3, k)))
    table.write()
