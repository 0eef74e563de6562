"""What telecine is compared with: each is a program that is started by itself and measured like telecine."""
