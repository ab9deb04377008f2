"""Cells of random operations, as text: so a failure can be read, and the same text runs with torch's functions."""

import functools

import numpy as np

from elman import tracing

_FUNCTIONS = (
    "sigmoid",
    "tanh",
    "softplus",
    "relu",
    "hard_sigmoid",
    "abs",
    "-",
    "spike",
    "exp",
    "log",
    "sqrt",
    "/",
)
_STATISTICS = (
    "mean({a})",
    "mean({a}, {b})",
    "tanh(variance({a}, tanh({b})))",
    "layer_norm(tanh({a}), 0.7, {b}, 0.1)",
    "sum(layer_norm([tanh({a}), sigmoid({b})], epsilon=0.1))",
)
_SLOTS = {"s0": "xh", "s1": "x", "s2": "h", "s3": "xh"}


def random_source(rng, operations, matrices=0, statistics=0):
    """A cell's function, and the names of all that it is given. matrices: how many products within the step;
    statistics: how many means, variances and norms over all units."""
    names = {
        "slots": list(_SLOTS)[: rng.integers(1, 5)],
        "states": [f"h{k}" for k in range(rng.integers(1, 4))],
        "params": [f"p{k}" for k in range(rng.integers(0, 3))],
        "scalars": ["t0"][: rng.integers(0, 2)],
    }
    pool = [name for given in names.values() for name in given]
    lines, unread = [], set(pool)

    def pick():
        if unread and rng.random() < 0.6:
            name = rng.choice(sorted(unread))
        else:
            name = rng.choice(pool[-8:] if rng.random() < 0.7 else pool)
        unread.discard(name)
        return str(name)

    products = rng.choice(operations, min(matrices, operations), replace=False).tolist() if matrices else []
    names["matrices"] = [f"u{k}" for k in range(len(products))]
    for n in range(operations):
        product = f"u{products.index(n)}(tanh({pick()}))" if n in products else None
        if product is None and statistics and rng.random() < 0.3:
            statistics -= 1
            product = str(rng.choice(_STATISTICS)).format(a=pick(), b=pick())
        lines.append(f"    v{n} = {product or _expression(rng, pick)}")
        pool.append(f"v{n}")
        unread.add(f"v{n}")
    # Whatever nothing has read goes into a new state; folding may leave out what was read, so all that is given does.
    results = [pick() for _ in names["states"]]
    unread.update(names["slots"], names["params"], names["scalars"])
    more = [f"v{n}" for n in products]
    results[0] = " + ".join([f"tanh({results[0]})", *sorted(unread), *more])
    given = ", ".join(name for part in names.values() for name in part)
    return "\n".join([f"def cell({given}):", *lines, f"    return {', '.join(results)}"]), names


def _expression(rng, pick):
    number = round(float(rng.uniform(-2, 2)), 2)
    kind = rng.integers(0, 10)
    if kind < 4:
        a, b = (f"tanh({x})" if rng.random() < 0.2 else x for x in (pick(), pick()))
        return (
            f"{a} {rng.choice(list('+-**'))} {b}" if kind else f"{pick()} * {a} {rng.choice(['+', '-'])} {b}"
        )
    if kind == 4:
        forms = (
            "{x} + {k}",
            "{k} - {x}",
            "{x} * {k}",
            "{x} / 4",
            "{x} / 3",
            "({x} - {k}) ** 2",
            "{x} * 0.5 + 1",
        )
        return str(rng.choice(forms)).format(x=pick(), k=number)
    if kind == 5:
        name = rng.choice(["maximum", "minimum"])
        return f"{name}({pick()}, {pick() if rng.random() < 0.7 else number})"
    if kind == 6:
        return f"clip({pick()}, {-abs(number)}, {pick() if rng.random() < 0.2 else 0.7})"
    if kind == 7:
        sign = str(rng.choice([">", ">=", "<", "<=", "==", "!="]))
        first = f"({pick()} {sign} {pick()})"
        second = f"({pick()} > {number})"
        both = str(rng.choice(["{a}", "{a} & {b}", "{a} | ~{b}", "~({a} & {b})"])).format(a=first, b=second)
        return f"where({both}, {pick()}, {pick() if rng.random() < 0.7 else number})"
    return _function(str(rng.choice(_FUNCTIONS)), pick)


def _function(name, pick):
    x = pick()
    if name == "-":
        return f"-{x}"
    if name == "exp":
        return f"exp(tanh({x}))"
    if name in ("log", "sqrt"):
        return f"{name}({x} * {x} + 0.5)"
    if name == "/":
        return f"tanh({pick()}) / (1 + {x} * {x})"
    return f"{name}({x})"


def random_cell(seed, most=30, matrices=0, statistics=0, elementwise=False):
    """The cell and its source; elementwise: x alone feeds its slots."""
    rng = np.random.default_rng(seed)
    source, names = random_source(rng, int(rng.integers(1, most + 1)), matrices, statistics)
    space = {**vars(tracing), "abs": abs, "sum": sum}
    exec(compile(source, f"random_{seed}.py", "exec"), space)
    slots = {name: "x" if elementwise else _SLOTS[name] for name in names["slots"]}
    function = functools.partial(tracing.trace, space["cell"], slots, names["states"])
    return function(names["params"], names["scalars"], matrices=names["matrices"]), source
