"""Where spans go: the provider whose resource and sampler they have, and the targets that send them."""
