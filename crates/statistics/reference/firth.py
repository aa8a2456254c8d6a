"""Logistic regression with Firth's penalty: the root of its score with 60 digits, and what R's logistf prints.

No Python library of the requirements has it. The score of the penalized likelihood (Firth 1993; Heinze and Schemper
2002) is written down with the hat matrix and its root is found by the secant form of Newton's method, so the second
derivatives that the crate works with are used nowhere here. Tests are logistf's: the restricted model carries the
penalty of the whole one.
"""

import mpmath as mp
import numpy as np

from table import Table, chi2_sf

# Urinary tract infections of 239 women (Foxman and others 1997), logistf's data set sex2: case, age, oc, vic, vicl, vis,
# dia, and how many women there are of each kind. dia separates: all seven women who used a diaphragm are cases.
SEX2 = """0000010:1 0001000:2 0001010:1 0001100:8 0001110:18 0010000:42 0010010:1 0011000:1 0011100:5 0011110:6 0101100:2
0101110:4 0110000:14 0110010:1 0111000:1 0111110:2 1000010:1 1001000:14 1001010:3 1001100:10 1001110:12 1001111:1
1010000:44 1010001:3 1011000:15 1011001:1 1011010:2 1011100:7 1011110:3 1101000:2 1101010:1 1101011:1 1101100:1
1101111:1 1110000:5 1111000:3"""
# What logistf's manual prints of logistf(case ~ age + oc + vic + vicl + vis + dia): coefficients, χ² of dia and of all.
LOGISTF = [0.12025405, -1.10598131, -0.06881673, 2.26887464, -2.11140817, -0.78831694, 3.09601166]
LOGISTF_TESTS = {1: 7.89693, 6: 49.09064}


class Penalized:
    """The penalized likelihood of a data set, its columns in their own units, intercept first."""

    def __init__(self, y, x):
        self.y = [mp.mpf(int(v)) for v in y]
        self.X = [[mp.mpf(1), *[mp.mpf(float(v)) for v in row]] for row in x]
        self.width = len(self.X[0])

    def parts(self, beta):
        p = [1 / (1 + mp.exp(-mp.fsum(a * b for a, b in zip(row, beta)))) for row in self.X]
        information = mp.matrix(self.width)
        for row, v in zip(self.X, p):
            for i in range(self.width):
                for j in range(self.width):
                    information[i, j] += v * (1 - v) * row[i] * row[j]
        return p, information

    def likelihood(self, beta):
        p, information = self.parts(beta)
        plain = mp.fsum(mp.log(v if o else 1 - v) for o, v in zip(self.y, p))
        return plain, plain + mp.log(mp.det(information)) / 2

    def score(self, beta):
        p, information = self.parts(beta)
        inverse = information**-1
        score = [mp.mpf(0)] * self.width
        for o, row, v in zip(self.y, self.X, p):
            hat = v * (1 - v) * mp.fsum(row[i] * inverse[i, j] * row[j] for i in range(self.width) for j in range(self.width))
            for i in range(self.width):
                score[i] += (o - v + hat * (mp.mpf(1) / 2 - v)) * row[i]
        return score

    def maximum(self, free):
        """Coefficients where the free ones' score is 0 and the others are; from a start found in double precision."""
        start = self.start(free)

        def score(*values):
            beta = [mp.mpf(0)] * self.width
            for place, value in zip(free, values):
                beta[place] = value
            full = self.score(beta)
            return [full[place] for place in free]

        found = mp.findroot(score, start, tol=mp.mpf(10) ** -80, maxsteps=40, verify=False)
        values = [found[i] for i in range(len(free))]
        assert max(abs(v) for v in score(*values)) < mp.mpf(10) ** -35
        beta = [mp.mpf(0)] * self.width
        for place, value in zip(free, values):
            beta[place] = value
        return beta

    def start(self, free):
        """logistf's own iteration: the Fisher information's step on the modified score, shortened to 5 at most."""
        X, y = np.array(self.X, float), np.array(self.y, float)
        beta = np.zeros(self.width)
        for _ in range(2000):
            p = 1 / (1 + np.exp(-X @ beta))
            w = p * (1 - p)
            information = X.T @ (X * w[:, None])
            hat = w * np.einsum("ij,jk,ik->i", X, np.linalg.inv(information), X)
            score = X.T @ (y - p + hat * (0.5 - p))
            step = np.linalg.solve(information[np.ix_(free, free)], score[free])
            step *= min(1, 1 / max(np.abs(step).max(), 1e-300))
            beta[free] += step
            if np.abs(step).max() < 1e-11:
                break
        return [float(v) for v in beta[free]]


def area(y, scores):
    positive = [s for o, s in zip(y, scores) if o]
    negative = [s for o, s in zip(y, scores) if not o]
    nearly = mp.mpf(10) ** -30
    wins = sum(2 if a > b + nearly else 1 if abs(a - b) <= nearly else 0 for a in positive for b in negative)
    return mp.mpf(wins) / (2 * len(positive) * len(negative))


def firth():
    """Rows: outcome, covariates. Of firth_test the column `horizon` says how many of the last covariates are tested."""
    table, rng = Table("firth"), np.random.default_rng(20260116)

    def add(case, y, x, tested=()):
        y, x = np.array(y, int), np.array(x, float)
        x = x.reshape(-1, 1) if x.ndim == 1 else x
        rows = [[int(o), *map(float, row)] for o, row in zip(y, x)]
        model = Penalized(y, x)
        whole = model.maximum(list(range(model.width)))
        plain, penalized = model.likelihood(whole)
        share = mp.mpf(int(y.sum())) / len(y)
        null = mp.mpf(int(y.sum())) * mp.log(share) + mp.mpf(int(len(y) - y.sum())) * mp.log(1 - share)
        scores = [mp.fsum(a * b for a, b in zip(row, whole)) for row in model.X]
        expected = {"n": len(y), "status": "ok"} | {f"b{i}": value for i, value in enumerate(whole)}
        expected |= {"log_likelihood": plain, "penalized_log_likelihood": penalized, "null_log_likelihood": null,
                     "mcfadden_r2": 1 - plain / null, "auc": area(y, scores)}
        call = "mpmath, 60 digits: root of X'(y - p + h(1/2 - p)), h the hat values; logistf(y ~ x)"
        table.add("firth_fit", case, rows, expected, call)
        tests = {}
        for count in tested:
            restricted = model.likelihood(model.maximum(list(range(model.width - count))))[1]
            statistic = 2 * (penalized - restricted)
            expected = {"status": "ok", "statistic": statistic, "df": count, "p_value": chi2_sf(statistic, count),
                        "penalized_log_likelihood": penalized, "restricted_log_likelihood": restricted}
            table.add("firth_test", case, rows, expected,
                      f"mpmath, 60 digits: logistftest(logistf(y ~ x), the last {count} covariates)", horizon=count)
            tests[count] = statistic
        return whole, tests

    def refuse(case, y, x, status):
        x = np.array(x, float).reshape(len(y), -1)
        rows = [[int(o), *map(float, row)] for o, row in zip(y, x)]
        table.add("firth_fit", case, rows, {"n": len(y), "status": status}, status)

    refuse("one outcome", [1] * 10, np.arange(10), "insufficient")
    refuse("as many rows as coefficients", [0, 1, 0], [[1, 2], [2, 1], [3, 5]], "insufficient")
    steps = np.arange(40)
    refuse("the same column twice", steps % 3 == 0, np.c_[steps % 7, 3 * (steps % 7) + 1], "singular")
    add("perfect separation", steps >= 20, steps, [1])
    add("a group without churn", np.where(steps < 12, 0, steps % 3 == 0), np.c_[steps * 7 % 11, steps < 12], [1, 2])
    add("separated but for a tie", [0, 0, 0, 1, 1, 1], [1, 2, 3, 3, 4, 5], [1])
    add("one churner in a group", [1] + [0] * 59, np.c_[np.arange(60) < 20, np.arange(60) % 7], [1, 2])
    add("one dummy with an empty cell", [1] * 12 + [0] * 9 + [0] * 28, [1] * 21 + [0] * 28, [1])
    kinds = [(kind[:7], int(kind[8:])) for kind in SEX2.split()]
    women = np.array([[int(digit) for digit in kind] for kind, count in kinds for _ in range(count)])
    coefficients, tests = add("sex2 of logistf", women[:, 0], women[:, 1:], [1, 6])
    assert all(abs(ours - printed) < 1e-6 for ours, printed in zip(coefficients, LOGISTF)), coefficients
    assert all(abs(tests[count] - printed) < 1e-3 for count, printed in LOGISTF_TESTS.items()), tests
    add("large units", (steps * 7) % 11 < 4, 1e9 + 1e6 * (steps * 5 % 13))
    add("small units", (steps * 7) % 11 < 4, 1e-9 * (steps * 5 % 13))
    # Small whole numbers separate often, in all ways.
    for i in range(70):
        n, k = int(rng.integers(8, 25)), int(rng.integers(1, 4))
        x = rng.integers(0, int(rng.integers(2, 8)), (n, k)).astype(float)
        y = (x @ rng.normal(size=k) + rng.normal(size=n) * rng.choice([0.1, 1, 3]) > rng.normal()).astype(int)
        if np.linalg.matrix_rank(np.c_[np.ones(n), x]) == k + 1 and 0 < y.sum() < n and n > k + 1:
            add("small", y, x, range(1, k + 1))
    for i in range(12):
        n, k = int(rng.integers(40, 90)), int(rng.integers(1, 4))
        x = np.round(rng.normal(size=(n, k)) * rng.choice([0.5, 1, 20], k), 3)
        if i % 3 == 0:
            x[:, 0] = rng.integers(0, 2, n)
        slope = rng.normal(size=k) / np.maximum(x.std(axis=0), 0.1)
        y = (rng.uniform(size=n) < 1 / (1 + np.exp(-(x @ slope + rng.normal())))).astype(int)
        if 0 < y.sum() < n:
            add("random", y, x, [k])
    table.write()


if __name__ == "__main__":
    firth()
