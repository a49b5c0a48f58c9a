"""Models: what is trained, and how it is built from parts."""

from sklearn_intelvae.models._pcl import PCLModel, PCLParts
from sklearn_intelvae.models._vae import VAE, Forward, VAEParts

__all__ = ["VAE", "Forward", "PCLModel", "PCLParts", "VAEParts"]
