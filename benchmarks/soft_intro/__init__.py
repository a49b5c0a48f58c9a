"""The experiments of the papers on soft-introspective VAEs."""
