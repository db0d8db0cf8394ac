"""Figures and reports of released numbers: matplotlib without Qt, by its object API only; ``cli`` and ``ui`` use it."""
