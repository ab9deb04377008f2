"""Slopes by finite differences: what a gradient must be."""

import numpy as np


def finite_differences(value, loss, step=1e-6):
    """The slope of `loss()` by each element of `value`, which it reads."""
    slope = np.zeros_like(value)
    for place in np.ndindex(value.shape):
        kept = value[place]
        value[place] = kept + step
        above = loss()
        value[place] = kept - step
        below = loss()
        value[place] = kept
        slope[place] = (above - below) / (2 * step)
    return slope


def slope_of_parameter(layer, name, loss):
    """Finite differences over one parameter of a layer or model."""
    value = layer.parameters[name].copy()

    def loss_of_value():
        layer.parameters[name] = value
        return loss()

    slope = finite_differences(value, loss_of_value)
    layer.parameters[name] = value
    return slope
