"""Pictures of routing decisions: one page of HTML and SVG that needs nothing from outside."""
