"""The first level of service: understands what a customer writes, answers from live data, or hands over to people."""
