"""What the benches of the diffusers trainer train: full-size models of random weights, and one training of them."""
