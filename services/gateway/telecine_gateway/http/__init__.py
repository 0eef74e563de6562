"""What all routes share: middleware, errors, bodies, validation, parameters, pagination."""
