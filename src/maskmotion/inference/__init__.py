"""Animation of clips with a trained model. Never imports data or training."""
