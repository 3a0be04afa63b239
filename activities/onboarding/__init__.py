"""From application to partner: what is checked by machine, what people decide, and what is carried out for it."""
