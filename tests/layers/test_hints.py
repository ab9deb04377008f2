"""Refusals say what to write instead, and what they say works."""

import copy

import numpy as np
import pytest
import torch

import elman
from elman.layers import GRU, Linear, Sequential

X = np.random.default_rng(0).standard_normal((5, 2, 3))
WRITTEN = "parameters: expected no writing to them, got a read-only array .*editing"


def scaled(layer):
    layer.parameters["weight_hh_l0"] *= 0.5


WRITES = {
    "element": lambda p: p.__setitem__((0, 0), 1),
    "column": lambda p: p.__setitem__((slice(None), 1), 0),
    "view": lambda p: p.reshape(-1).__setitem__(0, 1),
    "gate": lambda p: p[4:8].__setitem__(slice(None), 0),
    "in place": lambda p: p.__imul__(2),
    "out": lambda p: np.add(p, 1, out=p),
    "at": lambda p: np.add.at(p, 0, 1),
    "fill": lambda p: p.fill(0),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_to_write_for_a_parameter(write):
    layer = GRU(3, 4, seed=0)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=WRITTEN):
        WRITES[write](layer.parameters["weight_hh_l0"])
    assert all(np.array_equal(value, before[name]) for name, value in layer.parameters.items())
    for own in (copy.deepcopy(layer.parameters["weight_hh_l0"]), layer.parameters["weight_hh_l0"].copy()):
        WRITES[write](own)  # a copy is the user's


def test_torchs_way_of_assigning_does_not_pass_silently():
    layer = GRU(3, 4)
    with pytest.raises(ValueError, match=WRITTEN):
        scaled(layer)
    with pytest.raises(
        AttributeError, match=r"weight_hh_l0: expected layer.parameters\['weight_hh_l0'\] = array"
    ):
        layer.weight_hh_l0 = np.zeros((12, 4), np.float32)
    for own in (layer, Sequential(GRU(3, 4), Linear(4, 1))):
        with pytest.raises(
            AttributeError, match=r"parameters: expected .* layer.parameters\[name\] = array, or load"
        ):
            own.parameters = own.state_dict()
        with pytest.raises(AttributeError, match=r"grads: expected .* layer.grads\[name\]\[:\] ="):
            own.grads = {}
    layer.remark = "mine"  # other names are free


def test_several_parameters_at_once_or_none():
    layer = GRU(3, 4, seed=0)
    before = layer.state_dict()
    y = layer(X.astype(np.float32))[0]
    with pytest.raises(ValueError, match=r"bias_hh_l0: expected \[12\] float32, got \[11\] float32"):
        layer.parameters.update(
            {"weight_hh_l0": before["weight_hh_l0"] * 2, "bias_hh_l0": np.zeros(11, np.float32)}
        )
    assert np.array_equal(layer(X.astype(np.float32))[0], y)
    layer.parameters.update({name: value * 0 for name, value in before.items() if "hh" in name})
    other = GRU(3, 4)
    other.load_state_dict(before | {name: before[name] * 0 for name in ("weight_hh_l0", "bias_hh_l0")})
    assert np.array_equal(layer(X.astype(np.float32))[0], other(X.astype(np.float32))[0])


REFUSED = {
    r"state_dict: expected a dict of arrays, got GRU; .state_dict\(\) of the GRU": lambda la: la.load_state_dict(la),
    r"state_dict: expected a dict of arrays, got None": lambda la: la.load_state_dict(None),
    r"arrays: expected a dict of arrays, got list": lambda la: la.parameters.update([]),
    r"got none for \['bias_hh_l0', .*; parameters.update takes some of them":
        lambda la: la.load_state_dict({"weight_hh_l0": la.parameters["weight_hh_l0"]}),
    r"bias_hh_l0: expected \[12\] float32, got \[12\] float64; bias_hh_l0.astype\(np.float32\) casts it":
        lambda la: la.parameters.update({"bias_hh_l0": np.zeros(12)}),
    r"x: .* got \[5, 2, 3\] float64; x.astype\(np.float32\) casts it": lambda la: la(X),
    r"x: .* got \[5, 2, 3\] float64; x.to\(torch.float32\) casts it": lambda la: la(torch.tensor(X)),
    r"x: .* got \[5, 2, 3\] bool; np.array\(x, np.float32\) casts it": lambda la: la((X > 0).tolist()),
    r"x: .* got Tensor: .*; x.float\(\) is float32": lambda la: la(torch.tensor(X).bfloat16()),
    r"x: .* its parts differ in length; elman.sequence.pad": lambda la: la([X[:, 0].tolist(), X[:3, 0].tolist()]),
    r"lengths: .* got \[2\] float64; lengths.astype\(int\)": lambda la: la(f32(), lengths=np.array([1.0, 2.0])),
    r"mask: .* got \[5, 2\] uint8; mask.astype\(bool\)": lambda la: la(f32(), mask=np.ones((5, 2), np.uint8)),
    r"mask: .* got \[5, 2\] int64; np.array\(mask, bool\)": lambda la: la(f32(), mask=[[1, 0]] * 5),
    # [1, 0] as whole numbers would be both of two streams
    r"rows: expected indices, whole numbers, or flags \[2\] bool, got \[2\] uint8":
        lambda la: la.stepper(2).reset(np.array([1, 0], np.uint8)),
}  # fmt: skip


def f32():
    return X.astype(np.float32)


@pytest.mark.parametrize("message", REFUSED)
def test_what_to_write_instead(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message](elman.GRU(3, 4, seed=0))
