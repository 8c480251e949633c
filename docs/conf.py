"""How Sphinx builds the documentation: ``sphinx-build -W docs docs/_build``, with the extra ``docs``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

project = "iron_wsgi"
author = "iron_wsgi contributors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False

myst_heading_anchors = 3

# `name` in a docstring is code, not a cross-reference that must be found.
default_role = "literal"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "iron_wsgi"
