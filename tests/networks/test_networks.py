"""Networks: their sizes, and images of any shape."""

import pytest
import torch
from sklearn.base import clone

from sklearn_intelvae import networks
from sklearn_intelvae.networks import ACTIVATIONS, MLP, ConvDecoder, ConvEncoder

NETWORKS = {"MLP": MLP, "ConvEncoder": ConvEncoder, "ConvDecoder": ConvDecoder}
SIZES = {"MLP": (6, 4), "ConvEncoder": (784, 4), "ConvDecoder": (4, 784)}


def test_all_public_networks_have_a_case():
    assert set(NETWORKS) == set(networks.__all__) - {"ACTIVATIONS", "LinearPath", "Network"}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_sizes_that_they_are_built_for(name):
    network = NETWORKS[name]()
    network.build(*SIZES[name])
    n_in, n_out = SIZES[name]
    assert network(torch.rand(3, n_in)).shape == (3, n_out)
    assert not list(clone(network).parameters())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_finite_outputs(activation):
    network = MLP((5,), activation)
    network.build(3, 2)
    assert network(torch.rand(4, 3)).isfinite().all()


def test_without_a_hidden_layer_it_is_linear():
    network = MLP(())
    network.build(3, 2)
    x, y = torch.rand(2, 4, 3)
    torch.testing.assert_close(network(x + y) + network(0 * x), network(x) + network(y))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 9, 7), (1, 5, 11)])
@pytest.mark.parametrize("outputs_per_feature", [1, 2])
def test_convolutions_fit_images_of_odd_sides(shape, outputs_per_feature):
    n_features = shape[0] * shape[1] * shape[2]
    encoder, decoder = ConvEncoder(shape, (4, 8), 16), ConvDecoder(shape, (4, 8), 16)
    encoder.build(n_features, 6)
    decoder.build(3, outputs_per_feature * n_features)
    assert encoder(torch.rand(2, n_features)).shape == (2, 6)
    assert decoder(torch.rand(2, 3)).shape == (2, outputs_per_feature * n_features)


@pytest.mark.parametrize("network", [ConvEncoder((1, 8, 8)), ConvDecoder((1, 8, 8))])
def test_a_shape_that_does_not_fit_the_rows_is_refused(network):
    sizes = (65, 4) if isinstance(network, ConvEncoder) else (4, 65)
    with pytest.raises(ValueError, match=r"image_shape=\(1, 8, 8\) has 64 values.*have 65"):
        network.build(*sizes)


def test_too_many_halvings_are_refused():
    with pytest.raises(ValueError, match="give fewer channels"):
        ConvEncoder((1, 4, 4), (4, 8, 16)).build(16, 2)


@pytest.mark.parametrize("sizes", [(0,), (-3,), (8, 2.5), "16"])
def test_layers_need_a_positive_width(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MLP(sizes).build(4, 2)
