"""The journal: one append-only file of numbered lines per job, its writer, its cursors, its index."""
