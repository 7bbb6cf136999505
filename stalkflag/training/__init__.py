"""Training, evaluation and tracking; needs the extra ``train``."""
