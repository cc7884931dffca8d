"""Stand-alone: write the manifest of the migrations that a Django project expects.

Standard library and the project's own Django only, Python 3.9 or newer. The folder is a program
as it is (`python sidecar/baker`), as is the archive that `make baker.pyz` packs of it; the
commands `sidecar bake` and `manage.py bake_migrations` import it. Its modules import each other
relatively, because their package has another name when it is run by its path (`__main__.py`).
Modules that import Django at their top are imported only once Django is set up.
"""
