"""Plots of images, codes and learning curves on a matplotlib Axes."""

from sklearn_intelvae.plotting._few_labels import plot_few_label_curves
from sklearn_intelvae.plotting._images import plot_images, plot_reconstructions
from sklearn_intelvae.plotting._latent import plot_latent
from sklearn_intelvae.plotting._traversals import latent_traversals

__all__ = [
    "latent_traversals",
    "plot_few_label_curves",
    "plot_images",
    "plot_latent",
    "plot_reconstructions",
]
