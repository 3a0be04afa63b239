"""What if: recorded orders routed anew under other policies, side by side. It only reads."""
