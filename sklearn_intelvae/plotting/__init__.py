"""Pictures of images, codes and curves, drawn on one matplotlib Axes."""

from sklearn_intelvae.plotting._images import plot_images, plot_reconstructions
from sklearn_intelvae.plotting._latent import plot_few_label_curves, plot_latent

__all__ = ["plot_few_label_curves", "plot_images", "plot_latent", "plot_reconstructions"]
