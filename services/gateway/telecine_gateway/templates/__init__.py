"""HTML and CSS of the pages, and the Jinja2 environment that renders them."""
