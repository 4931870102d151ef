"""Post-training of a tiny language model on arithmetic: problems, answers, rewards, losses, and what more thinking buys."""
