"""The joint model: statsmodels' Poisson GLM, and Newton's method with 60 digits."""

import mpmath as mp
import numpy as np
import statsmodels.api as sm

from table import Table, settle, triple, z_of


def joint_matrix(rows):
    """Intercept, levels of the control but the first, not eligible and exposed to each journey (1, 2 in the rows)."""
    rows = np.array(rows, float)
    columns = [np.ones(len(rows))]
    for control in (2, 3):
        columns += [rows[:, control] == level for level in sorted(set(rows[:, control]))[1:]]
    for journey in range(4, rows.shape[1]):
        if (rows[:, journey] == 2).any():
            columns.append(rows[:, journey] == 2)
    for journey in range(4, rows.shape[1]):
        columns.append(rows[:, journey] == 1)
    # A column that those before it make up, such as not being eligible in one segment alone, is given up.
    kept = []
    for column in columns:
        if np.linalg.matrix_rank(np.array([*kept, column], float)) > len(kept):
            kept.append(column)
    return np.array(kept, float).T, rows[:, 0], rows[:, 1]


def precise_poisson(X, y, t, start):
    """Newton's method with 60 digits; the coefficients and their covariance."""
    X, y, t = mp.matrix(X.tolist()), [mp.mpf(v) for v in y], [mp.mpf(v) for v in t]
    beta = mp.matrix([mp.mpf(float(b)) for b in start])
    for _ in range(12):
        eta = X * beta
        mu = [v * mp.exp(eta[i]) for i, v in enumerate(t)]
        gradient = X.T * mp.matrix([a - b for a, b in zip(y, mu)])
        weighted = X.copy()
        for i in range(X.rows):
            for j in range(X.cols):
                weighted[i, j] *= mu[i]
        information = X.T * weighted
        step = mp.lu_solve(information, gradient)
        beta += step
        if max(abs(s) for s in step) < mp.mpf(10) ** -40:
            break
    return beta, information**-1, mu


def joint():
    """Rows: leavers, person-days, two controls, then the state of each journey: 0 unexposed, 1 exposed, 2 not eligible.

    Of joint_excess the column `horizon` names the journeys to do without: the sum of 2**j over them.
    """
    table, rng = Table("joint"), np.random.default_rng(20260113)

    def add(case, rows, level, together):
        rows = [[int(value) for value in row] for row in rows]
        X, y, t = joint_matrix(rows)
        journeys = len(rows[0]) - 4
        fit = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(t)).fit(tol=1e-14, maxiter=200)
        beta, covariance, mu = precise_poisson(X, y, t, fit.params)
        z = z_of(level)
        precise, library = {}, {}
        for j in range(journeys):
            place = X.shape[1] - journeys + j
            b, error = beta[place], mp.sqrt(covariance[place, place])
            low, high = fit.conf_int(1 - level)[place]
            precise |= {f"j{j}": mp.exp(b), f"j{j}_lower": mp.exp(b - z * error), f"j{j}_upper": mp.exp(b + z * error),
                        f"j{j}_log_se": error, f"j{j}_p_value": mp.erfc(abs(b / error) / mp.sqrt(2))}
            library |= {f"j{j}": np.exp(fit.params[place]), f"j{j}_lower": np.exp(low), f"j{j}_upper": np.exp(high),
                        f"j{j}_log_se": fit.bse[place], f"j{j}_p_value": fit.pvalues[place]}
        precise |= {"log_likelihood": sum(v * mp.log(m) - m - mp.loggamma(v + 1) if v else -m for v, m in zip(map(mp.mpf, y), mu)),
                    "deviance": 2 * sum((v * mp.log(v / m) if v else 0) - (v - m) for v, m in zip(map(mp.mpf, y), mu))}
        library |= {"log_likelihood": fit.llf, "deviance": fit.deviance}
        expected, call = settle(library, precise, "GLM(y, X, family=Poisson(), offset=log(t)).fit(tol=1e-14)")
        expected["parameters"] = X.shape[1]
        table.add("joint_rate_ratios", case, rows, expected, call, level)

        # Nobody exposed to the journeys of `together`: the delta method on the fit.
        other = X.copy()
        for j in together:
            other[:, X.shape[1] - journeys + j] = 0
        O = mp.matrix(other.tolist())
        eta = O * beta
        without = [mp.mpf(v) * mp.exp(eta[i]) for i, v in enumerate(t)]
        g0 = O.T * mp.matrix(without)
        g = mp.matrix(X.tolist()).T * mp.matrix(mu) - g0
        total, kept = sum(mu), sum(without)
        error, log_error = mp.sqrt((g.T * covariance * g)[0]), mp.sqrt((g0.T * covariance * g0)[0]) / kept
        figures = triple([total - kept, total - kept - z * error, total - kept + z * error]) | {
            "standard_error": error, "expected": kept, "expected_lower": kept * mp.exp(-z * log_error),
            "expected_upper": kept * mp.exp(z * log_error)}
        table.add("joint_excess", case, rows, {name: float(value) for name, value in figures.items()},
                  "mpmath, 60 digits: sum of mu less that without; delta method", level, sum(2**j for j in together))

    add("one journey, one stratum", [(30, 1000, 0, 0, 1), (40, 2000, 0, 0, 0)], 0.95, [0])
    add("two journeys that multiply", [(20, 1000, 0, 0, 0, 0), (40, 1000, 0, 0, 1, 0), (120, 1000, 0, 0, 1, 1),
                                       (30, 1000, 1, 0, 0, 1), (10, 1000, 1, 0, 0, 0)], 0.95, [0, 1])
    add("not eligible in one segment", [(20, 1000, 0, 0, 0), (40, 1000, 0, 0, 1), (9, 1500, 1, 0, 2), (30, 3000, 0, 1, 0),
                                        (25, 900, 0, 1, 1), (17, 2000, 1, 1, 2)], 0.9, [0])
    add("rates far apart", [(3, 10**7, 0, 0, 0), (900, 1000, 0, 0, 1), (5, 10**6, 1, 0, 0), (700, 1000, 1, 0, 1)], 0.95, [0])
    add("some cells without leavers", [(30, 1000, 0, 0, 1), (40, 2000, 0, 0, 0), (0, 50, 1, 0, 1), (6, 300, 1, 0, 0),
                                       (0, 10, 0, 1, 1), (3, 200, 0, 1, 0), (2, 90, 1, 1, 1)], 0.95, [0])
    for i in range(40):
        journeys, levels = int(rng.integers(1, 5)), (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        effects, own = rng.normal(0.2, 0.5, journeys), [rng.normal(0, 0.4, k) for k in levels]
        seen = {}
        for _ in range(int(rng.integers(15, 45))):
            state = tuple(int(v) for v in (rng.integers(levels[0]), rng.integers(levels[1]),
                                           *rng.choice([0, 0, 0, 1, 1, 2] if i % 2 else [0, 1], journeys)))
            days = int(10 ** rng.uniform(3, 4.5))
            rate = 0.004 * np.exp(own[0][state[0]] + own[1][state[1]]
                                  + sum(e for e, s in zip(effects, state[2:]) if s == 1)
                                  + 0.3 * sum(1 for s in state[2:] if s == 2))
            seen[state] = (int(rng.poisson(days * rate)) + seen.get(state, (0, 0))[0], days + seen.get(state, (0, 0))[1])
        rows = [(y, t, *state) for state, (y, t) in seen.items()]
        X, y, t = joint_matrix(rows)
        # Without separation or collinearity: those have no figures, and tests of their own.
        told = all(np.linalg.matrix_rank(np.delete(X, X.shape[1] - 1 - j, 1)) < X.shape[1] for j in range(journeys))
        exposed = np.array([[state == 1 for state in row[4:]] for row in rows], float)
        if told and (X[:, -journeys:] == exposed).all() and len(rows) > X.shape[1] and (y > 0).sum() > X.shape[1] and np.linalg.matrix_rank(X[y > 0]) == X.shape[1]:
            add("random", rows, float(rng.choice([0.9, 0.95])), sorted({0, int(rng.integers(journeys))}))
    table.write()
