"""Pulumi components: a site, what joins the sites, and one module per platform."""
