"""HTML pages from templates that lie beside the code that fills them."""

import jinja2


def templates(package: str) -> jinja2.Environment:
    """The templates in a package: what they are given is escaped, what they are not given is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
