"""Alembic's scripts, inside the package so that an installed Isengard can upgrade its own database."""
