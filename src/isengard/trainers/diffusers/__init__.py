"""LoRA training of Hugging Face diffusers pipelines: Stable Diffusion 1.x, 2.x, XL, and FLUX.

What stands here loads without torch: parameters, checks, metadata. `engine/` holds what needs torch and is imported
only inside the trainer's own process.
"""
