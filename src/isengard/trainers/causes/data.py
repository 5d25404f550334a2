"""Failures of what the trainer was given: weights, images, captions, settings."""

from __future__ import annotations

from isengard.trainers.causes.rule import Cause, named, rule

WEIGHTS = (
    rule(
        r"(no file named (\S+) found in directory|Error no file named (\S+?),? "
        r"|does not appear to have a file named (\S+)|FileNotFoundError: [^\n]*?(model_index\.json|config\.json))",
        Cause(
            "incomplete-weights",
            "The base model's folder is not complete",
            "A file that belongs to the model is missing ({name}): the folder is the wrong one, or a download stopped.",
            ("Point base_model at the folder that holds model_index.json.", "Download the model again."),
        ),
        named,
    ),
    rule(
        r"(Weights only load failed)",
        Cause(
            "unsafe-weights",
            "A weights file is a pickle that PyTorch does not trust",
            "PyTorch reads a .ckpt, .pt or .bin file only if it holds nothing but tensors: others can run code.",
            (
                "Use the model's .safetensors file.",
                "Convert the file on a machine on which it may run code, if you trust where it comes from.",
            ),
        ),
    ),
    rule(
        r"(Error while deserializing header|MetadataIncompleteBuffer|HeaderToo(?:Large|Small)|InvalidHeader"
        r"|SafetensorError: (?!Error while serializing)|PytorchStreamReader failed|invalid load key"
        r"|failed finding central directory|unexpected EOF, expected \d+ more bytes|Ran out of input|BadZipFile)",
        Cause(
            "corrupt-weights",
            "A weights file is damaged",
            "A file of the base model or a checkpoint is cut short or is not what its name says; a file of a few bytes "
            "is often a Git LFS pointer.",
            ("Download the base model again.", "Resume from an earlier checkpoint."),
        ),
    ),
)

IMAGES = (
    rule(
        r"(cannot identify image file ['\"]?([^'\"\n]+)|UnidentifiedImageError(?![^\n]*cannot identify)"
        r"|image file is truncated|broken data stream|broken PNG file|Truncated File Read|DecompressionBombError"
        r"|NaN detected in latents: ([^\n]+))",
        Cause(
            "bad-image",
            "An image cannot be read",
            "One of the training images is damaged or is no image: {name}",
            ("Remove or replace that image; the dataset check names it.",),
        ),
        named,
    ),
    rule(
        r"(No images found|no (?:usable )?images\b|num_samples should be a positive integer value, but got num_samples"
        r"|Found 0 images|dataset is empty|No data found\. Please verify|EmptyDatasetError"
        r"|Instance images root doesn't exist)",
        Cause(
            "no-images",
            "There is nothing to train on",
            "The trainer found no image in the dataset's folder.",
            (
                "Upload images for the character.",
                "Look whether the dataset check refused them.",
                "A command of kohya wants the parent of folders such as 10_name.",
            ),
        ),
    ),
    rule(
        r"(caption[^\n]{0,80}(?:not found|missing|mismatch|does not match)|number of captions|Missing caption)",
        Cause(
            "caption-mismatch",
            "Captions and images do not match",
            "An image has no caption, or a caption has no image.",
            ("Give every image a caption of the same name.", "Let the captioning stage fill in the missing ones."),
        ),
    ),
)

MODEL = (
    rule(
        r"(expected all tensors to be on the same device|size mismatch for|mat1 and mat2 shapes cannot be multiplied"
        r"|must match the size of tensor|Expected [^\n]{0,60} channels|Error\(s\) in loading state_dict"
        r"|Target modules? [^\n]{0,200} not found in the base model|because [^\n]{1,80} expected shape)",
        Cause(
            "model-mismatch",
            "The model is not of the expected kind",
            "Weights and architecture do not fit: the base model is of another family than the settings say.",
            ("Check arch and base_model: an SDXL file needs SDXL settings.", "Do not resume a LoRA of another rank."),
        ),
    ),
    rule(
        r"(loss (?:is|became|was) (?:nan|inf|not a number)|NonFiniteLoss|nan or inf|loss diverged"
        r"|cannot convert float NaN)",
        Cause(
            "nan-loss",
            "The loss is no longer a number",
            "The training diverged: once the loss is NaN nothing more is learned.",
            (
                "Use a lower learning rate.",
                "Use bf16 or fp32 instead of fp16.",
                "Clip gradients; look for a bad image.",
            ),
        ),
    ),
)

SETTINGS = (
    rule(
        r"((?:error: )(unrecognized arguments: [^\n]+|the following arguments are required: [^\n]+"
        r"|argument [^\n]+|ambiguous option: [^\n]+)|(No such option:? [^\n]+))",
        Cause(
            "bad-arguments",
            "The command does not know one of its arguments",
            "The script did not begin, because of how it was called: {name}",
            ("Correct that argument; the script's --help lists what it takes.",),
        ),
        named,
    ),
    rule(
        r"((?:yaml\.(?:scanner\.|parser\.|\w+\.)?)?(?:ScannerError|ParserError|ConstructorError): ([^\n]+)"
        r"|(?:TomlDecodeError|TOMLDecodeError|JSONDecodeError): ([^\n]+))",
        Cause(
            "bad-config",
            "A file of settings cannot be read",
            "It is not valid YAML, TOML or JSON: {name}",
            ("Look at that place of the file: a tab, a quote, a colon or a backslash in a path.",),
        ),
        named,
    ),
    rule(
        r"(EOF when reading a line|\(y/N\) ?$|Please enter your choice)",
        Cause(
            "asked-for-input",
            "The program asked a question",
            "It waited for an answer at the keyboard; nobody sits at a training's keyboard.",
            (
                "Answer it beforehand, by an option or an environment variable of that program.",
                "For accelerate: run `accelerate config default` once.",
            ),
        ),
    ),
)
