"""What can be typed: arguments, options and help texts; the work is imported when it is asked for."""
