"""Buying: which supplier, approval, what suppliers say, receipts, invoices, lead times and scores."""
