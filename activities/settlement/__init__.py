"""Who sold, who shipped, who gets what: entries, statements, and what is done with them."""
