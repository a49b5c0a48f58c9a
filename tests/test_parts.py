"""Laws of all parts: what their hyper-parameters may be."""

import pytest
from sklearn.utils._param_validation import generate_invalid_param_val, make_constraint

from sklearn_intelvae import likelihoods, mappings, networks, priors
from sklearn_intelvae._part import Part

SIZES = {mappings: (4,), priors: (4, 6), likelihoods: (6,), networks: (6, 4)}
NEEDED = {
    "Compose": (mappings.Identity(), mappings.Identity()),
    "OnComponents": (mappings.Sphere(), (0, 1)),
    "Function": (abs,),
    "StraightThrough": (abs,),
    "Linear": ([[1, 0, 0, 0]],),
}


def ranges():
    """Return each hyper-parameter that has a range, with the part's class and its sizes."""
    parts = [(getattr(room, name), sizes) for room, sizes in SIZES.items() for name in room.__all__]
    return [
        pytest.param(part, sizes, parameter, constraints, id=f"{part.__name__}-{parameter}")
        for part, sizes in parts
        if isinstance(part, type) and issubclass(part, Part)
        for parameter, constraints in part._parameter_constraints.items()
    ]


@pytest.mark.parametrize(("part", "sizes", "parameter", "constraints"), ranges())
def test_values_out_of_range_are_refused_by_name(part, sizes, parameter, constraints):
    values = [object()]
    for constraint in map(make_constraint, constraints):
        try:
            values.append(generate_invalid_param_val(constraint))
        except NotImplementedError:
            continue
    for value in values:
        spoiled = part(*NEEDED.get(part.__name__, ())).set_params(**{parameter: value})
        message = f"'{parameter}' parameter of {part.__name__} must be"
        with pytest.raises(ValueError, match=message):
            spoiled.build(*sizes)


def test_the_ranges_name_parameters_that_exist():
    for case in ranges():
        part, _, parameter, _ = case.values
        assert parameter in part._get_param_names()


class Holder(Part):
    def __init__(self, inner=None):
        super().__init__()
        self.inner = inner


def test_anything_may_take_the_place_of_a_module():
    holder = Holder(mappings.Sphere())
    assert "inner" in holder._modules
    holder.set_params(inner=abs)
    assert holder.inner is abs
    assert not holder._modules
    holder.set_params(inner=mappings.Identity())
    assert list(holder.children()) == [holder.inner]
