"""The event worker: claims orders into batches, takes partners' replies, rings the bells, and sweeps."""
