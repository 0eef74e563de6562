"""`/api/keys`: the keys of an account, for the account itself."""
