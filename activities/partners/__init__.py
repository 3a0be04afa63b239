"""A partner's life: what ends, what is renewed, and who may go on."""
