"""What a saved run holds of a net is checked before the net takes it."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError

torch = pytest.importorskip("torch")


def arrays(net):
    return {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}


def test_a_net_takes_the_arrays_of_another():
    from ppgen.models.nets.state import take

    given = arrays(torch.nn.BatchNorm1d(2)) | {"weight": np.float32([3, 4])}
    other = torch.nn.BatchNorm1d(2)
    take(other, given)
    for name, value in given.items():
        np.testing.assert_array_equal(arrays(other)[name], value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": None}, ["none of the array 'bias'", "expects one of shape (2,)"]),
        ({"bias": np.zeros(3)}, ["shape (3,)", "shape (2,)"]),
        ({"tail": np.zeros(4)}, ["shape (4,) of the array 'tail'", "expects none"]),
    ],
)
def test_arrays_of_another_net_are_refused_in_words(change, words):
    from ppgen.models.nets.state import take

    net = torch.nn.BatchNorm1d(2)
    given = {k: v for k, v in (arrays(net) | change).items() if v is not None}
    with pytest.raises(InputError, match="saved by another version of ppgen") as error:
        take(net, given)
    assert all(word in str(error.value) for word in words)
