"""Cases of customer service: their clocks, their ladder, and who is on duty."""
