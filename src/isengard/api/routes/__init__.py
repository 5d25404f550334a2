"""The routes, a file for each thing they are about. `api/router.py` mounts them; none holds logic of its own."""
