"""Networks: tensor to tensor, sized at fit."""

from sklearn_intelvae._part import Network
from sklearn_intelvae.networks._conv import ConvDecoder, ConvEncoder
from sklearn_intelvae.networks._linear_path import LinearPath
from sklearn_intelvae.networks._mlp import ACTIVATIONS, MLP

__all__ = ["ACTIVATIONS", "MLP", "ConvDecoder", "ConvEncoder", "LinearPath", "Network"]
