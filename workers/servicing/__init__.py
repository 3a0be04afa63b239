"""What service does by itself, beside the cases' own processes: it listens, rings, and reckons anew."""
