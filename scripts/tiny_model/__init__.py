"""What `make_tiny_model.py` is made of: scenes, words, an autoencoder and a denoiser, each trained from nothing."""
