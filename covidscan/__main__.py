"""``python -m covidscan``."""

from covidscan.main import app

app()
