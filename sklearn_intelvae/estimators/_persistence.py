"""Models as files: pickles without tensors, and a format that never runs code."""

class PersistenceMixin:
    """x"""
