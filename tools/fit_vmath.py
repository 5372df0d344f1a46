"""Coefficients of src/tensor/cpu/vmath.h and of kernels_int8*.c: weighted least squares on Chebyshev points, reweighted until the error is level
(Lawson). Needs mpmath, NumPy and SciPy.  usage: python fit_vmath.py"""
import numpy as np, mpmath as mp
mp.mp.dps = 40

def fit(f, weight, lo, hi, powers, n=400, iters=60):
    """coefficients c of sum c_i x^powers_i that (nearly) minimise max |weight*(p-f)|: Lawson iteration in mpmath"""
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    A = np.array([[float(x ** k * weight(x)) for k in powers] for x in xs], dtype=np.longdouble)
    y = np.array([float(f(x) * weight(x)) for x in xs], dtype=np.longdouble)
    w = np.ones(n)
    best = None
    for _ in range(iters):
        s = np.sqrt(w)
        c = np.linalg.lstsq((A * s[:, None]).astype(float), (y * s).astype(float), rcond=1e-18)[0]
        e = np.abs(A @ c - y).astype(float)
        if best is None or e.max() < best[0]: best = (e.max(), c)
        w = w * e; w /= w.sum()
    return best
def show(name, r):
    print(name, "max error %.2e" % r[0]); print("   ", ", ".join("%.9ef" % float(np.float32(c)) for c in r[1]))
ln2 = mp.log(2)
show("exp", fit(lambda x: (mp.exp(x) - 1 - x) / x**2 if abs(x) > 1e-12 else mp.mpf(0.5), lambda x: x*x/mp.exp(x), -ln2/2*mp.mpf("1.002"), ln2/2*mp.mpf("1.002"), range(0, 5)))
Q = lambda a: mp.ncdf(-a) * mp.exp(a * a / 2)
show("normal tail", fit(lambda t: Q((1 / t - 1) / mp.mpf("0.3")), lambda t: 1 / Q((1 / t - 1) / mp.mpf("0.3")), mp.mpf(1) / (1 + mp.mpf("0.3") * 13), mp.mpf(1),
                        range(1, 9), n=200, iters=40))
show("tanh", fit(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z / (mp.tanh(mp.sqrt(z)) / mp.sqrt(z)), mp.mpf("1e-8"), mp.mpf("0.4"), range(0, 5)))

# kernels_int8.c, kernels_int8_attention.c: minimax on a grid by linear programming, with equations that hold exactly.
from scipy.optimize import linprog
def minimax(A, b, scale=1, equal=None, value=None):
    """c that minimises max |A c - b| (columns of A divided by scale) with equal . c = value"""
    A = A / scale; n = A.shape[1]; one = np.ones((len(b), 1))
    r = linprog([0] * n + [1], A_ub=np.block([[A, -one], [-A, -one]]), b_ub=np.concatenate([b, -b]),
                A_eq=None if equal is None else [list(equal / scale) + [0]], b_eq=None if equal is None else [value],
                bounds=[(None, None)] * n + [(0, None)], method="highs")
    return r.x[-1], r.x[:n] / scale
c = 4.4
x = np.linspace(1e-3, c, 4000)
phi = np.array([float(mp.ncdf(v)) for v in x])
odd = 2 * np.arange(9) + 1
show("x Phi(x): Phi = 1/2 + x P(x^2), 1 at %g; ascending" % c,
     minimax(x[:, None] ** (odd + 1), x * (phi - 0.5), c ** (odd + 1.0), c ** odd.astype(float), 0.5))
f = np.linspace(-0.5, 0.5, 4001)
show("2^f = 1 + f P(f), relative; ascending", minimax(f[:, None] ** np.arange(1, 5) / 2 ** f[:, None], 1 - 1 / 2 ** f))
