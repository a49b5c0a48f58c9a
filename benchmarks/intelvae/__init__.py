"""The experiments of the InteL-VAE paper."""
