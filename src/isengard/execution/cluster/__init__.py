"""Runs on other hosts than the site's: how they get what they need, and how what they do comes back. Over Redis alone.

The *site* is the data folder that the API serves. A *host* has a data folder of its own, on its own disk.

    site                                                  host
    coordinator.py ◀─ "begin" ── package ─▶               bootstrap.py, which becomes the runner
        ▲      ◀─ numbered lines on a stream of the run ─ host_agent.py ◀─ journal ◀─ runner
        │      ── orders (cancel, sample, save) ────────▶ host_agent.py ─▶ inbox ─▶ runner
    run_copy.py ─ chunks of files, asked for ───────────▶ host_agent.py
        ▼      ◀─ "ended" ── release ───────────────────▶ host_agent.py clears the folder
    journal, samples, checkpoints, LoRA of the site: readers know no difference

What makes it safe: the site gives each run a token and takes lines from the stream of that token alone, so a host that
was given up cannot write into what came after it. The runner's journal is the truth until the site has it; nothing is
trimmed or cleared before. Whoever sends says it again until it is answered, and hearing it twice changes nothing.
"""
