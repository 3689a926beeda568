"""Figures and findings as text and as HTML pages that open offline."""
