"""The base class of mappings."""

from __future__ import annotations

from torch import Tensor

from sklearn_intelvae._part import Part


class Mapping(Part):
    """Base class of mappings g from the intermediary latent y to the representation z.

    A subclass gives ``forward``. It may give, besides:

    - ``build(n_components)``, which makes weights once the size of y is known, and may refuse it;
    - ``initialise(X, generator)``, which sees the training rows once before training;
    - ``penalty(y, z)``, a number in nats that training adds to the loss;
    - ``guide(x, y)``, nats for each row of x and its posterior mean y that training adds, too, but
      which is no part of the loss that rows set aside are judged by; a fit of less than
      200 steps begins with a hundred in which the encoder minimises this alone;
    - ``notice(y, weight)``, which sees the draws of each training batch, and the weights of its
      rows or None, for running statistics;
    - ``to_decoder(z)``, of the shape of z, which the decoder is given in place of z, for a g that
      turns while the decoder learns;
    - ``regions(y)``, an integer for each row, when g divides its domain into regions;
    - ``warm_up(fraction)``, which is told before each training step how far the KL term is warmed
      up, from 0 to 1, and may soften g in training mode until it is;
    - ``n_trials``, an integer: of so many starts, each tried for some hundred steps, the one with
      the lowest loss is trained, for a g that may come to lie on the rows in a tangle.

    Any ``torch.nn.Module`` with the same methods serves as well; the base class adds
    scikit-learn's parameters, so that the mapping's settings can be cloned, printed and searched.

    References
    ----------
    Miao, Mathieu, Siddharth, Teh and Rainforth, "On Incorporating Inductive Biases into VAEs",
    ICLR 2022.

    Examples
    --------
    >>> from sklearn_intelvae import InteLVAE
    >>> from sklearn_intelvae.mappings import Mapping
    >>> class HalfSpace(Mapping):
    ...     def __init__(self, slope=0.1):
    ...         super().__init__()
    ...         self.slope = slope
    ...
    ...     def forward(self, y):
    ...         return y.clamp(min=0) + self.slope * y.clamp(max=0)
    >>> InteLVAE(mapping=HalfSpace(slope=0.0))
    InteLVAE(mapping=HalfSpace(slope=0.0))
    """

    def build(self, n_components: int) -> None:
        """Refuse hyper-parameters out of their ranges; a subclass makes weights besides."""
        self._validate()

    def forward(self, y: Tensor) -> Tensor:
        """Map y of shape (n, n_components) to z, of shape (n, any number of columns)."""
        raise NotImplementedError
