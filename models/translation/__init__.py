"""Translation between two domains: of pairs (pix2pix), and without pairs (CycleGAN)."""
