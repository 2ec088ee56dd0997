"""Random numbers of compiled code: Brian2's functions, drawn from a stream of words for each code object.

Brian2 looks a function's C++ text up by the class of the code object that calls it, so that ours stand beside its own.
`rand`, `randn`, `poisson` and the binomial numbers of a `PoissonInput` keep their distributions: the binomial is the
exact one where Brian2 approximates it by a normal deviate, too. `cpp/lib/stream.h`, `normal.h` and `counts.h` hold the
methods. With Brian2's OpenMP, code objects draw from several threads at once, and get Brian2's own functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brian2
from brian2.codegen.generators.cpp_generator import poisson_code
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.devices.cpp_standalone.codeobject import generate_rand_code
from brian2.input.binomial import BinomialFunction

# A binomial number of larger variance would need a table of more than 20,000 columns.
LARGEST_VARIANCE = 1e6

# C++ name of a code object's stream.
STREAM = "_own_stream"


def _of_a_source(code: str) -> str:
    """Return Brian2's Poisson numbers with a source of uniform deviates as an argument."""
    code = code.replace("_rand(_vectorisation_idx)", "_source.uniform()")
    for name in ("_poisson_mult", "_poisson_ptrs", "_poisson"):
        own = "_untabulated_poisson" if name == "_poisson" else name
        code = code.replace(f"int32_t {name}(", f"template <class Source> int32_t {own}(Source& _source, ")
        code = code.replace(f"return {name}(", f"return {own}(_source, ")
    return code


STOCK_POISSON = _of_a_source(poisson_code)


def use_in(code_object: type) -> None:
    """Give the code objects of a class our random functions."""
    stream = Function(lambda: 0, arg_units=[], return_unit=1, stateless=False)
    stream.implementations.add_implementation(
        code_object,
        {"support_code": f"cortwin::Stream {STREAM};"},
        name=STREAM,
        compiler_kwds={"headers": [f'"cortwin/{name}.h"' for name in ("stream", "normal", "counts")]},
    )
    own = {STREAM: stream}
    for name, expression in (("rand", f"{STREAM}.uniform()"), ("randn", f"cortwin::normal({STREAM})")):
        DEFAULT_FUNCTIONS[name].implementations.add_dynamic_implementation(
            code_object,
            code=_unless_threaded(
                f"inline double _{name}(const int) {{ return {expression}; }}",
                lambda owner, name=name: generate_rand_code(name, owner)["support_code"],
            ),
            namespace=lambda owner: {},
            dependencies=own,
            name=f"_{name}",
        )
    DEFAULT_FUNCTIONS["poisson"].implementations.add_dynamic_implementation(
        code_object,
        code=_unless_threaded(
            f"""{STOCK_POISSON}
            cortwin::PoissonCounts _poisson_counts;
            inline int32_t _poisson(double mean, int32_t place) {{
                return _poisson_counts.draw(mean, {STREAM}, [=](double same) {{
                    return _untabulated_poisson({STREAM}, same, place);
                }});
            }}""",
            lambda owner: poisson_code,
        ),
        namespace=lambda owner: {},
        dependencies={**own, "_rand": DEFAULT_FUNCTIONS["rand"]},
        name="_poisson",
    )
    stock = BinomialFunction.implementations["cpp"]

    def binomial(n: Any, p: Any, use_normal: bool, name: str) -> tuple[Any, Mapping[str, Function]]:
        if not n * p * (1 - p) <= LARGEST_VARIANCE:
            return stock(n, p, use_normal, name)
        return _binomial(int(n), float(p), name), own

    container: dict[Any, Any] = BinomialFunction.implementations
    container[code_object] = binomial


def draws(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the random functions among the variables of a code object: C++ name by name."""
    kinds = {DEFAULT_FUNCTIONS[name]: f"_{name}" for name in ("rand", "randn", "poisson")}
    found = {name: kinds[function] for name, function in variables.items() if function in kinds}
    return found | {name: name for name, function in variables.items() if isinstance(function, BinomialFunction)}


def threaded() -> bool:
    """Whether Brian2's OpenMP is on."""
    threads: Any = brian2.prefs["devices.cpp_standalone.openmp_threads"]
    return threads > 0


def table_of(binomial: str) -> str:
    """Return the C++ name of the table of a binomial function."""
    return f"_table_of_{binomial}"


def _binomial(n: int, p: float, name: str) -> dict[str, str]:
    return {
        "support_code": f"""const cortwin::Counts {table_of(name)} = cortwin::Counts::binomial({n}, {p!r});
        inline int32_t {name}(const int) {{ return {table_of(name)}.draw({STREAM}.next()); }}"""
    }


def _unless_threaded(ours: str, stock: Any) -> Any:
    return lambda owner: {"support_code": stock(owner) if threaded() else ours}
