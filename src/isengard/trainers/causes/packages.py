"""Failures of the trainer's environment: packages that lack or do not fit, libraries, compilers."""

from __future__ import annotations

from isengard.trainers.causes.rule import Cause, named, rule

RULES = (
    rule(
        r"((lib[\w.+-]+\.so[\w.]*): cannot open shared object file|(CUDA_HOME) (?:environment variable is not set"
        r"|does not exist)|Failed to find (C compiler)|(Python\.h): No such file|(nvcc): (?:command )?not found"
        r"|(GLIBC\w*_[\d.]+)['\"` ]+not found)",
        Cause(
            "missing-library",
            "A library or a compiler of the system is missing",
            "A package needs something that the system does not have ({name}).",
            (
                "Install {name} with the system's packages, or use an image that has it.",
                "A CUDA library that is missing: reinstall PyTorch for the CUDA version of this machine.",
            ),
        ),
        named,
    ),
    rule(
        r"(ModuleNotFoundError: No module named ['\"]([\w.]+)['\"]|ImportError: [^\n]{0,160}requires the (\w+) library"
        r"|requires the (\w+) library but it was not found|python[\d.]*: No module named ([\w.]+)"
        r"|requires the latest version of (\w+)|No (bitsandbytes) /|(\w+) is not available\. Make sure it is installed"
        r"|(PEFT) backend is required|PackageNotFoundError: (?:No package metadata was found for )?([\w.-]+)"
        r"|make sure you have (\w+) installed|Error: [^\n]{0,160}(?:please|need to) install (?:the )?[`'\"]?([\w.-]+)"
        r"|Error: [`'\"]?([\w.-]+)[`'\"]? is not installed)",
        Cause(
            "missing-package",
            "A Python package is missing",
            "The trainer's environment lacks the package {name}, or has one that is too old.",
            ("Install {name} into the trainer's environment.",),
        ),
        named,
    ),
    rule(
        r"(ImportError: cannot import name ['\"](\w+)['\"]|VersionConflict|undefined symbol: (\w+)"
        r"|([\w.-]+(?:[<>=!~]=?[\w.,<>=!~*]+)?) is required for a normal functioning of this module"
        r"|(This example requires a (?:source install|minimum version)[^\n(,]{0,60})"
        r"|The version of (\w+) you are using is not compatible|(\w+) version \S+ is not compatible"
        r"|requires (.{1,60}) but (?:you have|found)|is incompatible with|compiled using NumPy 1\.x"
        r"|(Numpy) is not available|(numpy\.\w+) size changed|may indicate binary incompatibility"
        r"|module ['\"]?[\w.]+['\"]? has no attribute ['\"](\w+)['\"]|No operator found for [`'\"]?(\w+)"
        r"|(xFormers) (?:can't load|wasn't build)|got an unexpected keyword argument ['\"](\w+)['\"]"
        r"|(bitsandbytes)[^\n]{0,80}(?:was compiled without GPU support|libbitsandbytes_cpu\.so: undefined)"
        r"|CUDA Setup failed despite|CUDA version mismatch|detected CUDA version \([\d.]+\) mismatches"
        r"|size mismatch between .{1,40} extension)",
        Cause(
            "version-conflict",
            "Packages do not fit together",
            "Two packages of the trainer's environment are of versions that do not work with each other ({name}).",
            (
                "Reinstall the trainer's environment from its own requirements file.",
                "Packages with CUDA code (xformers, bitsandbytes, flash-attn) must be built for the installed PyTorch.",
            ),
        ),
        named,
    ),
)
