"""The experiments of two papers on the axes of VAEs."""
