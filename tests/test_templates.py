"""What our templates and functions rely on in Brian2: each of these fails when Brian2 changes it."""

import re

import numpy as np
import pytest
from brian2.codegen.generators.cpp_generator import poisson_code, timestep_code
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.input.binomial import BinomialFunction

from cortwin.cpp import randomness
from cortwin.cpp.device import CortwinCodeObject
from cortwin.cpp.paths.draws import DrawFirst

PAIRS = {
    "stateupdate": "state_update",
    "threshold": "crossings",
    "reset": "resets",
    "spikemonitor": "spike_record",
    "statemonitor": "state_record",
    "ratemonitor": "rate_record",
}


@pytest.mark.parametrize(("stock", "ours"), PAIRS.items())
def test_a_template_of_ours_declares_what_brian2_does(stock, ours):
    theirs, own = (getattr(CortwinCodeObject.templater, name) for name in (stock, ours))
    assert own.variables == theirs.variables
    assert own.writes_read_only == theirs.writes_read_only
    assert own.allows_scalar_write == theirs.allows_scalar_write
    assert own.iterate_all == theirs.iterate_all


@pytest.mark.parametrize("stock", PAIRS)
def test_a_name_of_ours_hides_none_of_brian2(stock):
    assert _source(CortwinCodeObject, stock) == _source(CPPStandaloneCodeObject, stock)


def _source(code_object, name):
    environment = code_object.templater.env
    return environment.loader.get_source(environment, f"{name}.cpp")[0]


def test_monitors_are_written_by_the_interface_that_our_array_has():
    """``lib/dynamic_array.h`` stands for Brian2's: rows ``x(n)``, elements ``x(n, 0)``, and the sizes n and m."""
    text = _source(CPPStandaloneCodeObject, "objects")
    used = set(re.findall(r"\{\{varname\}\}(\(n[^)]*\)|\.[nm]\b)", text))
    assert used >= {"(n)", "(n, 0)", ".n", ".m"}
    assert '#include "brianlib/dynamic_array.h"' in text


def test_functions_stand_as_they_were_read():
    assert "int32_t _poisson(double lam, int32_t _idx)" in poisson_code
    # Three functions that draw from a source of ours, and none from Brian2's.
    assert "int32_t _untabulated_poisson(Source& _source, double lam" in randomness.STOCK_POISSON
    assert randomness.STOCK_POISSON.count("template <class Source>") == 3
    assert randomness.STOCK_POISSON.count("_source.uniform()") == poisson_code.count("_rand(") == 3
    assert randomness.STOCK_POISSON.count("(_source, lam, _idx)") == 2
    assert "_rand(" not in randomness.STOCK_POISSON
    assert "(int64_t)((t + 1e-3*dt)/dt)" in timestep_code
    assert np.random.poisson is DEFAULT_FUNCTIONS["poisson"].pyfunc


def test_brian2s_own_device_keeps_its_own_functions():
    for name in ("rand", "randn"):
        code = DEFAULT_FUNCTIONS[name].implementations[CPPStandaloneCodeObject].get_code(None)
        assert "_random_generators" in str(code)
    assert "_own_stream" in str(DEFAULT_FUNCTIONS["rand"].implementations[CortwinCodeObject].get_code(None))
    number = BinomialFunction(1000, 0.002)
    assert "while (U > px)" in str(number.implementations[CPPStandaloneCodeObject].get_code(None))
    assert "Counts::binomial(1000, 0.002)" in str(number.implementations[CortwinCodeObject].get_code(None))


def test_draws_are_taken_out_of_a_loop():
    number = BinomialFunction(10, 0.25, name="events")
    variables = {**{name: DEFAULT_FUNCTIONS[name] for name in ("rand", "randn", "poisson")}, "events": number}
    body = [
        "v = _randn(_vectorisation_idx) + _randn(_vectorisation_idx);",
        "u = _rand(_vectorisation_idx) * events(_vectorisation_idx);",
        "k = _poisson(_lio_1, _vectorisation_idx) + _poisson(rates * dt, _vectorisation_idx);",
    ]
    taken_out = DrawFirst(variables, CortwinCodeObject)
    lines, tables, fills = taken_out(body, ["const double _lio_1 = 3;"])
    assert taken_out.left  # one that stays
    assert [table.split(" = ")[1] for table in tables] == ["_poisson_counts.table(_lio_1, _N);"]
    assert "_poisson(rates * dt, _vectorisation_idx)" in lines[-1]  # another mean for each element
    assert "\n".join(lines).count("_vectorisation_idx") == 1
    assert len(fills) == 5
    assert len({fill.split("[")[0] for fill in fills}) == 5
    assert len(lines) == len(fills) + len(body)
    for number, line in enumerate(lines[:5]):  # read in every turn of the loop, before its own lines
        assert re.fullmatch(rf"const \w+ _number_{number} = _drawn_{number}\[_idx - _first\];", line)
        assert sum(f"_number_{number}" in own for own in lines[5:]) == 1
    assert next(fill for fill in fills if "_lio_1" in fill).startswith("int32_t")


def test_a_binomial_of_large_variance_keeps_brian2s_method():
    number = BinomialFunction(10**8, 0.5, name="events")
    assert "_randn(vectorisation_idx)" in str(number.implementations[CortwinCodeObject].get_code(None))
    body = ["v += events(_vectorisation_idx);"]
    taken_out = DrawFirst({"events": number}, CortwinCodeObject)
    assert taken_out(body, []) == (body, [], [])
    assert taken_out.left


def test_what_is_drawn_before_a_loop_is_told():
    """Each thread would draw it once more."""
    taken_out = DrawFirst({"rand": DEFAULT_FUNCTIONS["rand"]}, CortwinCodeObject)
    taken_out(["v = _rand(_vectorisation_idx);"], [])
    assert taken_out.left is False
    taken_out(["v = _rand(_vectorisation_idx);"], ["const double shared = _rand(_vectorisation_idx);"])
    assert taken_out.left
