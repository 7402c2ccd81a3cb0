"""What is asked of networks: evidence, engines, answers."""
