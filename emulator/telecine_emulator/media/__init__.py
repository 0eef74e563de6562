"""Result files: pictures, encoding, downloads."""
