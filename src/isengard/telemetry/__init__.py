"""Carries what journals say to systems of others: OTLP collectors, standard output. Each way is a cursor over journals.

Nothing here is on the way of a training: it runs in a process of its own (``isengard export``), reads journals as
anyone does and remembers its place in each.
"""
