"""The ledger: grants, debits, settles and refunds credits."""
