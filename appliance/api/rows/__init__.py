"""The rows of the table of routes, one module for each area; `routes.ROUTES` joins them."""
