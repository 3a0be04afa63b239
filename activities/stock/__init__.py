"""Stock: the planner's view of it and the booking of movements."""
