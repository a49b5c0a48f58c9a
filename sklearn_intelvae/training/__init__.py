"""Training: the only room that knows skorch."""

from sklearn_intelvae.training._batches import Batches, Rows
from sklearn_intelvae.training._callbacks import FitTaskCallback, WarmedUpEarlyStopping
from sklearn_intelvae.training._head_start import follow_guidance
from sklearn_intelvae.training._net import PlayerNet

__all__ = [
    "Batches",
    "FitTaskCallback",
    "PlayerNet",
    "Rows",
    "WarmedUpEarlyStopping",
    "follow_guidance",
]
