"""The base class of mappings."""

from __future__ import annotations

from torch import Tensor, nn

from sklearn_intelvae._checks import refuse_hooks
from sklearn_intelvae._part import Part


class Mapping(Part):
    """Base class of mappings g from the intermediary latent y to the representation z.

    A subclass gives ``forward``. It may override any of the other methods, whose defaults do
    nothing. A plain ``torch.nn.Module`` or a function can be a mapping too, with ``forward`` only.

    Attributes
    ----------
    has_regions : bool
        Whether g divides its domain into regions, whose numbers ``regions`` returns; False by
        default. An estimator with such a mapping has ``predict`` and ``sample(cluster=...)``.
    n_trials : int
        Number of short trial fits from different starts; the start with the lowest loss is then
        trained. 1, the default, means no trials. For mappings with many poor local optima.

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

    has_regions: bool = False
    n_trials: int = 1

    def build(self, n_components: int) -> None:
        """Check the hyper-parameters; a subclass also creates its weights.

        Parameters
        ----------
        n_components : int
            Number of columns of y.
        """
        self._validate()

    def forward(self, y: Tensor) -> Tensor:
        """Map y, of shape (n, n_components), to z, of shape (n, n_latent)."""
        raise NotImplementedError

    def loss_terms(self, x: Tensor, mean: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return the terms that the mapping adds to the loss, by name, in nats.

        By convention "penalty" is a term of the objective, and "guidance" one that only training
        adds: return it only if ``self.training``. A fit of less than 200 steps first trains the
        encoder on the guidance alone.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            The rows of the batch.
        mean, y : Tensor of shape (n, n_components)
            The means of q(y | x), and the draws from it.
        z : Tensor of shape (n, n_latent)
            The mapped draws.

        Returns
        -------
        terms : dict of Tensor
            Each of shape (n,), one number per row, or (), one number for the batch.
        """
        return {}

    def observe(self, y: Tensor, weight: Tensor | None) -> None:
        """Update running statistics from the draws of a training batch; called once per step.

        Parameters
        ----------
        y : Tensor of shape (n, n_components)
        weight : Tensor of shape (n,) or None
            The weights of the rows; None if all are equal.
        """

    def to_decoder(self, z: Tensor) -> Tensor:
        """Return the decoder's input for z, in the shape of z; by default z itself."""
        return z

    def regions(self, y: Tensor) -> Tensor:
        """Return the region of each row of y, integers of shape (n,)."""
        raise NotImplementedError


def build_nested(module: object, n_components: int, parameter: str) -> None:
    """Build a mapping inside another one; a plain module is used as it is.

    Raises
    ------
    ValueError
        If ``module``, given as ``parameter``, is not a module.
    TypeError
        If it is a plain module that defines hooks.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{parameter} must be a mapping or a torch.nn.Module, got {module!r}; wrap a function "
            "as Function(...)."
        )
    if isinstance(module, Mapping):
        module.build(n_components)
    else:
        refuse_hooks(module, Mapping, parameter)
